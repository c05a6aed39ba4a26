// SALLYPORT_ASSERT: for our own bugs, never for input. Logs file and line, then stops the board (reset by watchdog on
// hardware, abort() on the host). It is on in every build.
#pragma once

namespace sallyport {

/// Provided once per board (bsp or boards/host). Must print the message on the console and never return.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace sallyport

#define SALLYPORT_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::sallyport::assertion_failed(#expression, __FILE_NAME__, __LINE__))
