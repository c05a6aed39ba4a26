#include "net/lwip/interface.h"

#include <algorithm>

#include "hal/base/assert.h"
#include "hal/base/log.h"
#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "net/lwip/address_conversion.h"
#include "net/lwip/connection.h"
#include "netif/ethernet.h"

namespace sallyport::net {
namespace {

constexpr const char* log_module = "net/lwip";

constexpr auto link_poll_interval = 250ms;
constexpr std::uint16_t ethernet_mtu = 1500;
/// The smallest MTU that every IPv6 path has (RFC 8200 5). Held to it, neither side's segments ever need path MTU
/// discovery, and ICMPv6 "packet too big", which anybody can forge, need not be believed.
constexpr std::uint16_t v6_mtu = 1280;

constexpr s8_t link_local_index = 0;
constexpr s8_t global_index = 1;

constexpr std::size_t max_transmit_parts = 8;

ip4_addr_t netmask_of(const IpPrefix& prefix) {
  ip4_addr_t mask;
  mask.addr = prefix.length == 0 ? 0 : lwip_htonl(0xFFFFFFFFU << (32 - prefix.length));
  return mask;
}

/// lwIP numbers all its packets, of both interfaces, from one counter: an observer outside could count the packets
/// inside (and scan others through us). RFC 6864 lets the number be anything that does not repeat soon.
void replace_identification(const pbuf& packet, Stack& stack) {
  if (packet.len < SIZEOF_ETH_HDR + IP_HLEN) return;
  auto* ethernet = static_cast<eth_hdr*>(packet.payload);
  if (ethernet->type != PP_HTONS(ETHTYPE_IP)) return;
  auto* ip = reinterpret_cast<ip_hdr*>(static_cast<std::uint8_t*>(packet.payload) + SIZEOF_ETH_HDR);
  const std::uint16_t identification = stack.packet_identification();
  // RFC 1624 eqn. 3.
  std::uint32_t sum = std::uint32_t{static_cast<std::uint16_t>(~IPH_CHKSUM(ip))} +
                      static_cast<std::uint16_t>(~IPH_ID(ip)) + identification;
  sum = (sum >> 16) + (sum & 0xFFFF);
  sum += sum >> 16;
  IPH_ID_SET(ip, identification);
  IPH_CHKSUM_SET(ip, static_cast<std::uint16_t>(~sum));
}

/// Of an admitted TCP frame: where its TCP header begins.
const std::uint8_t* tcp_header_of(const hal::ReceivedFrame& frame) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.buffer.data());
  return bytes + ethernet_header_bytes + (bytes[12] == 0x86 ? IP6_HLEN : IP_HLEN);
}

bool is_syn(const hal::ReceivedFrame& frame) {
  return (tcp_header_of(frame)[13] & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

IpAddress address_v4_at(const std::uint8_t* bytes) { return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}); }

IpAddress address_v6_at(const std::uint8_t* bytes) {
  std::array<std::uint8_t, 16> address;
  std::copy_n(bytes, address.size(), address.begin());
  return IpAddress::v6(address);
}

}  // namespace

InterfaceBody::InterfaceBody(Stack& stack, hal::EthernetMac& mac, const SideCapacity& capacity, std::string_view name,
                             std::uint16_t listen_port, std::span<ReceiveBuffer> buffers)
    : stack_(stack),
      mac_(mac),
      name_(name),
      listen_port_(listen_port),
      filter_(*this),
      neighbors_(*this),
      echo_rate_(50, 20ms),
      error_rate_(50, 20ms),
      neighbor_rate_(200, 5ms),
      tcp_(stack, *this, mac, capacity) {
  for (ReceiveBuffer& buffer : buffers) {
    buffer.owner = this;
    buffer.header.custom_free_function = release_buffer;
    buffer.next_free = free_buffers_;
    free_buffers_ = &buffer;
  }
}

