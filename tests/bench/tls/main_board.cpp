// The bench as an image: figures on the console, then a reset (QEMU's -no-reboot ends there).
#include <cstring>

#include "bsp/board.h"
#include "tests/bench/tls/tls_bench.h"

using namespace sallyport;

namespace {

void say(const char* line) {
  hal::SerialPort& console = bsp::board().console();
  for (const char* part : {line, "\r\n"})
    for (std::size_t length = std::strlen(part); length > 0;) {
      const std::size_t taken = console.write({part, length});
      part += taken;
      length -= taken;
    }
}

}  // namespace

int main() {
  auto& board = bsp::board();
  say("tls_bench");
  bench::run_tls_bench(board.clock(), board.entropy(), say);
  say("done");
  board.reset();
}
