// DatagramSocket: UDP as the resolver sees it. Pull model; a received datagram schedules the owner's task.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "net/ip_address.h"

namespace sallyport::net {

class DatagramSocket {
 public:
  struct Received {
    Endpoint from;
    std::size_t length = 0;
  };

  /// Sends from a fresh random local port (RFC 5452: id and port are both unpredictable). False: no route or no buffer.
  virtual bool send(const Endpoint& to, std::span<const std::byte> payload) = 0;
  /// The oldest datagram, cut to into.size(); nullopt when none. Only replies from an address that was sent to, to the
  /// port that was used, arrive here.
  virtual std::optional<Received> receive(std::span<std::byte> into) = 0;

 protected:
  ~DatagramSocket() = default;
};

}  // namespace sallyport::net
