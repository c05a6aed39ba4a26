#include "net/byte_stream.h"

namespace sallyport::net {

std::string_view to_text(ConnectError error) {
  switch (error) {
    case ConnectError::none: return "no error";
    case ConnectError::refused: return "the peer refused the connection";
    case ConnectError::timed_out: return "the peer did not answer in time";
    case ConnectError::reset: return "the peer reset the connection";
    case ConnectError::unreachable: return "there is no route to the peer";
    case ConnectError::no_resources: return "all connections of this side are in use";
  }
  return "unknown error";
}

}  // namespace sallyport::net
