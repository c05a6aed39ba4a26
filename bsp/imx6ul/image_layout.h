// The image's parts, as the board's linker script (boards/<board>/memory.ld) lays them out. All boundaries are
// multiples of a page, 4 KB.
#pragma once

#include <cstdint>

extern "C" {
extern char __text_start[], __text_end[];      // vectors and code
extern char __rodata_start[], __rodata_end[];  // constants
extern char __data_start[], __cached_end[];    // .data, thread storage, .bss, translation table
extern char __bss_start[], __bss_end[];
extern char __tls_start[], __tls_end[];  // the one thread's storage, .tdata filled in by the loader
extern char __tbss_start[];
extern char __dma_start[], __dma_end[];  // what DMA masters see
extern char __stack_guard[];             // one page that is not mapped, below the main stack
extern char __stack_bottom[], __stack_top[];
extern char __exception_guard[];  // one page that is not mapped
extern char __exception_stacks_bottom[], __exception_stack_top[], __undefined_stack_top[];
}

namespace sallyport::bsp::imx6ul {

inline std::uintptr_t address_of(const char* symbol) { return reinterpret_cast<std::uintptr_t>(symbol); }

}  // namespace sallyport::bsp::imx6ul
