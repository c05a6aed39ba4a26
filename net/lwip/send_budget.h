// SendBudget: how many send blocks (full segments, capacity.h) the connections of one side may hold.
//
// Every connection is sure of one block. More come from the side's shared blocks, of which a connection may hold an
// eighth of what is still free (the dynamic threshold of Choudhury and Hahne, 1998): a few busy connections get their
// full window, many stalled ones get little each, and something always stays free for the next.
#pragma once

#include <algorithm>
#include <cstddef>

#include "hal/base/assert.h"

namespace sallyport::net {

class SendBudget {
 public:
  explicit constexpr SendBudget(std::size_t shared_blocks) : shared_(shared_blocks) {}

  /// Blocks that a connection holding `held` may take on top.
  constexpr std::size_t allowance(std::size_t held) const {
    const std::size_t free = shared_ - std::min(shared_, used_);
    const std::size_t sure = held == 0 ? 1 : 0;
    const std::size_t extra_held = held == 0 ? 0 : held - 1;
    const std::size_t threshold = (free + extra_held + 7) / 8;
    const std::size_t extra = threshold > extra_held ? threshold - extra_held : 0;
    return sure + std::min(extra, free);
  }

  /// A connection went from `before` to `after` blocks.
  constexpr void account(std::size_t before, std::size_t after) {
    const std::size_t released = before > 1 ? before - 1 : 0;
    SALLYPORT_ASSERT(released <= used_);
    used_ += (after > 1 ? after - 1 : 0) - released;
  }

  constexpr std::size_t shared_in_use() const { return used_; }

 private:
  std::size_t shared_;
  std::size_t used_ = 0;
};

}  // namespace sallyport::net