InterfaceBody::~InterfaceBody() {
  if (!up_) return;
  tcp_.abandon_all();
  netif_remove(&netif_);
  stack_.remove(*this);
}

void InterfaceBody::bring_up(const InterfaceSettings& settings) {
  SALLYPORT_ASSERT(mac_.receive_buffers() <= tcp_.capacity().receive_buffers);
  if (!up_) initialise_netif();
  settings_ = settings;

  set_v4_address();
  set_v6_addresses();
  configure_filter();
  neighbors_.clear();
  stack_.addresses_changed();
  if (link_up_) announce();
  poll_link(stack_.now());
}

void InterfaceBody::set_v4_address() {
  const auto to_v4 = [this](const IpAddress& address) {
    const ip_addr_t converted = to_lwip(address, netif_);
    return *ip_2_ip4(&converted);
  };
  ip4_addr_t address{}, mask{}, gateway{};
  if (settings_.v4) {
    address = to_v4(settings_.v4->address);
    mask = netmask_of(*settings_.v4);
  }
  if (settings_.gateway_v4) gateway = to_v4(*settings_.gateway_v4);
  netif_set_addr(&netif_, &address, &mask, &gateway);
}

void InterfaceBody::set_v6_addresses() {
  if (ip6_addr_isinvalid(netif_ip6_addr_state(&netif_, link_local_index)))
    netif_create_ip6_linklocal_address(&netif_, 1);
  if (!settings_.v6) return netif_ip6_addr_set_state(&netif_, global_index, IP6_ADDR_INVALID);
  const ip_addr_t global = to_lwip(settings_.v6->address, netif_);
  if (ip6_addr_eq(netif_ip6_addr(&netif_, global_index), ip_2_ip6(&global)) &&
      !ip6_addr_isinvalid(netif_ip6_addr_state(&netif_, global_index)))
    return;
  netif_ip6_addr_set(&netif_, global_index, ip_2_ip6(&global));
  netif_ip6_addr_set_state(&netif_, global_index, IP6_ADDR_TENTATIVE);  // duplicate address detection, RFC 4862 5.4
}

bool InterfaceBody::poll(std::size_t max_frames) {
  if (!up_) return false;
  poll_link(stack_.now());
  if (transmit_blocked_) retry_transmission();
  tcp_.send_due_acknowledgments();
  for (std::size_t i = 0; i < max_frames; ++i) {
    const hal::ReceivedFrame frame = mac_.receive();
    if (!frame) return i != 0;
    receive(frame);
  }
  return true;
}

std::optional<IpAddress> InterfaceBody::local_address(const IpAddress& remote) const {
  if (remote.family() == IpFamily::v4) return settings_.v4 ? std::optional(settings_.v4->address) : std::nullopt;
  const s8_t wanted = remote.is_link_local() ? link_local_index : global_index;
  if (!ip6_addr_isvalid(netif_ip6_addr_state(&netif_, wanted))) return std::nullopt;
  return from_lwip(*netif_ip6_addr(&netif_, wanted));
}

bool InterfaceBody::has_route(const IpAddress& remote) const { return local_address(remote) && next_hop(remote); }

bool InterfaceBody::is_on_link(const IpAddress& address) const {
  if (address.family() == IpFamily::v4) return settings_.v4 && settings_.v4->contains(address);
  return address.is_link_local() || (settings_.v6 && settings_.v6->contains(address));
}

std::optional<IpAddress> InterfaceBody::next_hop(const IpAddress& destination) const {
  if (is_on_link(destination)) return destination;
  return destination.family() == IpFamily::v4 ? settings_.gateway_v4 : settings_.gateway_v6;
}

bool InterfaceBody::owns(const IpAddress& address) const {
  const FilterSettings& ours = filter_.settings();
  const auto is = [&](const std::optional<IpPrefix>& prefix) { return prefix && prefix->address == address; };
  return is(ours.v4) || is(ours.v6_global) || is(ours.v6_link_local);
}

