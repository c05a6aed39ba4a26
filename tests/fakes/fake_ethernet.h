// FakeEthernetMac: an Ethernet controller in memory, with a bounded receive pool; EthernetWire: the cable between two,
// which can drop, alter, reorder and be pulled. A buffer that was given back is overwritten at once, so that a use
// after release() shows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "hal/base/assert.h"
#include "hal/ethernet_mac.h"

namespace sallyport::fakes {

using Frame = std::vector<std::uint8_t>;

class FakeEthernetMac final : public hal::EthernetMac {
 public:
  explicit FakeEthernetMac(const hal::MacAddress& address, std::size_t buffers = 64, std::size_t buffer_bytes = 1536)
      : address_(address), buffers_(buffers, std::vector<std::byte>(buffer_bytes)), state_(buffers, State::free) {}

  const hal::MacAddress& address() const override { return address_; }
  bool link_up() override { return link_; }

  hal::ReceivedFrame receive() override {
    if (arrived_.empty()) return {};
    const Arrived next = arrived_.front();
    arrived_.pop_front();
    state_[next.index] = State::with_owner;
    return {buffers_[next.index], next.length, next.index};
  }

  void release(const hal::ReceivedFrame& frame) override {
    SALLYPORT_ASSERT(state_.at(frame.index) == State::with_owner);
    SALLYPORT_ASSERT(frame.buffer.data() == buffers_[frame.index].data());
    std::fill(buffers_[frame.index].begin(), buffers_[frame.index].end(), std::byte{0xDD});
    state_[frame.index] = State::free;
  }

  std::size_t receive_buffers_free() const override {
    return static_cast<std::size_t>(std::count(state_.begin(), state_.end(), State::free));
  }
  std::size_t receive_buffers() const override { return buffers_.size(); }

  bool transmit(std::span<const std::span<const std::byte>> parts) override {
    if (transmitted_.size() >= transmit_ring) {
      ++counters_.transmit_ring_full;
      return false;
    }
    Frame frame;
    for (const auto part : parts)
      for (const std::byte byte : part) frame.push_back(static_cast<std::uint8_t>(byte));
    SALLYPORT_ASSERT(frame.size() <= hal::max_frame_bytes);
    ++counters_.transmitted_frames;
    transmitted_.push_back(std::move(frame));
    return true;
  }

  const hal::EthernetCounters& counters() const override { return counters_; }

  /// A frame comes in from the cable. The address filter is a real controller's.
  void arrive(const Frame& frame) {
    if (!is_for_us(frame)) {
      ++counters_.receive_not_for_us;
      return;
    }
    const auto free = std::find(state_.begin(), state_.end(), State::free);
    if (free == state_.end()) {
      ++counters_.receive_pool_empty;
      return;
    }
    const auto index = static_cast<std::uint16_t>(free - state_.begin());
    std::transform(frame.begin(), frame.end(), buffers_[index].begin(),
                   [](std::uint8_t byte) { return std::byte{byte}; });
    *free = State::arrived;
    ++counters_.received_frames;
    arrived_.push_back({index, frame.size()});
  }

  std::deque<Frame>& transmitted() { return transmitted_; }
  void set_link(bool up) { link_ = up; }
  /// Frames that were received and not given back.
  std::size_t held() const {
    return static_cast<std::size_t>(std::count(state_.begin(), state_.end(), State::with_owner));
  }
  std::size_t transmit_ring = 4096;

 private:
  enum class State { free, arrived, with_owner };
  struct Arrived {
    std::uint16_t index;
    std::size_t length;
  };

  bool is_for_us(const Frame& frame) const {
    if (frame.size() < 6) return true;
    const bool broadcast =
        std::all_of(frame.begin(), frame.begin() + 6, [](std::uint8_t byte) { return byte == 0xFF; });
    const bool v6_group = frame[0] == 0x33 && frame[1] == 0x33;
    return broadcast || v6_group || std::equal(address_.begin(), address_.end(), frame.begin());
  }

  hal::MacAddress address_;
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<State> state_;
  std::deque<Arrived> arrived_;
  std::deque<Frame> transmitted_;
  hal::EthernetCounters counters_;
  bool link_ = true;
};

class EthernetWire {
 public:
  EthernetWire(FakeEthernetMac& left, FakeEthernetMac& right) : left_(left), right_(right) {}

  /// Sees each frame, may alter it; false drops it.
  std::function<bool(Frame&)> inspect;
  /// Frames of one carry() arrive in the opposite order.
  bool reorder = false;

  /// Moves what both ends have sent. True when there was something.
  bool carry() {
    const bool any = move(left_, right_);
    return move(right_, left_) || any;
  }

  void pull() { set_link(false); }
  void plug() { set_link(true); }

 private:
  bool move(FakeEthernetMac& from, FakeEthernetMac& to) {
    std::deque<Frame> frames;
    frames.swap(from.transmitted());
    if (reorder) std::reverse(frames.begin(), frames.end());
    for (Frame& frame : frames)
      if (up_ && (!inspect || inspect(frame))) to.arrive(frame);
    return !frames.empty();
  }

  void set_link(bool up) {
    up_ = up;
    left_.set_link(up);
    right_.set_link(up);
  }

  FakeEthernetMac& left_;
  FakeEthernetMac& right_;
  bool up_ = true;
};

}  // namespace sallyport::fakes
