#include "net/dns/message.h"

#include <algorithm>

namespace sallyport::net::dns {

namespace {

// Flags of the header's second word, RFC 1035 4.1.1.
constexpr std::uint16_t flag_response = 0x8000;
constexpr std::uint16_t mask_opcode = 0x7800;
constexpr std::uint16_t flag_authoritative = 0x0400;
constexpr std::uint16_t flag_truncated = 0x0200;
constexpr std::uint16_t flag_recursion_desired = 0x0100;
constexpr std::uint16_t flag_recursion_available = 0x0080;
constexpr std::uint16_t mask_code = 0x000F;

constexpr std::uint16_t class_internet = 1;

class Writer {
 public:
  explicit Writer(std::span<std::byte> into) : into_(into) {}
  void u8(unsigned value) { into_[size_++] = static_cast<std::byte>(value); }
  void u16(unsigned value) { u8(value >> 8 & 0xFF), u8(value & 0xFF); }
  void bytes(std::span<const std::byte> from) {
    std::ranges::copy(from, into_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += from.size();
  }
  std::size_t size() const { return size_; }

 private:
  std::span<std::byte> into_;
  std::size_t size_ = 0;
};

}  // namespace

std::size_t write_query(std::span<std::byte, max_query_bytes> into, std::uint16_t id, const Question& question,
                        bool edns) {
  Writer writer(into);
  writer.u16(id);
  writer.u16(flag_recursion_desired);
  writer.u16(1);  // questions
  writer.u16(0);
  writer.u16(0);
  writer.u16(edns ? 1 : 0);  // additional records
  writer.bytes(question.name.wire());
  writer.u16(static_cast<unsigned>(question.type));
  writer.u16(class_internet);
  if (edns) {
    writer.u8(0);  // the root
    writer.u16(static_cast<unsigned>(RecordType::opt));
    writer.u16(max_datagram_bytes);
    writer.u16(0), writer.u16(0);  // extended code, version 0, DO clear
    writer.u16(0);                 // no options
  }
  return writer.size();
}

std::optional<Response> Response::parse(std::span<const std::byte> message) {
  if (message.size() < header_bytes) return std::nullopt;
  Response response(message);
  const std::uint16_t flags = response.header_word(1);
  if ((flags & flag_response) == 0 || (flags & mask_opcode) != 0 || response.header_word(2) != 1) return std::nullopt;
  const auto name = response.read_name(response.records_at_);
  if (!name) return std::nullopt;
  const auto type = response.read_u16(response.records_at_);
  const auto network_class = response.read_u16(response.records_at_);
  if (!type || !network_class || *network_class != class_internet) return std::nullopt;
  response.question_ = {.name = *name, .type = static_cast<RecordType>(*type)};
  return response;
}

std::uint16_t Response::id() const { return header_word(0); }
ResponseCode Response::code() const { return static_cast<ResponseCode>(header_word(1) & mask_code); }
bool Response::authoritative() const { return (header_word(1) & flag_authoritative) != 0; }
bool Response::truncated() const { return (header_word(1) & flag_truncated) != 0; }
bool Response::recursion_available() const { return (header_word(1) & flag_recursion_available) != 0; }
std::size_t Response::answer_count() const { return header_word(3); }
std::size_t Response::authority_count() const { return header_word(4); }

Result<Record, Malformed> Response::read_record(std::size_t& at) const {
  const auto owner = read_name(at);
  if (!owner) return unexpected(Malformed{});
  const auto type = read_u16(at);
  const auto network_class = read_u16(at);
  at += 4;  // time to live: nothing is cached
  const auto length = read_u16(at);
  if (!type || !network_class || !length || *length > message_.size() - at) return unexpected(Malformed{});
  const std::size_t data_at = at;
  at += *length;
  return Record{.owner = *owner,
                .type = *type,
                .internet = *network_class == class_internet,
                .data_at = data_at,
                .data_bytes = *length};
}

Result<Name, Malformed> Response::read_name(std::size_t& at) const {
  Name name;
  std::size_t position = at;
  std::size_t run = position;  // where the labels in hand began; a pointer must lead before it
  bool followed = false;
  while (true) {
    if (position >= message_.size()) return unexpected(Malformed{});
    const auto length = static_cast<std::size_t>(message_[position]);
    if (length == 0) {
      if (!followed) at = position + 1;
      return name;
    }
    if (length >= 0xC0) {
      if (position + 1 >= message_.size()) return unexpected(Malformed{});
      const std::size_t target = (length & 0x3F) << 8 | static_cast<std::size_t>(message_[position + 1]);
      if (target < header_bytes || target >= run) return unexpected(Malformed{});
      if (!followed) at = position + 2;
      followed = true;
      position = run = target;
      continue;
    }
    // 0x40 and 0x80: label types that RFC 6891 5 buried.
    if (length > max_label_bytes || length >= message_.size() - position) return unexpected(Malformed{});
    if (!name.append_label(message_.subspan(position + 1, length))) return unexpected(Malformed{});
    position += 1 + length;
  }
}

Result<std::uint16_t, Malformed> Response::read_u16(std::size_t& at) const {
  if (at > message_.size() || message_.size() - at < 2) return unexpected(Malformed{});
  const auto value =
      static_cast<std::uint16_t>(static_cast<unsigned>(message_[at]) << 8 | static_cast<unsigned>(message_[at + 1]));
  at += 2;
  return value;
}

std::uint16_t Response::header_word(std::size_t index) const {
  return static_cast<std::uint16_t>(static_cast<unsigned>(message_[2 * index]) << 8 |
                                    static_cast<unsigned>(message_[2 * index + 1]));
}

}  // namespace sallyport::net::dns