void InterfaceBody::other_side_changed(const InterfaceSettings& other) {
  FilterSettings settings = filter_.settings();
  settings.other_v4 = other.v4;
  settings.other_v6 = other.v6;
  filter_.configure(settings);
}

// ---- frames ------------------------------------------------------------------------------------------------------------

void InterfaceBody::initialise_netif() {
  const auto initialise = [](netif* interface) -> err_t {
    InterfaceBody& self = of(*interface);
    interface->name[0] = self.name_[0];
    interface->name[1] = self.name_[1];
    interface->output = output_v4;
    interface->output_ip6 = output_v6;
    interface->linkoutput = link_output;
    interface->mtu = ethernet_mtu;
    interface->hwaddr_len = ETH_HWADDR_LEN;
    std::copy_n(self.mac_.address().begin(), ETH_HWADDR_LEN, interface->hwaddr);
    interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    return ERR_OK;
  };
  netif* added = netif_add_noaddr(&netif_, this, initialise, ip_input);
  SALLYPORT_ASSERT(added != nullptr);
  netif_.mtu6 = v6_mtu;
  netif_set_up(&netif_);
  stack_.add(*this);
  up_ = true;
}

void InterfaceBody::configure_filter() {
  FilterSettings settings = filter_.settings();
  settings.mac = mac_.address();
  settings.listen_port = listen_port_;
  settings.v4 = settings_.v4;
  settings.v6_global = settings_.v6;
  settings.v6_link_local = IpPrefix{from_lwip(*netif_ip6_addr(&netif_, link_local_index)), 64};
  filter_.configure(settings);
}

void InterfaceBody::poll_link(Instant now) {
  if (now < next_link_poll_) return;
  next_link_poll_ = now + link_poll_interval;
  const bool link = mac_.link_up();
  if (link != link_up_) {
    link_up_ = link;
    log(LogLevel::notice, log_module, "%.*s: link %s", SALLYPORT_SV(name_), link ? "up" : "down");
    link ? link_came_up() : netif_set_link_down(&netif_);
    netif_.mtu6 = v6_mtu;  // netif_set_link_down() resets it
  }
  neighbors_.poll(now);
  for (UdpExpectations* socket = sockets_.front(); socket != nullptr; socket = sockets_.after(*socket))
    socket->expire(now);
}

void InterfaceBody::link_came_up() {
  netif_set_link_up(&netif_);
  neighbors_.clear();
  announce();
  tcp_.retransmit_all();
}

void InterfaceBody::announce() {
  if (settings_.v4) send_neighbor_frame(make_announcement({mac_.address(), settings_.v4->address}));
  for (s8_t i : {link_local_index, global_index})
    if (ip6_addr_isvalid(netif_ip6_addr_state(&netif_, i)))
      send_neighbor_frame(make_announcement({mac_.address(), from_lwip(*netif_ip6_addr(&netif_, i))}));
}

void InterfaceBody::receive(const hal::ReceivedFrame& frame) {
  const FrameVerdict verdict = filter_.check(frame.buffer.first(frame.length));
  if (!verdict.admitted()) {
    ++counters_.refused;
    ++counters_.by_reason[static_cast<std::size_t>(verdict.refusal)];
    return mac_.release(frame);
  }
  if (!within_rate(verdict.kind)) {
    ++counters_.rate_limited;
    return mac_.release(frame);
  }
  ++counters_.admitted;
  switch (verdict.kind) {
    case FrameKind::icmp_error: handle_icmp_error(frame); return mac_.release(frame);
    case FrameKind::arp:
    case FrameKind::neighbor_discovery: handle_neighbor(frame); return mac_.release(frame);
    case FrameKind::tcp: return deliver_segment(frame);
    default: return deliver(frame);
  }
}

