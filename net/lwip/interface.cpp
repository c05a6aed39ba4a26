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

/// A half-open connection younger than this is not given up for a newer one: its peer's ACK may be on its way, and
/// would be answered with a reset. A SYN that finds no place is dropped instead, and comes again.
constexpr auto half_open_patience = 500ms;

constexpr std::size_t max_transmit_parts = 8;

/// Of the receive pool, what is kept for connections that hold nothing, and for segments without data.
constexpr std::size_t low_pool_fraction = 8;
constexpr std::size_t reserved_pool_fraction = 16;

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
      capacity_(capacity),
      name_(name),
      listen_port_(listen_port),
      filter_(*this),
      neighbors_(*this),
      echo_rate_(50, 20ms),
      error_rate_(50, 20ms),
      neighbor_rate_(200, 5ms),
      budget_(capacity.shared_blocks) {
  for (ReceiveBuffer& buffer : buffers) {
    buffer.owner = this;
    buffer.header.custom_free_function = release_buffer;
    buffer.next_free = free_buffers_;
    free_buffers_ = &buffer;
  }
}

InterfaceBody::~InterfaceBody() {
  if (!up_) return;
  for (auto& flows : flows_)
    while (Flow* flow = flows.front()) tcp_abandon(&flow->pcb, 0);
  netif_remove(&netif_);
  stack_.remove(*this);
}

void InterfaceBody::bring_up(const InterfaceSettings& settings) {
  SALLYPORT_ASSERT(mac_.receive_buffers() <= capacity_.receive_buffers);
  if (!up_) initialise_netif();
  settings_ = settings;

  ip4_addr_t address{}, mask{}, gateway{};
  if (settings.v4) {
    address = *ip_2_ip4(&static_cast<const ip_addr_t&>(to_lwip(settings.v4->address, netif_)));
    mask = netmask_of(*settings.v4);
  }
  if (settings.gateway_v4) gateway = *ip_2_ip4(&static_cast<const ip_addr_t&>(to_lwip(*settings.gateway_v4, netif_)));
  netif_set_addr(&netif_, &address, &mask, &gateway);

  if (ip6_addr_isinvalid(netif_ip6_addr_state(&netif_, link_local_index)))
    netif_create_ip6_linklocal_address(&netif_, 1);
  if (settings.v6) {
    const ip_addr_t global = to_lwip(settings.v6->address, netif_);
    if (!ip6_addr_eq(netif_ip6_addr(&netif_, global_index), ip_2_ip6(&global))) {
      netif_ip6_addr_set(&netif_, global_index, ip_2_ip6(&global));
      netif_ip6_addr_set_state(&netif_, global_index, IP6_ADDR_TENTATIVE);  // duplicate address detection, RFC 4862 5.4
    }
  } else {
    netif_ip6_addr_set_state(&netif_, global_index, IP6_ADDR_INVALID);
  }

  configure_filter();
  neighbors_.clear();
  stack_.addresses_changed();
  if (link_up_) announce();
  poll_link(stack_.now());
}

bool InterfaceBody::poll(std::size_t max_frames) {
  if (!up_) return false;
  poll_link(stack_.now());
  if (transmit_blocked_) retry_transmission();
  for (std::size_t i = 0; i < max_frames; ++i) {
    const hal::ReceivedFrame frame = mac_.receive();
    if (!frame) return i != 0;
    receive(frame);
  }
  return true;
}

