#include "net/lwip/rate_limiter.h"

#include <gtest/gtest.h>

namespace sallyport::net {
namespace {

TEST(RateLimiter, AllowsABurstAndThenTheRate) {
  RateLimiter limiter(5, 100ms);
  Instant now{1h};
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += limiter.take(now) ? 1 : 0;
  EXPECT_EQ(taken, 5);
  now += 99ms;
  EXPECT_FALSE(limiter.take(now));
  now += 1ms;
  EXPECT_TRUE(limiter.take(now));
  EXPECT_FALSE(limiter.take(now));
}

TEST(RateLimiter, KeepsFractionsOfAnInterval) {
  RateLimiter limiter(5, 100ms);
  Instant now{1h};
  for (int i = 0; i < 5; ++i) static_cast<void>(limiter.take(now));
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    now += 7ms;
    taken += limiter.take(now) ? 1 : 0;
  }
  EXPECT_EQ(taken, 70) << "7 s at ten a second";
}

TEST(RateLimiter, SavesNoMoreThanTheBurst) {
  RateLimiter limiter(5, 100ms);
  Instant now{1h};
  static_cast<void>(limiter.take(now));
  now += 24h;
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += limiter.take(now) ? 1 : 0;
  EXPECT_EQ(taken, 5);
}

}  // namespace
}  // namespace sallyport::net