bool InterfaceBody::within_rate(FrameKind kind) {
  if (kind == FrameKind::echo_request) return echo_rate_.take(stack_.now());
  if (kind == FrameKind::icmp_error) return error_rate_.take(stack_.now());
  if (kind == FrameKind::arp || kind == FrameKind::neighbor_discovery) return neighbor_rate_.take(stack_.now());
  return true;
}

/// RFC 5461 4.2: while we are connecting, an error about our SYN means "try the next address"; later it means nothing.
/// The sequence number must be our SYN's: nobody who cannot see it can stop a connection attempt.
void InterfaceBody::handle_icmp_error(const hal::ReceivedFrame& frame) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.buffer.data());
  const bool v6 = bytes[12] == 0x86;
  const std::size_t header = v6 ? IP6_HLEN : IP_HLEN;
  const std::uint8_t* quoted = bytes + ethernet_header_bytes + header + 8;
  if (v6 ? quoted[0] >> 4 != 6 || quoted[6] != IP_PROTO_TCP : quoted[0] != 0x45 || quoted[9] != IP_PROTO_TCP) return;
  const std::uint8_t* tcp = quoted + header;
  const auto u16 = [tcp](std::size_t at) { return static_cast<std::uint16_t>(tcp[at] << 8 | tcp[at + 1]); };
  const std::uint32_t sequence = static_cast<std::uint32_t>(u16(4)) << 16 | u16(6);
  const IpAddress remote = v6 ? address_v6_at(quoted + 24) : address_v4_at(quoted + 16);
  Flow* flow = stack_.flows().find(*this, to_lwip(remote, netif_), u16(2), u16(0));
  if (flow == nullptr || flow->connection == nullptr || flow->pcb.state != SYN_SENT) return;
  if (sequence == flow->pcb.lastack) flow->connection->unreachable();
}

void InterfaceBody::deliver(const hal::ReceivedFrame& frame) {
  ReceiveBuffer* buffer = free_buffers_;
  SALLYPORT_ASSERT(buffer != nullptr);  // one per buffer of the controller
  free_buffers_ = buffer->next_free;
  buffer->frame = frame;
  pbuf* packet = pbuf_alloced_custom(PBUF_RAW, static_cast<u16_t>(frame.length), PBUF_REF, &buffer->header,
                                     frame.buffer.data(), static_cast<u16_t>(frame.buffer.size()));
  SALLYPORT_ASSERT(packet != nullptr);
  pbuf_remove_header(packet, ethernet_header_bytes);
  if (netif_.input(packet, &netif_) != ERR_OK) pbuf_free(packet);
}

/// lwIP looks for a segment's PCB along the list of all, which takes longer the more streams there are. We know the
/// PCB, or that there is none, so for this one call the list begins at the PCB, or is empty.
void InterfaceBody::deliver_segment(const hal::ReceivedFrame& frame) {
  const Flow* flow = flow_of_segment(frame);
  if (flow == nullptr && is_syn(frame)) tcp_.make_room_for_half_open();  // now: of a hidden list lwIP can free nothing
  tcp_pcb* const pcb = flow != nullptr && flow->pcb.state != TIME_WAIT ? &flow->pcb : nullptr;
  tcp_pcb* const all = tcp_active_pcbs;
  tcp_active_pcbs = pcb;
  deliver(frame);
  if (pcb == nullptr) {  // a SYN may have made one
    (tcp_active_pcbs == nullptr ? tcp_active_pcbs : tcp_active_pcbs->next) = all;
  } else if (tcp_active_pcbs == pcb) {
    tcp_active_pcbs = all;
  } else if (all != pcb) {  // the PCB has left the list, and the one before it does not know
    tcp_pcb* before = all;
    while (before->next != pcb) before = before->next;
    before->next = tcp_active_pcbs;
    tcp_active_pcbs = all;
  }
}

