// Device registers as types. A driver names its block as a struct of Register<>s and takes a reference to it, so that
// the same driver runs on silicon (the struct lies over the device's addresses) and in a host test (the struct is plain
// memory, and an observer plays the device: write-one-to-clear bits, FIFOs, self-clearing commands).
#pragma once

#include <cstdint>

namespace sallyport::hal {

#if defined(__linux__)
/// Host builds only: the device behind the registers. Called after each write and before each read.
class MmioObserver {
 public:
  /// `address` is the Register's. The returned value is what the driver sees.
  virtual std::uint32_t on_read(const volatile void* address, std::uint32_t stored) = 0;
  /// The returned value is what the register then holds; `before` is what it held.
  virtual std::uint32_t on_write(const volatile void* address, std::uint32_t before, std::uint32_t written) = 0;

 protected:
  ~MmioObserver() = default;
};
inline MmioObserver* mmio_observer = nullptr;
#endif

/// One register of 16 or 32 bits at its natural alignment; each read and write is exactly one bus access.
template <class Word>
class Register {
 public:
  Word read() const {
#if defined(__linux__)
    if (mmio_observer != nullptr) return static_cast<Word>(mmio_observer->on_read(&word_, word_));
#endif
    return word_;
  }

  void write(Word value) {
#if defined(__linux__)
    if (mmio_observer != nullptr) {
      word_ = static_cast<Word>(mmio_observer->on_write(&word_, word_, value));
      return;
    }
#endif
    word_ = value;
  }

  void set(Word bits) { write(static_cast<Word>(read() | bits)); }
  void clear(Word bits) { write(static_cast<Word>(read() & ~bits)); }
  bool any(Word bits) const { return (read() & bits) != 0; }

 private:
  static_assert(sizeof(Word) == 2 || sizeof(Word) == 4);
  volatile Word word_;
};

using Register16 = Register<std::uint16_t>;
using Register32 = Register<std::uint32_t>;

/// Orders memory that a DMA master sees against what it is told through registers. The masters are outside the inner
/// shareable domain, so a C++ fence ("dmb ish") is not enough on silicon.
inline void dma_barrier() {
#if defined(__arm__)
  asm volatile("dsb sy" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}

/// A register address as DMA masters see it: physical equals virtual on every board of ours.
inline std::uint32_t dma_address(const volatile void* memory) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(memory));
}

}  // namespace sallyport::hal
