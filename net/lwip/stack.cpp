#include "net/lwip/stack.h"

#include <algorithm>

#include "hal/base/assert.h"
#include "lwip/init.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"
#include "net/lwip/interface.h"

namespace sallyport::net {
namespace {

Stack* current_stack = nullptr;

void append(std::span<std::uint8_t>& into, const ip_addr_t& address, std::uint16_t port) {
  const bool v6 = IP_IS_V6_VAL(address);
  const void* bytes = v6 ? static_cast<const void*>(ip_2_ip6(&address)->addr) : &ip_2_ip4(&address)->addr;
  std::copy_n(static_cast<const std::uint8_t*>(bytes), v6 ? 16 : 4, into.begin());
  into[16] = static_cast<std::uint8_t>(port >> 8);
  into[17] = static_cast<std::uint8_t>(port);
  into = into.subspan(18);
}

/// lwIP 2.2.1 starts the persist timer when the window is closed and nothing is in flight, and does not stop it when an
/// acknowledgement then empties the queue (of segments that it had taken back for retransmission). Its slow timer
/// asserts that this does not happen: a peer could stop the board with three segments.
void stop_stale_persist_timers() {
  for (tcp_pcb* pcb = tcp_active_pcbs; pcb != nullptr; pcb = pcb->next)
    if (pcb->unsent == nullptr || pcb->unacked != nullptr) pcb->persist_backoff = 0;
}

SipKey random_key(hal::Random& random) {
  SipKey key;
  random.fill(std::as_writable_bytes(std::span(&key, 1)));
  return key;
}

}  // namespace

Stack::Stack(hal::MonotonicClock& clock, hal::Random& random, TaskQueue& tasks)
    : clock_(clock), random_(random), tasks_(tasks) {
  SALLYPORT_ASSERT(current_stack == nullptr);
  current_stack = this;
}

Stack::~Stack() { current_stack = nullptr; }

Stack& Stack::current() {
  SALLYPORT_ASSERT(current_stack != nullptr);
  return *current_stack;
}

void Stack::init() {
  SALLYPORT_ASSERT(!initialised_);
  initialised_ = true;
  sequence_key_ = random_key(random_);
  identification_key_ = random_key(random_);
  flows_.set_key(random_key(random_));
  // lwIP cannot be taken down. Tests make one Stack after the other: they go on with the same one, and a new clock.
  static bool lwip_initialised = false;
  if (!lwip_initialised) {
    lwip_init();
    const u8_t flow_argument = tcp_ext_arg_alloc_id();
    SALLYPORT_ASSERT(flow_argument == 0);
    lwip_initialised = true;
  }
  sys_restart_timeouts();
}

void Stack::poll(Instant) {
  if (sys_timeouts_sleeptime() != 0) return;
  stop_stale_persist_timers();
  sys_check_timeouts();
}

Instant Stack::next_deadline() const {
  const u32_t sleep = sys_timeouts_sleeptime();
  if (sleep == SYS_TIMEOUTS_SLEEPTIME_INFINITE) return never;
  return now() + std::chrono::milliseconds(sleep);
}

std::uint32_t Stack::initial_sequence_number(const ip_addr_t& local, std::uint16_t local_port, const ip_addr_t& remote,
                                             std::uint16_t remote_port) const {
  std::array<std::uint8_t, 36> key{};
  std::span<std::uint8_t> rest(key);
  append(rest, local, local_port);
  append(rest, remote, remote_port);
  const auto clock = static_cast<std::uint32_t>(now().time_since_epoch() / 4us);
  return clock + static_cast<std::uint32_t>(SipHash(sequence_key_)(key));
}

/// A keyed hash of a counter: the DRBG itself would cost more than the rest of a packet.
std::uint16_t Stack::packet_identification() {
  const std::uint64_t number = identifications_++;
  std::array<std::uint8_t, 8> block;
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return static_cast<std::uint16_t>(SipHash(identification_key_)(block));
}

std::uint16_t Stack::random_port() {
  constexpr std::uint16_t first = 49152;  // RFC 6335 6: dynamic ports; 2^14 of them
  return static_cast<std::uint16_t>(first + (random_.next_u32() & 0x3FFF));
}

void Stack::add(InterfaceBody& interface) {
  const auto free = std::find(interfaces_.begin(), interfaces_.end(), nullptr);
  SALLYPORT_ASSERT(free != interfaces_.end());
  *free = &interface;
}

void Stack::remove(InterfaceBody& interface) {
  std::replace(interfaces_.begin(), interfaces_.end(), &interface, static_cast<InterfaceBody*>(nullptr));
}

void Stack::addresses_changed() {
  for (InterfaceBody* interface : interfaces_)
    for (InterfaceBody* other : interfaces_)
      if (interface != nullptr && other != nullptr && interface != other)
        interface->other_side_changed(other->settings());
}

}  // namespace sallyport::net

extern "C" {

[[noreturn]] void sallyport_lwip_assertion_failed(const char* message, const char* file, int line) {
  sallyport::assertion_failed(message, file, line);
}

std::uint32_t sallyport_lwip_random(void) { return sallyport::net::Stack::current().random().next_u32(); }

u32_t sys_now(void) {
  return static_cast<u32_t>(sallyport::net::Stack::current().now().time_since_epoch() / std::chrono::milliseconds(1));
}

}  // extern "C"
