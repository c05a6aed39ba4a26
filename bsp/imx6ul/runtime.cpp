// What compiler, C library and the hal expect of a board without operating system and heap.

#include <bits/functexcept.h>

#include <cstddef>
#include <cstdint>

#include "bsp/imx6ul/emergency_console.h"
#include "bsp/imx6ul/power.h"
#include "bsp/imx6ul/soc.h"
#include "hal/base/assert.h"

namespace sallyport {

void assertion_failed(const char* expression, const char* file, int line) {
  using bsp::imx6ul::EmergencyConsole;
  asm volatile("cpsid if");
  bsp::imx6ul::print_last_words();
  EmergencyConsole console;
  console.text("\r\n*** assertion failed: ").text(expression).text(", ").text(file).text(":");
  console.decimal(static_cast<std::uint32_t>(line)).text("\r\n*** reset\r\n");
  bsp::imx6ul::reset_soc();
}

namespace bsp::imx6ul {
namespace {

constinit void (*last_words)(void*) = nullptr;
constinit void* last_words_context = nullptr;

}  // namespace

void set_last_words(void (*print)(void*), void* context) {
  last_words = print;
  last_words_context = context;
}

void print_last_words() {
  auto* const print = last_words;
  last_words = nullptr;  // what crashes in there must not come back to it
  if (print != nullptr) print(last_words_context);
}

void reset_soc() {
  asm volatile("cpsid aif");
  hal::dma_barrier();
  for (;;) hal::ImxWdog::reset_now(wdog1());
}

}  // namespace bsp::imx6ul
}  // namespace sallyport

// What the C++ library calls instead of throwing, when an argument breaks a precondition (string_view::substr behind
// the end, for one). Its own versions bring exceptions, std::string and with them a heap.
namespace std {

void __throw_out_of_range_fmt(const char* format, ...) { sallyport::assertion_failed(format, "c++", 0); }
void __throw_out_of_range(const char* what) { sallyport::assertion_failed(what, "c++", 0); }
void __throw_length_error(const char* what) { sallyport::assertion_failed(what, "c++", 0); }
void __throw_logic_error(const char* what) { sallyport::assertion_failed(what, "c++", 0); }
void __throw_invalid_argument(const char* what) { sallyport::assertion_failed(what, "c++", 0); }
void __throw_bad_alloc() { sallyport::assertion_failed("std::bad_alloc", "c++", 0); }
void __throw_bad_function_call() { sallyport::assertion_failed("std::bad_function_call", "c++", 0); }

}  // namespace std

extern "C" {

// Static objects live until the power goes: their destructors are not registered.
void* __dso_handle = nullptr;
int __aeabi_atexit(void*, void (*)(void*), void*) { return 0; }
int atexit(void (*)()) { return 0; }

[[noreturn]] void __cxa_pure_virtual() { sallyport::assertion_failed("pure virtual call", "c++", 0); }
[[noreturn]] void __cxa_deleted_virtual() { sallyport::assertion_failed("deleted virtual call", "c++", 0); }
[[noreturn]] void abort() { sallyport::assertion_failed("abort()", "libc", 0); }
[[noreturn]] void _exit(int) { sallyport::assertion_failed("_exit()", "libc", 0); }
[[noreturn]] void __stack_chk_fail() { sallyport::assertion_failed("stack smashed", "c++", 0); }

// assert() of third-party code (expat).
[[noreturn]] void __assert_func(const char* file, int line, const char*, const char* expression) {
  sallyport::assertion_failed(expression, file, line);
}

// RTABI 4.3.2: integer and long division by zero.
[[noreturn]] int __aeabi_idiv0(int) { sallyport::assertion_failed("division by zero", "c++", 0); }
[[noreturn]] long long __aeabi_ldiv0(long long) { sallyport::assertion_failed("division by zero", "c++", 0); }

// Objects compiled with unwinding tables name these; nothing ever unwinds, and the real ones pull in a stack walker.
void __aeabi_unwind_cpp_pr0() {}
void __aeabi_unwind_cpp_pr1() {}
void __aeabi_unwind_cpp_pr2() {}

}  // extern "C"