TcpCounters InterfaceBody::tcp_counters() const {
  const auto count = [this](FlowStage stage) { return flows_[index(stage)].size(); };
  return {count(FlowStage::owned), count(FlowStage::half_open), count(FlowStage::closing),
          half_open_evicted_,      refused_connections_,        shed_segments_,
          strong_host_refusals_};
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

/// What was in flight goes out again at once instead of at the end of a long back-off.
void InterfaceBody::link_came_up() {
  netif_set_link_up(&netif_);
  neighbors_.clear();
  announce();
  for (FlowStage stage : {FlowStage::owned, FlowStage::closing}) {
    for (Flow* flow = list_of(stage).front(); flow != nullptr; flow = list_of(stage).after(*flow)) {
      if (flow->pcb.unacked == nullptr) continue;
      flow->pcb.nrtx = 0;
      tcp_rexmit_rto(&flow->pcb);
    }
  }
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
  if (flow == nullptr && is_syn(frame)) make_room_for_half_open();  // now: of a hidden list lwIP can free nothing
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

// ---- flows: quotas and budgets -----------------------------------------------------------------------------------------

Flow& InterfaceBody::flow_of(tcp_pcb& pcb) {
  auto* flow = static_cast<Flow*>(tcp_ext_arg_get(&pcb, 0));
  SALLYPORT_ASSERT(flow != nullptr);
  return *flow;
}

Flow& InterfaceBody::track(tcp_pcb& pcb, FlowStage stage, bool initiated) {
  static constexpr tcp_ext_arg_callbacks callbacks{on_flow_destroyed, on_passive_open};
  Flow* flow = stack_.flows().add(*this, pcb, stage, initiated);
  SALLYPORT_ASSERT(flow != nullptr);  // one per PCB
  tcp_ext_arg_set_callbacks(&pcb, 0, &callbacks);
  tcp_ext_arg_set(&pcb, 0, flow);
  flow->began = stack_.now();
  list_of(stage).push_back(*flow);
  return *flow;
}

void InterfaceBody::set_stage(Flow& flow, FlowStage stage) {
  list_of(flow.stage).remove(flow);
  flow.stage = stage;
  list_of(stage).push_back(flow);
}

void InterfaceBody::own(Flow& flow, TcpConnection& connection) {
  flow.connection = &connection;
  if (flow.stage != FlowStage::owned) set_stage(flow, FlowStage::owned);
}

void InterfaceBody::leave(Flow& flow, Duration linger) {
  flow.connection = nullptr;
  tcp_pcb* pcb = &flow.pcb;
  tcp_arg(pcb, nullptr);
  tcp_recv(pcb, nullptr);
  tcp_err(pcb, nullptr);
  tcp_sent(pcb, on_orphan_sent);
  if (pcb->state == TIME_WAIT) return set_stage(flow, FlowStage::time_wait);
  make_room_for_closing();
  set_stage(flow, FlowStage::closing);
  set_deadline(flow, linger);
  // lwIP: after both directions are shut, data that still comes is answered with a reset, and FIN-WAIT-2 ends by
  // itself. tcp_close() may free the PCB: `flow` is gone then.
  tcp_close(pcb);
}

void InterfaceBody::make_room_for_closing() {
  auto& closing = list_of(FlowStage::closing);
  for (Flow* flow = closing.front(); flow != nullptr && closing.size() >= capacity_.closing;) {
    Flow* next = closing.after(*flow);
    if (flow->pcb.state == TIME_WAIT) set_stage(*flow, FlowStage::time_wait);
    flow = next;
  }
  if (closing.size() >= capacity_.closing) tcp_abort(&closing.front()->pcb);
}

void InterfaceBody::set_deadline(Flow& flow, Duration after) {
  constexpr auto tick = std::chrono::milliseconds(TCP_SLOW_INTERVAL);
  flow.deadline = std::max<std::uint32_t>(1, tcp_ticks + static_cast<std::uint32_t>(after / tick));
  tcp_poll(&flow.pcb, on_deadline_poll, 1);
}

err_t InterfaceBody::on_deadline_poll(void*, tcp_pcb* pcb) {
  const Flow& flow = flow_of(*pcb);
  if (static_cast<std::int32_t>(tcp_ticks - flow.deadline) < 0) return ERR_OK;
  tcp_abandon(pcb, pcb->state == SYN_SENT ? 0 : 1);  // lwIP allows it here, and wants to know
  return ERR_ABRT;
}

void InterfaceBody::make_room_for_half_open() {
  auto& half_open = list_of(FlowStage::half_open);
  if (half_open.size() < capacity_.half_open || stack_.now() - half_open.front()->began < half_open_patience) return;
  ++half_open_evicted_;
  tcp_abandon(&half_open.front()->pcb, 0);
}

err_t InterfaceBody::on_passive_open(u8_t, tcp_pcb_listen*, tcp_pcb* pcb) {
  InterfaceBody& self = of(*netif_get_by_index(pcb->netif_idx));
  self.stack_.flows().index(self.track(*pcb, FlowStage::half_open, false));
  return ERR_OK;
}

err_t InterfaceBody::on_orphan_sent(void*, tcp_pcb* pcb, u16_t) {
  Flow& flow = flow_of(*pcb);
  flow.interface.account(flow);
  return ERR_OK;
}

void InterfaceBody::on_flow_destroyed(u8_t, void* data) {
  Flow& flow = *static_cast<Flow*>(data);
  flow.interface.flow_destroyed(flow);
}

void InterfaceBody::flow_destroyed(Flow& flow) {
  if (flow.connection != nullptr) flow.connection->pcb_destroyed();
  budget_.account(flow.blocks, 0);
  list_of(flow.stage).remove(flow);
  stack_.flows().remove(flow);
}

void InterfaceBody::account(Flow& flow) {
  const std::uint16_t blocks = flow.pcb.snd_queuelen;
  budget_.account(flow.blocks, blocks);
  flow.blocks = blocks;
}

// ---- receiving under pressure ------------------------------------------------------------------------------------------

bool InterfaceBody::admit_data(tcp_pcb& pcb, std::uint32_t sequence, std::size_t length) {
  const Flow& flow = flow_of(pcb);
  const std::size_t free = mac_.receive_buffers_free();
  const std::size_t all = mac_.receive_buffers();
  const bool low = free * low_pool_fraction < all;
  if (low && !receive_pool_was_low_) free_out_of_order_data();
  receive_pool_was_low_ = low;

  const std::size_t held = flow.connection != nullptr ? flow.connection->receive_buffers_held() : 0;
  const bool in_order = sequence == pcb.rcv_nxt;
  const bool compacted = in_order && flow.connection != nullptr && flow.connection->receive_tail_room() >= length;
  bool admitted = held < TcpConnection::max_receive_buffers;
  if (low) admitted = in_order && held == 0 && free * reserved_pool_fraction >= all;
  if (admitted || compacted) return true;
  ++shed_segments_;
  return false;
}

void InterfaceBody::free_out_of_order_data() {
  for (FlowStage stage : {FlowStage::owned, FlowStage::closing})
    for (Flow* flow = list_of(stage).front(); flow != nullptr; flow = list_of(stage).after(*flow))
      if (flow->pcb.ooseq != nullptr) tcp_free_ooseq(&flow->pcb);
}

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
