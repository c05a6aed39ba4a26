#include "hal/drivers/linux_tap/tap_mac.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "hal/base/assert.h"

namespace sallyport::hal {

namespace {

constexpr std::size_t header_bytes = 14;  // IEEE 802.3: destination, source, type

/// Frames not meant for us that one receive() skips. Bounds its time under a flood; the rest stays readable.
constexpr int max_skipped = 32;

constexpr MacAddress broadcast = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

ifreq request_for(std::string_view device) {
  ifreq request = {};
  std::copy_n(device.begin(), std::min<std::size_t>(device.size(), IFNAMSIZ - 1), request.ifr_name);
  return request;
}

}  // namespace

TapMac::TapMac(const MacAddress& address, std::span<TapBuffer> buffers, std::span<std::uint16_t> free,
               std::span<bool> lent)
    : address_(address), buffers_(buffers), free_(free), lent_(lent), free_count_(buffers.size()) {
  for (std::size_t i = 0; i < buffers_.size(); ++i) free_[i] = static_cast<std::uint16_t>(i);
  std::ranges::fill(lent_, false);
}

TapMac::~TapMac() {
  if (tap_ >= 0) ::close(tap_);
  if (control_ >= 0) ::close(control_);
}

Result<void, const char*> TapMac::open(std::string_view name) {
  SALLYPORT_ASSERT(tap_ < 0);
  if (name.empty() || !device_.assign(name)) return unexpected("the device's name has 1 to 15 characters");
  control_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control_ < 0) return unexpected("no socket");
  ifreq request = request_for(device_);
  // TUNSETIFF would create a missing device, and a typing error would look like a pulled cable.
  if (::ioctl(control_, SIOCGIFINDEX, &request) < 0) return unexpected("there is no such network device here");
  tap_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap_ < 0) return unexpected("/dev/net/tun does not open");
  request = request_for(device_);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tap_, TUNSETIFF, &request) < 0) {
    const int reason = errno;
    ::close(std::exchange(tap_, -1));
    errno = reason;
    return unexpected("cannot attach (not a TAP device, in use, or not permitted)");
  }
  return {};
}

void TapMac::adopt(int descriptor) {
  SALLYPORT_ASSERT(tap_ < 0);
  tap_ = descriptor;
}

int TapMac::pollable_descriptor() const { return detached_ || free_count_ == 0 ? -1 : tap_; }

bool TapMac::link_up() {
  if (tap_ < 0 || detached_ || !cable_) return false;
  if (control_ < 0) return true;
  ifreq request = request_for(device_);
  if (::ioctl(control_, SIOCGIFFLAGS, &request) < 0) return false;
  constexpr short wanted = IFF_UP | IFF_RUNNING;
  return (request.ifr_flags & wanted) == wanted;
}

ReceivedFrame TapMac::receive() {
  if (tap_ < 0 || detached_) return {};
  if (free_count_ == 0) {
    ++counters_.receive_pool_empty;
    return {};
  }
  const std::uint16_t index = free_[free_count_ - 1];
  TapBuffer& buffer = buffers_[index];
  for (int skipped = 0; skipped < max_skipped; ++skipped) {
    const ssize_t got = ::read(tap_, buffer.data(), buffer.size());
    if (got <= 0) {
      // EBADFD: the device was deleted. Polling it would report an error for ever.
      if (got == 0 || errno == EBADFD) detached_ = true;
      return {};
    }
    const auto length = static_cast<std::size_t>(got);
    if (!cable_) continue;
    if (length < header_bytes || length > max_frame_bytes) {
      ++counters_.receive_errors;
    } else if (!accepts({buffer.data(), length})) {
      ++counters_.receive_not_for_us;
    } else {
      --free_count_;
      lent_[index] = true;
      ++counters_.received_frames;
      counters_.received_bytes += length;
      return {.buffer = buffer, .length = length, .index = index};
    }
  }
  return {};
}

void TapMac::release(const ReceivedFrame& frame) {
  SALLYPORT_ASSERT(frame.index < buffers_.size() && lent_[frame.index]);
  lent_[frame.index] = false;
  free_[free_count_++] = frame.index;
}

bool TapMac::transmit(std::span<const std::span<const std::byte>> parts) {
  constexpr std::size_t max_parts = 16;
  std::array<iovec, max_parts> vector;
  std::array<std::byte, max_frame_bytes> joined;
  std::size_t length = 0;
  for (const auto part : parts) length += part.size();
  SALLYPORT_ASSERT(length >= header_bytes && length <= max_frame_bytes);
  std::size_t count = 0;
  if (parts.size() <= max_parts) {
    for (const auto part : parts) vector[count++] = {const_cast<std::byte*>(part.data()), part.size()};
  } else {
    auto end = joined.begin();
    for (const auto part : parts) end = std::ranges::copy(part, end).out;
    vector[count++] = {joined.data(), length};
  }

  if (tap_ < 0 || detached_ || !cable_) return true;
  if (::writev(tap_, vector.data(), static_cast<int>(count)) < 0) {
    if (errno == EBADFD) detached_ = true;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
      ++counters_.transmit_ring_full;
      return false;
    }
    return true;  // the cable is pulled: lost on the wire
  }
  ++counters_.transmitted_frames;
  counters_.transmitted_bytes += length;
  return true;
}

bool TapMac::accepts(std::span<const std::byte> frame) const {
  const auto* destination = reinterpret_cast<const std::uint8_t*>(frame.data());
  if (std::equal(address_.begin(), address_.end(), destination)) return true;
  if (std::equal(broadcast.begin(), broadcast.end(), destination)) return true;
  return destination[0] == 0x33 && destination[1] == 0x33;  // IPv6 multicast, RFC 2464 7
}

}  // namespace sallyport::hal