Flow* InterfaceBody::flow_of_segment(const hal::ReceivedFrame& frame) const {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.buffer.data());
  const bool v6 = bytes[12] == 0x86;
  const std::uint8_t* ip = bytes + ethernet_header_bytes;
  const std::uint8_t* tcp = tcp_header_of(frame);
  const auto u16 = [tcp](std::size_t at) { return static_cast<std::uint16_t>(tcp[at] << 8 | tcp[at + 1]); };
  const IpAddress remote = v6 ? address_v6_at(ip + 8) : address_v4_at(ip + 12);
  return stack_.flows().find(*this, to_lwip(remote, netif_), u16(0), u16(2));
}

void InterfaceBody::handle_neighbor(const hal::ReceivedFrame& frame) {
  const auto bytes = frame.buffer.first(frame.length);
  const auto message = parse_neighbor_message(bytes);
  if (!message) return;
  hal::MacAddress source;
  std::transform(bytes.begin() + 6, bytes.begin() + 12, source.begin(),
                 [](std::byte byte) { return std::uint8_t(byte); });
  if (message->kind == NeighborMessage::Kind::solicitation) {
    handle_solicitation(*message, source);
  } else {
    handle_advertisement(*message);
  }
}

void InterfaceBody::handle_solicitation(const NeighborMessage& message, const hal::MacAddress& source) {
  if (!message.sender.is_unspecified() && message.mac) neighbors_.hear(message.sender, *message.mac, stack_.now());
  if (!owns(message.target)) return;  // an IPv4 announcement
  if (is_tentative(message.target)) {
    // RFC 4862 5.4.3: somebody else tries to have the address; nobody has it yet.
    if (message.sender.is_unspecified()) address_is_taken(message.target);
    return;
  }
  const LinkEndpoint asker{message.mac.value_or(source), message.sender};
  send_neighbor_frame(make_advertisement({mac_.address(), message.target}, asker));
}

void InterfaceBody::handle_advertisement(const NeighborMessage& message) {
  if (message.sender.family() == IpFamily::v4) return neighbors_.confirm(message.sender, *message.mac, stack_.now());
  if (owns(message.target)) {
    if (is_tentative(message.target)) address_is_taken(message.target);
    return;
  }
  const auto known = neighbors_.find(message.target);
  const auto mac = message.mac ? message.mac : known;
  if (!mac || (known && *known != *mac && !message.override_mac)) return;  // RFC 4861 7.2.5
  if (message.solicited) {
    neighbors_.confirm(message.target, *mac, stack_.now());
  } else {
    neighbors_.hear(message.target, *mac, stack_.now());
  }
}

bool InterfaceBody::is_tentative(const IpAddress& address) const {
  const ip_addr_t wanted = to_lwip(address, netif_);
  if (!IP_IS_V6_VAL(wanted)) return false;
  for (s8_t i : {link_local_index, global_index})
    if (ip6_addr_eq(netif_ip6_addr(&netif_, i), ip_2_ip6(&wanted)))
      return ip6_addr_istentative(netif_ip6_addr_state(&netif_, i));
  return false;
}

void InterfaceBody::address_is_taken(const IpAddress& address) {
  log(LogLevel::error, log_module, "%.*s: another host on the link has our address %s", SALLYPORT_SV(name_),
      address.text().c_str());
  const ip_addr_t taken = to_lwip(address, netif_);
  const s8_t at = netif_get_ip6_addr_match(&netif_, ip_2_ip6(&taken));
  if (at >= 0) netif_ip6_addr_set_state(&netif_, at, IP6_ADDR_DUPLICATED);
}

err_t InterfaceBody::output_v4(netif* interface, pbuf* packet, const ip4_addr_t* destination) {
  return of(*interface).output(*packet, from_lwip(*destination));
}

err_t InterfaceBody::output_v6(netif* interface, pbuf* packet, const ip6_addr_t* destination) {
  return of(*interface).output(*packet, from_lwip(*destination));
}

