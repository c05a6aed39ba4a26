#include "net/lwip/udp_socket.h"

#include <algorithm>

#include "net/lwip/address_conversion.h"

namespace sallyport::net {

UdpSocketBody::UdpSocketBody(InterfaceBody& interface, TaskQueue& tasks, Task& owner)
    : interface_(interface), tasks_(tasks), owner_(owner) {
  interface_.add(*this);
}

UdpSocketBody::~UdpSocketBody() {
  interface_.remove(*this);
  for (Query& query : queries_) close(query);
  for (std::size_t i = 0; i < waiting_count_; ++i) pbuf_free(waiting_[i].payload);
}

bool UdpSocketBody::send(const Endpoint& to, std::span<const std::byte> payload) {
  if (payload.size() > max_payload || !interface_.has_route(to.address)) return false;
  Query& query = oldest_query();
  close(query);
  if (!open(query, to)) return false;
  pbuf* packet = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(payload.size()), PBUF_RAM);
  if (packet == nullptr) {
    close(query);
    return false;
  }
  std::copy(payload.begin(), payload.end(), static_cast<std::byte*>(packet->payload));
  const bool sent = udp_send(query.pcb, packet) == ERR_OK;
  pbuf_free(packet);
  if (!sent) close(query);
  return sent;
}

std::optional<DatagramSocket::Received> UdpSocketBody::receive(std::span<std::byte> into) {
  if (waiting_count_ == 0) return std::nullopt;
  const Waiting first = waiting_[0];
  std::copy(waiting_.begin() + 1, waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_count_), waiting_.begin());
  --waiting_count_;
  const auto wanted = static_cast<u16_t>(std::min<std::size_t>(into.size(), first.payload->tot_len));
  const std::size_t length = pbuf_copy_partial(first.payload, into.data(), wanted, 0);
  pbuf_free(first.payload);
  return Received{first.from, length};
}

bool UdpSocketBody::expects(const Endpoint& remote, std::uint16_t local_port) const {
  return std::any_of(queries_.begin(), queries_.end(), [&](const Query& query) {
    return query.pcb != nullptr && query.pcb->local_port == local_port && query.to == remote;
  });
}

void UdpSocketBody::expire(Instant now) {
  for (Query& query : queries_)
    if (query.pcb != nullptr && now >= query.expires) close(query);
}

UdpSocketBody::Query& UdpSocketBody::oldest_query() {
  return *std::min_element(queries_.begin(), queries_.end(), [](const Query& left, const Query& right) {
    return (left.pcb == nullptr ? Instant{} : left.expires) < (right.pcb == nullptr ? Instant{} : right.expires);
  });
}

bool UdpSocketBody::open(Query& query, const Endpoint& to) {
  constexpr int attempts = 16;
  const netif& netif = interface_.lwip_netif();
  const ip_addr_t local = to_lwip(*interface_.local_address(to.address), netif);
  const ip_addr_t remote = to_lwip(to.address, netif);
  query.pcb = udp_new_ip_type(IP_GET_TYPE(&remote));
  if (query.pcb == nullptr) return false;
  query.to = to;
  query.expires = interface_.stack().now() + reply_time;
  udp_bind_netif(query.pcb, &netif);
  udp_recv(query.pcb, on_received, this);
  for (int i = 0; i < attempts; ++i)
    if (udp_bind(query.pcb, &local, interface_.stack().random_port()) == ERR_OK &&
        udp_connect(query.pcb, &remote, to.port) == ERR_OK)
      return true;
  close(query);
  return false;
}

void UdpSocketBody::close(Query& query) {
  if (query.pcb != nullptr) udp_remove(query.pcb);
  query.pcb = nullptr;
}

void UdpSocketBody::on_received(void* self, udp_pcb*, pbuf* payload, const ip_addr_t* from, u16_t port) {
  auto& socket = *static_cast<UdpSocketBody*>(self);
  if (socket.waiting_count_ == max_waiting) {
    pbuf_free(payload);
    return;
  }
  socket.waiting_[socket.waiting_count_++] = {payload, {from_lwip(*from), port}};
  socket.tasks_.schedule(socket.owner_);
}

}  // namespace sallyport::net
