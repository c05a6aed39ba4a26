// StreamDialer: TCP connections to elsewhere for those above the network stack that need one for a moment (DNS answers
// too long for UDP, CRL retrieval). Only the external side has one: nothing is dialled inwards.
#pragma once

#include "hal/base/task_queue.h"
#include "net/byte_stream.h"
#include "net/ip_address.h"

namespace sallyport::net {

class StreamDialer {
 public:
  /// A stream in state connecting, whose changes schedule `owner`; nullptr when none is free or nothing leads there.
  virtual ByteStream* dial(const Endpoint& to, Task& owner) = 0;
  /// Takes the stream back in any state; it is aborted unless it is closed. `owner` hears nothing more of it.
  virtual void hang_up(ByteStream& stream) = 0;

 protected:
  ~StreamDialer() = default;
};

}  // namespace sallyport::net
