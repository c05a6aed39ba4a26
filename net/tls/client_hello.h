// A glance at a ClientHello before the library reads it: which suites are offered (RFC 8446 4.1.2).
//
// Mbed TLS 3.6 as a TLS 1.3 server takes the first suite of the client's list that it has, whatever its own order says,
// and nearly all clients put AES-GCM first. Here that costs 2.6 times as much as ChaCha20-Poly1305 (net/tls/README.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::net::tls {

/// Whether the record that `bytes` begin with is a ClientHello that offers `suite`. False as well when too little of it
/// is there, or when it is damaged: the library will say so.
bool client_hello_offers(std::span<const std::byte> bytes, std::uint16_t suite);

}  // namespace sallyport::net::tls
