// ByteStream: one TCP connection as the layers above see it. Pull model: received bytes stay with the stream, and the
// peer's window stays closed, until they are consumed. Nothing here calls back; a change schedules the Task given at
// construction, and the task looks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "net/ip_address.h"

namespace sallyport::net {

enum class ByteStreamState : std::uint8_t {
  idle,        // never opened
  connecting,  // SYN sent
  open,
  closed,  // both directions are done, or it failed: see failure()
};

enum class ConnectError : std::uint8_t {
  none,
  refused,      // RST to our SYN
  timed_out,    // no answer, or the peer stopped acknowledging
  reset,        // RST later
  unreachable,  // no route, or no address of that family on this side
  no_resources  // a pool of ours is used up
};

std::string_view to_text(ConnectError error);

class ByteStream {
 public:
  virtual ByteStreamState state() const = 0;
  virtual ConnectError failure() const = 0;
  virtual Endpoint remote() const = 0;

  /// The next received bytes that are contiguous in memory; empty when none. Valid until consume().
  virtual std::span<const std::byte> peek() const = 0;
  /// Frees the first `count` bytes of peek() and opens the peer's window by as much.
  virtual void consume(std::size_t count) = 0;
  /// The peer has sent FIN and everything before it was consumed.
  virtual bool end_of_stream() const = 0;

  /// Bytes that write() would take now.
  virtual std::size_t write_room() const = 0;
  /// Takes all or a part (copied); the task is scheduled when there is room again.
  virtual std::size_t write(std::span<const std::byte> bytes) = 0;
  /// Sends what was written so far without waiting for more.
  virtual void flush() = 0;
  /// The peer has acknowledged everything that was written.
  virtual bool all_acknowledged() const = 0;

  /// FIN after everything written; reading may go on. Idempotent.
  virtual void close() = 0;
  /// RST; closed at once.
  virtual void abort() = 0;

 protected:
  ~ByteStream() = default;
};

}  // namespace sallyport::net
