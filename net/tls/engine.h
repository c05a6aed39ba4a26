// Engine: what all TLS sessions share. It gives Mbed TLS its allocator (the arena in force), its random generator and
// its clock, and starts its PSA part. One object, in the composition root, constructed before any credential is loaded.
#pragma once

#include <array>
#include <cstddef>

#include "hal/base/arena.h"
#include "hal/base/task_queue.h"
#include "hal/random.h"
#include "hal/wall_clock.h"
#include "mbedtls/build_info.h"
#include "net/tls/record_stage.h"

namespace sallyport::net::tls {

class Engine {
 public:
  /// All three outlive the engine. `random` must be seeded before the first key is parsed or session opened.
  Engine(hal::Random& random, const hal::WallClock& clock, TaskQueue& tasks);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const hal::WallClock& clock() const { return clock_; }
  TaskQueue& tasks() { return tasks_; }
  RecordStage& stage() { return stage_; }

  /// Scope of a handshake's step: the session's arena is in force, and what does not fit there comes from scratch
  /// memory that all sessions share. That is for the temporary numbers of public-key operations (11 KB of them for an
  /// RSA-4096 signature), which no session has to have room for. Between the steps the scratch memory is empty: when a
  /// step has left something in it (overdrawn), the session must be ended within the scope.
  class HandshakeStep {
   public:
    HandshakeStep(Engine& engine, Arena& session);
    ~HandshakeStep();
    HandshakeStep(const HandshakeStep&) = delete;
    HandshakeStep& operator=(const HandshakeStep&) = delete;

    bool overdrawn() const { return engine_.scratch_.in_use() > 0; }
    /// The library has asked for memory in vain; its codes do not always say so.
    bool exhausted() const { return engine_.scratch_.failures() != failures_before_; }

   private:
    Engine& engine_;
    ArenaScope scope_;
    std::size_t failures_before_;
  };

  /// Most bytes of scratch memory that a step has needed.
  std::size_t scratch_high_water() const { return scratch_.high_water(); }

  /// Mbed TLS' allocator.
  static void* allocate(std::size_t bytes);
  static void release(void* pointer);
  /// Mbed TLS' f_rng, for every function that wants one; its context argument is not used.
  static int random(void* context, unsigned char* output, std::size_t length);
  /// Mbed TLS' clock: seconds since 1970-01-01 UTC.
  static long long time();

 private:
  static constexpr std::size_t scratch_bytes = 16 * 1024;

  bool owns(const void* pointer) const {
    const auto* at = static_cast<const std::byte*>(pointer);
    return at >= scratch_memory_.data() && at < scratch_memory_.data() + scratch_memory_.size();
  }

  const hal::WallClock& clock_;
  TaskQueue& tasks_;
  RecordStage stage_;
  bool in_step_ = false;
  alignas(8) std::array<std::byte, scratch_bytes> scratch_memory_{};
  Arena scratch_{scratch_memory_};
};

/// Sessions that may be clients between ClientHello and ServerHello at the same time: each holds one of the library's
/// static key slots. The few others serve whichever handshake is being worked on.
inline constexpr std::size_t max_concurrent_handshakes = MBEDTLS_PSA_KEY_SLOT_COUNT - 4;

/// PSA key slots that are taken now: one per client between its ClientHello and the ServerHello. For tests and status.
std::size_t psa_key_slots_in_use();

}  // namespace sallyport::net::tls