err_t InterfaceBody::output(pbuf& packet, const IpAddress& destination) {
  if (destination.is_multicast()) {
    const auto bytes = destination.bytes();
    if (destination.family() == IpFamily::v4) return ERR_RTE;
    return send_to({0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]}, packet, IpFamily::v6);  // RFC 2464 7
  }
  const auto hop = next_hop(destination);
  return hop ? neighbors_.send(packet, *hop, stack_.now()) : err_t{ERR_RTE};
}

void InterfaceBody::solicit(const IpAddress& target, const std::optional<hal::MacAddress>& known) {
  auto source = local_address(target);
  if (!source && target.family() == IpFamily::v6) source = from_lwip(*netif_ip6_addr(&netif_, link_local_index));
  if (source) send_neighbor_frame(make_solicitation({mac_.address(), *source}, target, known));
}

err_t InterfaceBody::send_to(const hal::MacAddress& destination, pbuf& packet, IpFamily family) {
  eth_addr to, from;
  std::copy(destination.begin(), destination.end(), to.addr);
  std::copy_n(mac_.address().begin(), ETH_HWADDR_LEN, from.addr);
  return ethernet_output(&netif_, &packet, &from, &to, family == IpFamily::v4 ? ETHTYPE_IP : ETHTYPE_IPV6);
}

/// When the ring is full the frame is lost, and asked for again.
void InterfaceBody::send_neighbor_frame(const NeighborFrame& frame) {
  const std::array<std::span<const std::byte>, 1> parts{frame.view()};
  static_cast<void>(mac_.transmit(parts));
}

void InterfaceBody::release_buffer(pbuf* packet) {
  ReceiveBuffer& buffer = *reinterpret_cast<ReceiveBuffer*>(packet);
  InterfaceBody& self = *buffer.owner;
  self.mac_.release(buffer.frame);
  buffer.next_free = self.free_buffers_;
  self.free_buffers_ = &buffer;
}

std::size_t InterfaceBody::tail_room(const pbuf& packet) {
  if ((packet.flags & PBUF_FLAG_IS_CUSTOM) == 0 || packet.ref != 1) return 0;
  const ReceiveBuffer& buffer = reinterpret_cast<const ReceiveBuffer&>(packet);
  if (buffer.header.custom_free_function != release_buffer) return 0;
  const std::byte* end = static_cast<const std::byte*>(packet.payload) + packet.len;
  return static_cast<std::size_t>(buffer.frame.buffer.data() + buffer.frame.buffer.size() - end);
}

err_t InterfaceBody::link_output(netif* interface, pbuf* packet) { return of(*interface).transmit(*packet); }

err_t InterfaceBody::transmit(const pbuf& packet) {
  replace_identification(packet, stack_);
  std::array<std::span<const std::byte>, max_transmit_parts> parts;
  std::size_t count = 0;
  for (const pbuf* part = &packet; part != nullptr; part = part->next) {
    SALLYPORT_ASSERT(count < parts.size());
    parts[count++] = {static_cast<const std::byte*>(part->payload), part->len};
  }
  if (mac_.transmit(std::span(parts).first(count))) return ERR_OK;
  transmit_blocked_ = true;
  return ERR_MEM;
}

void InterfaceBody::retry_transmission() {
  transmit_blocked_ = false;
  tcp_txnow();
}

// ---- what the filter asks ---------------------------------------------------------------------------------------------

bool InterfaceBody::tcp_expected(const Endpoint& remote, std::uint16_t local_port) const {
  const Flow* flow = stack_.flows().find(*this, to_lwip(remote.address, netif_), remote.port, local_port);
  return flow != nullptr && flow->initiated;
}

bool InterfaceBody::udp_expected(const Endpoint& remote, std::uint16_t local_port) const {
  auto& sockets = const_cast<IntrusiveList<UdpExpectations>&>(sockets_);
  for (UdpExpectations* socket = sockets.front(); socket != nullptr; socket = sockets.after(*socket))
    if (socket->expects(remote, local_port)) return true;
  return false;
}

}  // namespace sallyport::net
