// From the reset entry to main(): memory as C++ expects it, thread storage, constructors.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bsp/imx6ul/image_layout.h"
#include "bsp/imx6ul/power.h"

extern "C" {
extern void (*const __init_array_start[])();
extern void (*const __init_array_end[])();
}

namespace sallyport::bsp::imx6ul {
namespace {

// ARM ELF ABI: the thread pointer points at a control block of eight bytes, and the thread's variables follow it.
constexpr std::uintptr_t thread_control_block_bytes = 8;

void clear(char* from, const char* to) { std::memset(from, 0, static_cast<std::size_t>(to - from)); }

void set_up_thread_storage() {
  const std::uintptr_t thread_pointer = address_of(__tls_start) - thread_control_block_bytes;
  asm volatile("mcr p15, 0, %0, c13, c0, 3" ::"r"(thread_pointer));  // TPIDRURO
}

}  // namespace

/// Called by the reset entry: caches and MMU are on, nothing else is as C++ wants it.
extern "C" void imx6ul_prepare_cxx() {
  clear(__bss_start, __bss_end);
  clear(__tbss_start, __tls_end);
  clear(__dma_start, __dma_end);
  set_up_thread_storage();
  for (auto* constructor = __init_array_start; constructor != __init_array_end; ++constructor) (*constructor)();
  asm volatile("cpsie aif");
}

extern "C" [[noreturn]] void imx6ul_main_returned() { reset_soc(); }

}  // namespace sallyport::bsp::imx6ul
