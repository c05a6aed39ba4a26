// EntropySource: a hardware random number generator, where the board has one, and a free-running counter for jitter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::hal {

class EntropySource {
 public:
  /// Bytes of true random data written to `into`; 0 when the board has no generator or it failed its self-test.
  virtual std::size_t read(std::span<std::byte> into) = 0;
  /// The fastest counter there is; its low bits are sampled around interrupts and memory accesses.
  virtual std::uint32_t cycle_counter() = 0;

 protected:
  ~EntropySource() = default;
};

}  // namespace sallyport::hal
