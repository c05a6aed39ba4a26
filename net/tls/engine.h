// Engine: what all TLS sessions share. It gives Mbed TLS its allocator (the arena in force), its random generator and
// its clock, and starts its PSA part. One object, in the composition root, constructed before any credential is loaded.
#pragma once

#include "hal/base/task_queue.h"
#include "hal/random.h"
#include "hal/wall_clock.h"
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

  /// Mbed TLS' f_rng, for every function that wants one; its context argument is not used.
  static int random(void* context, unsigned char* output, std::size_t length);

 private:
  const hal::WallClock& clock_;
  TaskQueue& tasks_;
  RecordStage stage_;
};

/// PSA key slots that are taken now: one per client between its ClientHello and the ServerHello. For tests and status.
std::size_t psa_key_slots_in_use();

}  // namespace sallyport::net::tls
