#include "net/tls/client_hello.h"

namespace sallyport::net::tls {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::byte record_handshake{22}, message_client_hello{1};
constexpr std::size_t record_header = 5, message_header = 4, version_and_random = 2 + 32;

std::size_t u8(Bytes bytes, std::size_t at) { return std::to_integer<std::size_t>(bytes[at]); }
std::size_t u16(Bytes bytes, std::size_t at) { return u8(bytes, at) << 8 | u8(bytes, at + 1); }

}  // namespace

bool client_hello_offers(Bytes bytes, std::uint16_t suite) {
  constexpr std::size_t session_id = record_header + message_header + version_and_random;
  if (bytes.size() <= session_id) return false;
  if (bytes[0] != record_handshake || bytes[record_header] != message_client_hello) return false;
  const std::size_t suites = session_id + 1 + u8(bytes, session_id);
  if (bytes.size() < suites + 2) return false;
  const std::size_t end = suites + 2 + u16(bytes, suites);
  for (std::size_t at = suites + 2; at + 2 <= end && at + 2 <= bytes.size(); at += 2)
    if (u16(bytes, at) == suite) return true;
  return false;
}

}  // namespace sallyport::net::tls
