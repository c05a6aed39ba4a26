// MemoryByteStream: two joined net::ByteStreams in memory, for tests of whatever lies above TCP. What one writes the
// other can peek after flush(), within a bounded window and in pieces of a chosen size; FIN and RST behave as TCP's do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "hal/base/assert.h"
#include "hal/base/task_queue.h"
#include "net/byte_stream.h"

namespace sallyport::fakes {

class MemoryByteStream final : public net::ByteStream {
 public:
  explicit MemoryByteStream(TaskQueue& tasks) : tasks_(tasks) {}
  ~MemoryByteStream() { part(); }
  MemoryByteStream(const MemoryByteStream&) = delete;
  MemoryByteStream& operator=(const MemoryByteStream&) = delete;

  /// Joins two streams; both are open. Whoever they were joined with before is left alone.
  static void join(MemoryByteStream& one, MemoryByteStream& other) {
    one.part();
    other.part();
    one.peer_ = &other;
    other.peer_ = &one;
    one.opened_ = other.opened_ = true;
  }

  void set_task(Task& task) { task_ = &task; }
  /// Most bytes that this side holds for its reader, sent and unsent ones of the peer together.
  void set_window(std::size_t bytes) { window_ = bytes; }
  /// Largest contiguous piece that peek() shows.
  void set_segment(std::size_t bytes) { segment_ = bytes; }
  /// Called for everything that reaches this side, before it can be read; may alter it.
  void set_tap(void (*tap)(void*, std::vector<std::byte>&), void* context) { tap_ = tap, tap_context_ = context; }

  /// The wire breaks or the peer resets: whatever was not read yet is lost.
  void break_off(net::ConnectError error) {
    failure_ = error;
    closed_ = true;
    received_.clear();
    notify();
  }
  /// Bytes appear as if the peer had sent them.
  void inject(std::span<const std::byte> bytes) {
    received_.insert(received_.end(), bytes.begin(), bytes.end());
    notify();
  }

  std::uint64_t bytes_sent() const { return sent_; }
  std::size_t unread() const { return received_.size(); }
  bool fin_sent() const { return fin_sent_; }
  bool aborted() const { return aborted_; }

  net::ByteStreamState state() const override {
    if (!opened_) return net::ByteStreamState::connecting;
    const bool both_done = fin_sent_ && fin_received_ && received_.empty();
    return closed_ || both_done ? net::ByteStreamState::closed : net::ByteStreamState::open;
  }
  net::ConnectError failure() const override { return failure_; }
  net::Endpoint remote() const override { return {net::IpAddress::v4({192, 0, 2, 1}), 5269}; }

  std::span<const std::byte> peek() const override {
    const std::size_t count = std::min(segment_, received_.size());
    piece_.assign(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(count));
    return piece_;
  }
  void consume(std::size_t count) override {
    SALLYPORT_ASSERT(count <= std::min(segment_, received_.size()));
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(count));
    if (peer_ != nullptr && count > 0) peer_->notify();
  }
  bool end_of_stream() const override { return fin_received_ && received_.empty(); }

  std::size_t write_room() const override {
    if (peer_ == nullptr || closed_ || fin_requested_) return 0;
    const std::size_t held = peer_->received_.size() + unflushed_.size();
    return held < peer_->window_ ? peer_->window_ - held : 0;
  }
  std::size_t write(std::span<const std::byte> bytes) override {
    const std::size_t count = std::min(bytes.size(), write_room());
    unflushed_.insert(unflushed_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  void flush() override {
    if (unflushed_.empty() || peer_ == nullptr) return;
    sent_ += unflushed_.size();
    if (peer_->tap_ != nullptr) peer_->tap_(peer_->tap_context_, unflushed_);
    peer_->received_.insert(peer_->received_.end(), unflushed_.begin(), unflushed_.end());
    unflushed_.clear();
    peer_->notify();
  }
  bool all_acknowledged() const override {
    return unflushed_.empty() && (peer_ == nullptr || peer_->received_.empty());
  }

  void close() override {
    if (fin_requested_) return;
    flush();
    fin_requested_ = fin_sent_ = true;
    if (peer_ == nullptr) return;
    peer_->fin_received_ = true;
    peer_->notify();
    notify();
  }
  void abort() override {
    aborted_ = closed_ = true;
    received_.clear();
    unflushed_.clear();
    if (peer_ != nullptr) peer_->break_off(net::ConnectError::reset);
  }

 private:
  void part() {
    if (peer_ != nullptr) peer_->peer_ = nullptr;
    peer_ = nullptr;
  }
  void notify() {
    if (task_ != nullptr) tasks_.schedule(*task_);
  }

  TaskQueue& tasks_;
  Task* task_ = nullptr;
  MemoryByteStream* peer_ = nullptr;
  std::size_t window_ = 64 * 1024;
  std::size_t segment_ = 1460;
  void (*tap_)(void*, std::vector<std::byte>&) = nullptr;
  void* tap_context_ = nullptr;
  std::deque<std::byte> received_;
  std::vector<std::byte> unflushed_;
  mutable std::vector<std::byte> piece_;
  std::uint64_t sent_ = 0;
  net::ConnectError failure_ = net::ConnectError::none;
  bool opened_ = false, closed_ = false, aborted_ = false;
  bool fin_requested_ = false, fin_sent_ = false, fin_received_ = false;
};

}  // namespace sallyport::fakes
