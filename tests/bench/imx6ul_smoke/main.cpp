// Smoke test of a board: everything bsp/board.h promises, driven from the console one letter at a time and answered in
// one line each, for tests/system and for whoever brings up a new board.
//
//   t clock   l links   s card: read, write, read back the last block   c counters   h hold all frames, r release them
//   e entropy   w stop refreshing the watchdog (2 s)   a abort (write to address 0)   x execute data   o overflow the
//   stack f write to code   R reset   ? assertion
//
// Frames: an Ethernet frame of type 88B5 (IEEE 802 local experimental) to the board is sent back to its sender from the
// same side, an ARP request for 192.0.2.1 is answered: enough for arping and for a test with raw sockets.

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "bsp/board.h"
#include "hal/base/assert.h"

namespace sallyport {
namespace {

using Frame = std::span<std::byte>;

constexpr std::size_t ethernet_header_bytes = 14;
constexpr std::size_t arp_frame_bytes = 42;
constexpr std::array<std::uint8_t, 2> type_experimental = {0x88, 0xB5};
constexpr std::array<std::uint8_t, 10> arp_request = {0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01};
constexpr std::array<std::uint8_t, 4> our_address = {192, 0, 2, 1};

[[gnu::format(printf, 1, 2)]] void say(const char* format, ...) {
  std::array<char, 200> line;
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  if (length < 0) return;
  bsp::board().console().write({line.data(), std::min(line.size() - 1, static_cast<std::size_t>(length))});
  bsp::board().console().write({"\r\n", 2});
}

bool equal_at(Frame frame, std::size_t offset, std::span<const std::uint8_t> bytes) {
  return frame.size() >= offset + bytes.size() && std::memcmp(frame.data() + offset, bytes.data(), bytes.size()) == 0;
}

struct Port {
  const char* name;
  hal::EthernetMac& mac;
  bool was_up = false;
  std::array<hal::ReceivedFrame, 2048> held{};
  std::size_t held_count = 0;
};

bool holding = false;
std::uint64_t loops = 0;

void answer(Port& port, Frame frame) {
  const bool echo = equal_at(frame, 12, type_experimental);
  const bool arp =
      frame.size() >= arp_frame_bytes && equal_at(frame, 12, arp_request) && equal_at(frame, 38, our_address);
  if (!echo && !arp) return;
  const auto& own = port.mac.address();
  std::memcpy(frame.data(), frame.data() + 6, 6);
  std::memcpy(frame.data() + 6, own.data(), own.size());
  if (arp) {
    frame = frame.first(arp_frame_bytes);
    frame[21] = std::byte{2};
    std::memcpy(frame.data() + 32, frame.data() + 22, 10);
    std::memcpy(frame.data() + 22, own.data(), own.size());
    std::memcpy(frame.data() + 28, our_address.data(), our_address.size());
  }
  // In two parts, as a network stack hands over header and payload.
  const std::span<const std::byte> parts[] = {frame.first(ethernet_header_bytes), frame.subspan(ethernet_header_bytes)};
  static_cast<void>(port.mac.transmit(parts));
}

void poll(Port& port) {
  while (const auto frame = port.mac.receive()) {
    answer(port, frame.buffer.first(frame.length));
    if (holding && port.held_count < port.held.size())
      port.held[port.held_count++] = frame;
    else
      port.mac.release(frame);
  }
}

void release_held(Port& port) {
  for (std::size_t i = 0; i < port.held_count; ++i) port.mac.release(port.held[i]);
  port.held_count = 0;
}

void check_link(Port& port) {
  const bool up = port.mac.link_up();
  if (up != port.was_up) say("link %s %s", port.name, up ? "up" : "down");
  port.was_up = up;
}

void show_counters(const Port& port) {
  const auto& c = port.mac.counters();
  say("counters %s rx %lu/%lu tx %lu/%lu errors %lu foreign %lu empty %lu full %lu free %u of %u", port.name,
      static_cast<unsigned long>(c.received_frames), static_cast<unsigned long>(c.received_bytes),
      static_cast<unsigned long>(c.transmitted_frames), static_cast<unsigned long>(c.transmitted_bytes),
      static_cast<unsigned long>(c.receive_errors), static_cast<unsigned long>(c.receive_not_for_us),
      static_cast<unsigned long>(c.receive_pool_empty), static_cast<unsigned long>(c.transmit_ring_full),
      static_cast<unsigned>(port.mac.receive_buffers_free()), static_cast<unsigned>(port.mac.receive_buffers()));
}

void show_clock() {
  auto& board = bsp::board();
  const auto rtc = board.real_time_clock().read();
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(board.clock().now().time_since_epoch());
  say("clock %lu ms, loops %lu, rtc %lu", static_cast<unsigned long>(now.count()), static_cast<unsigned long>(loops),
      rtc ? static_cast<unsigned long>(rtc->time_since_epoch().count()) : 0ul);
}

void test_card() {
  auto& card = bsp::board().storage();
  std::array<std::byte, hal::block_bytes> block{};
  // The first access finds a card that was not there at power-on.
  if (auto first = card.read(0, block); !first) return say("card error %u", static_cast<unsigned>(first.error()));
  const std::uint64_t last = card.block_count() - 1;
  std::array<std::byte, hal::block_bytes> before{}, after{};
  if (auto r = card.read(last, before); !r) return say("card read error %u", static_cast<unsigned>(r.error()));
  for (std::size_t i = 0; i < block.size(); ++i)
    block[i] = static_cast<std::byte>(i * 7 + std::to_integer<unsigned>(before[0]) + 1);
  if (auto w = card.write(last, block); !w) return say("card write error %u", static_cast<unsigned>(w.error()));
  if (auto r = card.read(last, after); !r) return say("card read error %u", static_cast<unsigned>(r.error()));
  const auto beyond = card.read(last + 1, block);
  say("card blocks %lu, first byte %u -> %u, %s, beyond %s", static_cast<unsigned long>(last + 1),
      std::to_integer<unsigned>(before[0]), std::to_integer<unsigned>(after[0]),
      after[0] != before[0] && after[511] == static_cast<std::byte>(std::to_integer<unsigned>(after[0]) + 511 * 7)
          ? "same"
          : "DIFFERENT",
      !beyond && beyond.error() == hal::BlockError::out_of_range ? "refused" : "TAKEN");
}

void show_entropy() {
  std::array<std::byte, 32> bytes{};
  auto& entropy = bsp::board().entropy();
  const std::size_t count = entropy.read(bytes);
  const std::uint32_t first = entropy.cycle_counter();
  say("entropy %u bytes, cycle counter +%lu", static_cast<unsigned>(count),
      static_cast<unsigned long>(entropy.cycle_counter() - first));
}

[[gnu::noinline]] int overflow_stack(int depth) {
  volatile int frame[64] = {};
  frame[0] = depth;
  if (depth == 1'000'000) return 0;
  return overflow_stack(depth + 1) + frame[0];
}

void crash(char how) {
  if (how == 'a') *reinterpret_cast<volatile int*>(std::uintptr_t{0}) = 1;
  if (how == 'f') *reinterpret_cast<volatile std::uint32_t*>(reinterpret_cast<std::uintptr_t>(&say) & ~3u) = 0;
  if (how == 'o') say("%d", overflow_stack(0));
  if (how == '?') SALLYPORT_ASSERT(how == 'x');
  static volatile std::uint32_t data_word = 0xE12F'FF1E;  // bx lr
  if (how == 'x') reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(&data_word))();
}

void obey(char command, std::span<Port*> ports) {
  switch (command) {
    case 't': return show_clock();
    case 's': return test_card();
    case 'e': return show_entropy();
    case 'w':
      say("waiting for the watchdog");
      while (true) bsp::board().wait_for_event(never);
      break;
    case 'R':
      say("resetting");
      bsp::board().reset();
      break;
    case 'h': holding = true; return say("holding");
    case 'r':
      holding = false;
      for (Port* port : ports) release_held(*port);
      return say("released");
    case 'c':
      for (Port* port : ports) show_counters(*port);
      return;
    case 'l':
      for (Port* port : ports) say("link %s %s", port->name, port->was_up ? "up" : "down");
      return;
    case 'a':
    case 'f':
    case 'o':
    case 'x':
    case '?': return crash(command);
    default: return;
  }
}

}  // namespace
}  // namespace sallyport

int main() {
  using namespace sallyport;
  auto& board = bsp::board();
  static Port external{"external", board.external_mac()};
  static Port internal{"internal", board.internal_mac()};
  Port* ports[] = {&external, &internal};
  say("smoke %.*s", static_cast<int>(board.name().size()), board.name().data());
  for (Port* port : ports) {
    const auto& a = port->mac.address();
    say("mac %s %02x:%02x:%02x:%02x:%02x:%02x", port->name, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  show_clock();
  board.watchdog().start(2s);
  Instant next_link_check = board.clock().now();
  for (;;) {
    ++loops;
    board.watchdog().refresh();
    for (Port* port : ports) poll(*port);
    if (board.clock().now() >= next_link_check) {
      for (Port* port : ports) check_link(*port);
      next_link_check = board.clock().now() + 250ms;
    }
    char command = 0;
    while (board.console().read({&command, 1}) == 1) obey(command, ports);
    board.wait_for_event(next_link_check);
  }
}
