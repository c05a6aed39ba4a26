// Fatal exceptions: a register dump on the console, then reset. Runs on the exception's own stack with interrupts off.

#include <array>
#include <cstddef>
#include <cstdint>

#include "bsp/imx6ul/emergency_console.h"
#include "bsp/imx6ul/image_layout.h"
#include "bsp/imx6ul/power.h"

namespace sallyport::bsp::imx6ul {
namespace {

/// As startup.S stores it.
struct CrashFrame {
  std::uint32_t general[13];
  std::uint32_t sp, lr, pc, status;
};
static_assert(sizeof(CrashFrame) == 17 * 4);

enum class Exception : std::uint32_t {
  undefined_instruction = 1,
  supervisor_call = 2,
  prefetch_abort = 3,
  data_abort = 4,
  fiq = 7,
};

struct FaultRegisters {
  std::uint32_t status = 0, address = 0;
};

FaultRegisters data_fault() {
  FaultRegisters fault;
  asm volatile("mrc p15, 0, %0, c5, c0, 0" : "=r"(fault.status));   // DFSR
  asm volatile("mrc p15, 0, %0, c6, c0, 0" : "=r"(fault.address));  // DFAR
  return fault;
}

FaultRegisters instruction_fault() {
  FaultRegisters fault;
  asm volatile("mrc p15, 0, %0, c5, c0, 1" : "=r"(fault.status));   // IFSR
  asm volatile("mrc p15, 0, %0, c6, c0, 2" : "=r"(fault.address));  // IFAR
  return fault;
}

// DDI 0406C table B3-23, short-descriptor format.
std::string_view fault_name(std::uint32_t status) {
  switch ((status & 0xF) | (status >> 6 & 0x10)) {
    case 0x01: return "alignment";
    case 0x02: return "debug event";
    case 0x05: return "translation, section";
    case 0x07: return "translation, page";
    case 0x08: return "external, synchronous";
    case 0x09: return "domain, section";
    case 0x0B: return "domain, page";
    case 0x0D: return "permission, section";
    case 0x0F: return "permission, page";
    case 0x16: return "external, asynchronous";
    default: return "other";
  }
}

std::string_view exception_name(Exception kind) {
  switch (kind) {
    case Exception::undefined_instruction: return "undefined instruction";
    case Exception::supervisor_call: return "unexpected supervisor call";
    case Exception::prefetch_abort: return "prefetch abort";
    case Exception::data_abort: return "data abort";
    case Exception::fiq: return "unexpected FIQ";
  }
  return "unknown exception";
}

bool within(std::uintptr_t address, const char* from, const char* to) {
  return address >= address_of(from) && address < address_of(to);
}

void print_fault(EmergencyConsole& console, Exception kind, const FaultRegisters& fault) {
  if (kind != Exception::data_abort && kind != Exception::prefetch_abort) return;
  const bool data = kind == Exception::data_abort;
  console.text(data ? "*** dfsr " : "*** ifsr ").hex(fault.status).text(" (").text(fault_name(fault.status));
  if (data) console.text((fault.status & 1u << 11) != 0 ? ", writing) " : ", reading) ");
  if (!data) console.text(") ");
  console.text(data ? "dfar " : "ifar ").hex(fault.address);
  if (data && within(fault.address, __stack_guard, __stack_bottom)) console.text(" (stack overflow)");
  console.text("\r\n");
}

void print_registers(EmergencyConsole& console, const CrashFrame& frame) {
  console.text("*** pc ").hex(frame.pc).text("  lr ").hex(frame.lr).text("  sp ").hex(frame.sp);
  console.text("  cpsr ").hex(frame.status).text("\r\n");
  for (std::uint32_t i = 0; i < 13; ++i) {
    console.text(i % 4 == 0 ? "*** r" : "  r").decimal(i).text(i < 10 ? "  " : " ").hex(frame.general[i]);
    if (i % 4 == 3 || i == 12) console.text("\r\n");
  }
}

// For the post-mortem: return addresses of the callers are among these words.
void print_stack(EmergencyConsole& console, std::uint32_t sp) {
  constexpr std::uint32_t words = 32;
  if (within(sp, __stack_guard, __stack_bottom)) sp = static_cast<std::uint32_t>(address_of(__stack_bottom));
  if (sp % 4 != 0 || !within(sp, __stack_bottom, __stack_top)) return;
  for (std::uint32_t i = 0; i < words && sp + i * 4 < address_of(__stack_top); ++i) {
    if (i % 8 == 0) console.text("*** ").hex(sp + i * 4).text(":");
    console.text(" ").hex(reinterpret_cast<const volatile std::uint32_t*>(sp)[i]);
    if (i % 8 == 7) console.text("\r\n");
  }
}

volatile bool crashing = false;

}  // namespace

extern "C" [[noreturn]] void imx6ul_fatal_exception(Exception kind, const CrashFrame& frame) {
  // An exception in here would never end.
  if (crashing) reset_soc();
  crashing = true;
  // Read first: printing may fault, too.
  const FaultRegisters fault = kind == Exception::prefetch_abort ? instruction_fault() : data_fault();
  print_last_words();
  EmergencyConsole console;
  console.text("\r\n*** ").text(exception_name(kind)).text("\r\n");
  print_fault(console, kind, fault);
  print_registers(console, frame);
  print_stack(console, frame.sp);
  console.text("*** reset\r\n");
  reset_soc();
}

}  // namespace sallyport::bsp::imx6ul
