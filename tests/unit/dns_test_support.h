// A small internet for the DNS tests: messages made byte by byte, servers with zones and with bad habits, TCP in
// memory, a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "hal/clock.h"
#include "hal/random.h"
#include "net/dns/message.h"
#include "net/stream_dialer.h"
#include "tests/fakes/fake_datagram_socket.h"
#include "tests/fakes/memory_byte_stream.h"

namespace sallyport::net::dns {

using Bytes = std::vector<std::byte>;

class TestClock final : public hal::MonotonicClock {
 public:
  Instant now() const override { return time; }
  Instant time = Instant{} + 100s;
};

/// Repeatable.
class TestRandom final : public hal::Random {
 public:
  void fill(std::span<std::byte> into) override {
    for (auto& byte : into) byte = static_cast<std::byte>(engine_() & 0xFF);
  }

 private:
  std::mt19937 engine_{20131};
};

inline IpAddress ip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(IpAddress());
}

inline Name name(std::string_view text) {
  const auto parsed = text == "." ? Name() : Name::from_text(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Name());
}

/// Puts a response together, right or wrong.
class MessageBuilder {
 public:
  static constexpr unsigned response = 0x8180;  // QR, RD, RA
  static constexpr unsigned truncated = 0x0200, authoritative = 0x0400, recursion_available = 0x0080;

  explicit MessageBuilder(unsigned id, unsigned flags = response) {
    for (const unsigned word : {id, flags, 0U, 0U, 0U, 0U}) u16(word);
  }

  MessageBuilder& u8(unsigned value) { return bytes_.push_back(static_cast<std::byte>(value)), *this; }
  MessageBuilder& u16(unsigned value) { return u8(value >> 8 & 0xFF).u8(value & 0xFF); }
  MessageBuilder& raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  MessageBuilder& host(std::string_view text) { return raw(name(text).wire()); }
  MessageBuilder& pointer(std::size_t to) { return u16(0xC000U | static_cast<unsigned>(to)); }

  MessageBuilder& question(const Question& asked) {
    return count(2).raw(asked.name.wire()).u16(static_cast<unsigned>(asked.type)).u16(1);
  }
  /// Sections: 3 answer, 4 authority, 5 additional.
  MessageBuilder& record(std::string_view owner, RecordType type, const Bytes& data, unsigned section = 3,
                         unsigned network_class = 1) {
    count(section).host(owner).u16(static_cast<unsigned>(type)).u16(network_class).u16(0).u16(300);
    return u16(static_cast<unsigned>(data.size())).raw(data);
  }
  /// Adds to a count of the header without adding anything: a lie.
  MessageBuilder& count(std::size_t word, int by = 1) {
    const int now = (static_cast<int>(bytes_[2 * word]) << 8 | static_cast<int>(bytes_[2 * word + 1])) + by;
    bytes_[2 * word] = static_cast<std::byte>(now >> 8 & 0xFF);
    bytes_[2 * word + 1] = static_cast<std::byte>(now & 0xFF);
    return *this;
  }

  std::size_t size() const { return bytes_.size(); }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

inline Bytes wire_of(std::string_view text) {
  const Name parsed = name(text);
  return {parsed.wire().begin(), parsed.wire().end()};
}

inline Bytes address_data(std::string_view text) {
  const IpAddress address = ip(text);
  const auto octets = std::as_bytes(address.bytes());
  return {octets.begin(), octets.end()};
}

inline Bytes service_data(unsigned priority, unsigned weight, unsigned port, std::string_view target) {
  Bytes data;
  for (const unsigned word : {priority, weight, port}) {
    data.push_back(static_cast<std::byte>(word >> 8));
    data.push_back(static_cast<std::byte>(word & 0xFF));
  }
  const Bytes host = wire_of(target);
  data.insert(data.end(), host.begin(), host.end());
  return data;
}

/// What a query says, read independently of the code under test's own reader.
struct SeenQuery {
  unsigned id = 0;
  unsigned flags = 0;
  Question question;
  bool edns = false;
  unsigned datagram_size = 0;

  static SeenQuery parse(std::span<const std::byte> message) {
    SeenQuery seen;
    const auto word = [&](std::size_t at) {
      return static_cast<unsigned>(message[at]) << 8 | static_cast<unsigned>(message[at + 1]);
    };
    seen.id = word(0), seen.flags = word(2);
    EXPECT_EQ(word(4), 1U);
    EXPECT_EQ(word(6), 0U);
    EXPECT_EQ(word(8), 0U);
    std::size_t at = header_bytes;
    for (std::size_t length = 0; (length = static_cast<std::size_t>(message[at])) != 0; at += 1 + length) {
      EXPECT_TRUE(seen.question.name.append_label(message.subspan(at + 1, length)));
    }
    seen.question.type = static_cast<RecordType>(word(at + 1));
    EXPECT_EQ(word(at + 3), 1U);
    at += 5;
    seen.edns = word(10) == 1;
    if (seen.edns) {
      EXPECT_EQ(message[at], std::byte{0});
      EXPECT_EQ(word(at + 1), 41U);
      seen.datagram_size = word(at + 3);
      at += 11;
    }
    EXPECT_EQ(at, message.size());
    return seen;
  }
};

/// TCP to the servers: the far end of each dialled stream is the test's.
class TestDialer final : public StreamDialer {
 public:
  explicit TestDialer(TaskQueue& tasks) : tasks_(tasks) {}

  struct Call {
    Endpoint to;
    std::unique_ptr<fakes::MemoryByteStream> near, far;
    bool hung_up = false;
  };

  ByteStream* dial(const Endpoint& to, Task& owner) override {
    if (refuse) return nullptr;
    Call call{to, std::make_unique<fakes::MemoryByteStream>(tasks_), std::make_unique<fakes::MemoryByteStream>(tasks_)};
    call.near->set_task(owner);
    if (connects) fakes::MemoryByteStream::join(*call.near, *call.far);
    if (connects) tasks_.schedule(owner);
    calls.push_back(std::move(call));
    return calls.back().near.get();
  }
  void hang_up(ByteStream& stream) override {
    for (auto& call : calls) {
      if (call.near.get() != &stream) continue;
      EXPECT_FALSE(call.hung_up);
      call.hung_up = true;
      if (stream.state() != ByteStreamState::closed) stream.abort();
      return;
    }
    FAIL() << "a stream that was never dialled";
  }
  std::size_t open() const { return static_cast<std::size_t>(std::ranges::count(calls, false, &Call::hung_up)); }

  bool refuse = false;     // dial() finds no free stream
  bool connects = true;    // else the SYN stays without answer
  std::deque<Call> calls;  // grows while one of them is served

 private:
  TaskQueue& tasks_;
};

}  // namespace sallyport::net::dns
