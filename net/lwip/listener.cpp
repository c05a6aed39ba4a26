#include "net/lwip/listener.h"

#include "hal/base/assert.h"
#include "lwip/priv/tcp_priv.h"
#include "net/lwip/address_conversion.h"

namespace sallyport::net {

bool ListenerBody::open() {
  close();
  const InterfaceSettings& settings = interface_.settings();
  if (settings.v4) listening_[0] = listen(settings.v4->address);
  if (settings.v6) listening_[1] = listen(settings.v6->address);
  const bool complete = (!settings.v4 || listening_[0] != nullptr) && (!settings.v6 || listening_[1] != nullptr);
  if (!complete) close();
  return complete;
}

void ListenerBody::close() {
  for (tcp_pcb*& listening : listening_) {
    if (listening != nullptr) tcp_close(listening);
    listening = nullptr;
  }
}

tcp_pcb* ListenerBody::listen(const IpAddress& address) {
  static constexpr tcp_ext_arg_callbacks callbacks{nullptr, TcpQuota::on_passive_open};
  const ip_addr_t local = to_lwip(address, interface_.lwip_netif());
  tcp_pcb* pcb = tcp_new_ip_type(IP_GET_TYPE(&local));
  if (pcb == nullptr) return nullptr;
  tcp_bind_netif(pcb, &interface_.lwip_netif());
  if (tcp_bind(pcb, &local, interface_.listen_port()) != ERR_OK) {
    tcp_abandon(pcb, 0);
    return nullptr;
  }
  tcp_pcb* listening = tcp_listen_with_backlog(pcb, static_cast<u8_t>(interface_.tcp().capacity().half_open));
  if (listening == nullptr) {
    tcp_abandon(pcb, 0);
    return nullptr;
  }
  tcp_arg(listening, this);
  tcp_accept(listening, on_accept);
  tcp_ext_arg_set_callbacks(listening, 0, &callbacks);
  return listening;
}

err_t ListenerBody::on_accept(void* self, tcp_pcb* pcb, err_t error) {
  if (pcb == nullptr || error != ERR_OK) return ERR_VAL;
  auto& listener = *static_cast<ListenerBody*>(self);
  const Endpoint peer{from_lwip(pcb->remote_ip), pcb->remote_port};
  TcpConnection* connection = listener.interface_.tcp().may_own_another() ? listener.accept(peer) : nullptr;
  if (connection == nullptr) {
    listener.interface_.tcp().refuse_connection();
    return ERR_MEM;  // lwIP resets the connection
  }
  connection->adopt(TcpQuota::flow_of(*pcb), peer);
  listener.accepted(*connection);
  return ERR_OK;
}

}  // namespace sallyport::net
