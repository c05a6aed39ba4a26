#include "net/lwip/send_budget.h"

#include <gtest/gtest.h>

#include <vector>

#include "net/lwip/capacity.h"

namespace sallyport::net {
namespace {

/// Takes all that one connection may have.
std::size_t fill(SendBudget& budget, std::size_t held = 0) {
  while (const std::size_t more = budget.allowance(held)) {
    budget.account(held, held + more);
    held += more;
  }
  return held;
}

TEST(SendBudget, EachConnectionIsSureOfOneBlock) {
  SendBudget budget(0);
  EXPECT_EQ(budget.allowance(0), 1U);
  budget.account(0, 1);
  EXPECT_EQ(budget.allowance(1), 0U);
  EXPECT_EQ(budget.allowance(0), 1U) << "the next one too";
}

TEST(SendBudget, ManyGreedyConnectionsNeverExceedTheShared) {
  constexpr std::size_t shared = 256;
  SendBudget budget(shared);
  std::size_t total = 0;
  for (int i = 0; i < 1000; ++i) total += fill(budget);
  EXPECT_LE(total, shared + 1000);
  EXPECT_LE(budget.shared_in_use(), shared);
  EXPECT_GT(budget.shared_in_use(), shared / 2) << "and use it";
}

TEST(SendBudget, LaterConnectionsStillGetTheirShare) {
  SendBudget budget(256);
  const std::size_t first = fill(budget);
  for (int i = 0; i < 10; ++i) fill(budget);
  const std::size_t later = fill(budget);
  EXPECT_GE(first, 2U * SALLYPORT_WINDOW_SEGMENTS) << "alone, more than a full window";
  EXPECT_GE(later, 3U);
  EXPECT_LT(later, first);
}

TEST(SendBudget, WhatIsReleasedCanBeTakenAgain) {
  SendBudget budget(64);
  std::vector<std::size_t> held;
  for (int i = 0; i < 50; ++i) held.push_back(fill(budget));
  for (const std::size_t blocks : held) budget.account(blocks, 0);
  EXPECT_EQ(budget.shared_in_use(), 0U);
  EXPECT_EQ(fill(budget), held[0]);
}

TEST(SendBudgetDeathTest, ReleasingMoreThanWasTakenIsOurBug) {
  SendBudget budget(8);
  EXPECT_DEATH(budget.account(5, 0), "assertion failed");
}

}  // namespace
}  // namespace sallyport::net
