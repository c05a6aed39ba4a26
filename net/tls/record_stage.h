// RecordStage: collects small writes of one session into one TLS record. There is a single stage for all sessions: the
// loop works on one at a time, and a session that finds the stage occupied makes its owner encrypt first. So a stanza
// written in three pieces, or five stanzas in one run, cost one record, and an idle session holds no buffer for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace sallyport::net::tls {

class SecureConnection;

class RecordStage {
 public:
  /// The largest plaintext we send in a record: MBEDTLS_SSL_OUT_CONTENT_LEN less TLS 1.3's inner content type.
  static constexpr std::size_t capacity = 4095;

  SecureConnection* owner() const { return owner_; }
  std::span<const std::byte> content() const { return {bytes_.data(), size_}; }
  std::size_t room() const { return capacity - size_; }

  /// Bytes taken. The stage must be free or the caller's own.
  std::size_t append(SecureConnection& owner, std::span<const std::byte> bytes) {
    const std::size_t count = std::min(bytes.size(), room());
    std::copy_n(bytes.begin(), count, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += count;
    owner_ = &owner;
    return count;
  }

  void clear() {
    size_ = 0;
    owner_ = nullptr;
  }

 private:
  SecureConnection* owner_ = nullptr;
  std::size_t size_ = 0;
  std::array<std::byte, capacity> bytes_;
};

}  // namespace sallyport::net::tls
