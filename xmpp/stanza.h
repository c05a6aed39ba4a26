// Stanza<Side>: one complete, checked stanza in the bytes it arrived in.
//
// Its bytes are a chain of chunks, forwarded as received: expat only told where it begins and ends. Namespace
// declarations that it inherited from the peer's stream header, and uses, are spliced in behind its element's name, so
// that the chain is a well-formed element under our own stream header (default namespace jabber:server, prefix
// `stream`).
//
// A move-only handle; destroying it gives the chunks back. Stanza<External> is made by an S2sStream<External> or by
// BorderPolicy::release(), Stanza<Internal> by an S2sStream<Internal> or by BorderPolicy::admit(): nobody else can
// (tests/compile_fail). The record below the handle (StanzaRecord) is at the head of the first chunk, so a queue of
// stanzas needs no memory of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "hal/base/result.h"
#include "hal/base/time.h"
#include "net/side.h"
#include "xmpp/chunk_pool.h"
#include "xmpp/domain_directory.h"
#include "xmpp/stanza_error.h"

namespace sallyport::firmware {
class BorderPolicy;
}

namespace sallyport::xmpp {

enum class StanzaKind : std::uint8_t { message, presence, iq };

/// A run of the stanza's bytes, as received and still escaped (an attribute's value, without its quotes).
struct RawSlice {
  std::uint32_t offset = 0;  // from the stanza's '<'
  std::uint16_t length = 0;
  char quote = '\0';  // the quote around it in the source; '\0': the attribute is absent
  bool present() const { return quote != '\0'; }
};

/// What is known about a stanza. It lives at the head of the stanza's first chunk.
struct StanzaRecord {
  StanzaRecord* next = nullptr;  // in a RecordQueue
  ChunkPool* pool = nullptr;
  Chunk* first = nullptr;  // the chunk this record lives in
  Chunk* last = nullptr;
  std::uint32_t bytes = 0;  // of XML, declarations spliced in included
  std::uint32_t chunks = 0;
  Instant received{};  // when it was complete
  DomainId from;       // by the parsed address; invalid when that domain is not in the directory
  DomainId to;
  StanzaKind kind = StanzaKind::message;
  bool answerable = false;  // an error may be sent for it: not type error, and for iq type get or set (RFC 6120 8.3.1)
  RawSlice from_attribute, to_attribute, id_attribute;

  /// Gives every chunk back, the record's own too.
  void discard() { pool->release_chain(first); }
};

template <net::Side S>
class S2sStream;

template <net::Side S>
class Stanza {
 public:
  Stanza(Stanza&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  Stanza& operator=(Stanza&& other) noexcept {
    if (this == &other) return *this;
    if (record_ != nullptr) record_->discard();
    record_ = std::exchange(other.record_, nullptr);
    return *this;
  }
  Stanza(const Stanza&) = delete;
  Stanza& operator=(const Stanza&) = delete;
  ~Stanza() {
    if (record_ != nullptr) record_->discard();
  }

  StanzaKind kind() const { return record_->kind; }
  DomainId from() const { return record_->from; }
  DomainId to() const { return record_->to; }
  std::size_t bytes() const { return record_->bytes; }
  std::size_t chunk_bytes() const { return record_->chunks * xmpp::chunk_bytes; }  // what it takes from its pool
  Instant received() const { return record_->received; }
  bool answerable() const { return record_->answerable; }

 private:
  friend class ::sallyport::firmware::BorderPolicy;
  template <net::Side>
  friend class StanzaQueue;
  template <net::Side>
  friend class S2sStream;
  template <net::Side T>
  friend std::optional<Stanza<T>> make_error_reply(const Stanza<T>& stanza, const StanzaError& error, ChunkPool& pool);

  explicit Stanza(StanzaRecord* record) : record_(record) {}
  StanzaRecord* release() { return std::exchange(record_, nullptr); }

  StanzaRecord* record_;
};

/// FIFO of records, linked through themselves; knows no side. StanzaQueue is what owners use.
class RecordQueue {
 public:
  RecordQueue() = default;
  RecordQueue(const RecordQueue&) = delete;
  RecordQueue& operator=(const RecordQueue&) = delete;
  ~RecordQueue() { clear(); }

  bool empty() const { return head_ == nullptr; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return bytes_; }
  StanzaRecord* front() const { return head_; }
  void push(StanzaRecord* record);
  StanzaRecord* pop();  // the queue must not be empty
  void splice_back(RecordQueue& other);
  void clear();

 private:
  StanzaRecord* head_ = nullptr;
  StanzaRecord* tail_ = nullptr;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
};

/// FIFO of stanzas, linked through their records. Bounds are the owner's (bytes() and size()).
template <net::Side S>
class StanzaQueue {
 public:
  bool empty() const { return records_.empty(); }
  std::size_t size() const { return records_.size(); }
  std::size_t bytes() const { return records_.bytes(); }  // of chunks held, which is what a pool runs out of
  void push(Stanza<S>&& stanza) { records_.push(stanza.release()); }
  /// The queue must not be empty.
  Stanza<S> pop() { return Stanza<S>{records_.pop()}; }
  const StanzaRecord& front() const { return *records_.front(); }
  void splice_back(StanzaQueue& other) { records_.splice_back(other.records_); }  // moves all of `other` behind this
  void clear() { records_.clear(); }

 private:
  template <net::Side>
  friend class S2sStream;
  RecordQueue records_;
};

/// As make_error_reply below, of records.
StanzaRecord* make_error_record(const StanzaRecord& stanza, const StanzaError& error, ChunkPool& pool);

/// The answer to a stanza that can't be delivered: same kind, same id, from and to exchanged (their bytes as received),
/// type error (RFC 6120 8.3.1). In `pool`; nullopt when the pool is used up or the stanza is not answerable. The reply
/// belongs to the side that the stanza came from.
template <net::Side S>
std::optional<Stanza<S>> make_error_reply(const Stanza<S>& stanza, const StanzaError& error, ChunkPool& pool) {
  StanzaRecord* record = make_error_record(*stanza.record_, error, pool);
  if (record == nullptr) return std::nullopt;
  return Stanza<S>{record};
}

}  // namespace sallyport::xmpp
