// The translation table: what is mapped, how, and nothing else. Short-descriptor format, DDI 0406C B3.5; memory types
// B3.8.2 (TEX remap off). One flat mapping, virtual = physical, built once with the caches off.
//
// QEMU models no caches, so the attributes are reviewed rather than tested: normal memory write-back write-allocate,
// the DMA section normal non-cacheable (descriptors, buffers), devices shareable device memory, execute-never wherever
// no code lies, no write access where code or constants lie, address 0 and the guard page not mapped.

#include <array>
#include <cstddef>
#include <cstdint>

#include "bsp/imx6ul/image_layout.h"
#include "bsp/imx6ul/soc.h"

namespace sallyport::bsp::imx6ul {
namespace {

constexpr std::uintptr_t section_bytes = 1u << 20;
constexpr std::uintptr_t page_bytes = 4096;
constexpr std::size_t pages_per_section = section_bytes / page_bytes;
// Boundaries between the image's parts fall into this many different megabytes at most.
constexpr std::size_t page_table_count = 16;

struct Attributes {
  std::uint32_t section;  // bits of a first-level section descriptor
  std::uint32_t page;     // the same in a second-level small page descriptor
};

constexpr Attributes attributes(unsigned type_extension, bool cacheable, bool bufferable, bool writable,
                                bool executable) {
  const std::uint32_t tex = type_extension;
  const std::uint32_t cb = (cacheable ? 2u : 0) | (bufferable ? 1u : 0);
  const std::uint32_t never = executable ? 0 : 1;
  const std::uint32_t read_only = writable ? 0 : 1;
  // AP[2:0] = {read_only, 01}: privileged access only (B3.7.1).
  return {.section = 2u | cb << 2 | never << 4 | 1u << 10 | tex << 12 | read_only << 15,
          .page = 2u | never | cb << 2 | 1u << 4 | tex << 6 | read_only << 9};
}

constexpr Attributes code = attributes(1, true, true, false, true);
constexpr Attributes constants = attributes(1, true, true, false, false);
constexpr Attributes data = attributes(1, true, true, true, false);
constexpr Attributes dma = attributes(1, false, false, true, false);
constexpr Attributes device = attributes(0, false, true, true, false);

constexpr std::uint32_t first_level_page_table = 1;
constexpr std::uint32_t type_mask = 3;

struct TranslationTable {
  std::array<std::uint32_t, 4096> first_level;
  std::array<std::array<std::uint32_t, pages_per_section>, page_table_count> pages;
};

[[gnu::section(".translation_table"), gnu::aligned(16384)]] TranslationTable table;

// No assertions in this file: there is no console and no data section yet. An image that does not fit stops here, and
// the linker script asserts that it does.
[[noreturn]] void stop() {
  for (;;) asm volatile("wfi");
}

class Mapper {
 public:
  void map(std::uintptr_t start, std::uintptr_t end, Attributes how) {
    for (std::uintptr_t at = start; at < end;) {
      if (at % section_bytes == 0 && end - at >= section_bytes) {
        table.first_level[at / section_bytes] = static_cast<std::uint32_t>(at) | how.section;
        at += section_bytes;
      } else {
        page_table(at)[at / page_bytes % pages_per_section] = static_cast<std::uint32_t>(at) | how.page;
        at += page_bytes;
      }
    }
  }

 private:
  std::array<std::uint32_t, pages_per_section>& page_table(std::uintptr_t address) {
    std::uint32_t& entry = table.first_level[address / section_bytes];
    if ((entry & type_mask) == 0) {
      if (used_ == page_table_count) stop();
      entry =
          static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&table.pages[used_++])) | first_level_page_table;
    }
    return *reinterpret_cast<std::array<std::uint32_t, pages_per_section>*>(entry & ~std::uint32_t{0x3FF});
  }

  std::size_t used_ = 0;
};

void switch_on() {
  // Walks through write-back write-allocate memory, not shared (B4.1.154, multiprocessing extensions: IRGN is split).
  const auto base = reinterpret_cast<std::uintptr_t>(&table) | 1u << 6 | 1u << 3;
  asm volatile("mcr p15, 0, %0, c2, c0, 2" ::"r"(0));     // TTBCR: TTBR0 for all
  asm volatile("mcr p15, 0, %0, c2, c0, 0" ::"r"(base));  // TTBR0
  asm volatile("mcr p15, 0, %0, c3, c0, 0" ::"r"(1));     // DACR: domain 0 is a client, permissions are checked
  asm volatile("dsb\n mcr p15, 0, %0, c8, c7, 0\n dsb\n isb" ::"r"(0) : "memory");
  std::uint32_t control = 0;
  asm volatile("mrc p15, 0, %0, c1, c0, 0" : "=r"(control));
  control |= 1u << 0 | 1u << 2 | 1u << 11 | 1u << 12 | 1u << 19;  // M, C, Z, I, WXN
  asm volatile("mcr p15, 0, %0, c1, c0, 0\n isb" ::"r"(control) : "memory");
}

}  // namespace

/// Called by the reset entry, before .bss is cleared and with no constructor run.
extern "C" void imx6ul_enable_mmu() {
  auto* word = reinterpret_cast<volatile std::uint32_t*>(&table);
  for (std::size_t i = 0; i < sizeof table / sizeof *word; ++i) word[i] = 0;
  Mapper mapper;
  mapper.map(address_of(__text_start), address_of(__text_end), code);
  mapper.map(address_of(__rodata_start), address_of(__rodata_end), constants);
  mapper.map(address_of(__data_start), address_of(__cached_end), data);
  mapper.map(address_of(__dma_start), address_of(__dma_end), dma);
  mapper.map(address_of(__stack_bottom), address_of(__stack_top), data);
  mapper.map(address_of(__exception_stacks_bottom), address_of(__undefined_stack_top), data);
  mapper.map(arm_peripherals_start, arm_peripherals_end, device);
  mapper.map(aips_start, aips_end, device);
  switch_on();
}

}  // namespace sallyport::bsp::imx6ul
