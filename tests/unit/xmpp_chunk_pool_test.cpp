#include "xmpp/chunk_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace sallyport::xmpp {
namespace {

struct CountingWaiter final : ChunkWaiter {
  void chunks_available() override { ++told; }
  int told = 0;
};

TEST(ChunkPool, IsEmptyAfterItsLastChunkAndCountsItsLowWater) {
  std::array<Chunk, 3> storage;
  ChunkPool pool(storage);
  EXPECT_EQ(pool.capacity(), 3U);
  Chunk* first = pool.acquire();
  Chunk* second = pool.acquire();
  first->next = second;
  ASSERT_NE(pool.acquire(), nullptr);
  EXPECT_EQ(pool.acquire(), nullptr);
  pool.release_chain(first);
  EXPECT_EQ(pool.available(), 2U);
  EXPECT_EQ(pool.low_water(), 0U);
}

TEST(ChunkPool, HandsOutEmptyChunks) {
  std::array<Chunk, 1> storage;
  ChunkPool pool(storage);
  Chunk* chunk = pool.acquire();
  chunk->begin = 3;
  chunk->end = 9;
  EXPECT_EQ(chunk->used().size(), 6U);
  pool.release(*chunk);
  chunk = pool.acquire();
  EXPECT_TRUE(chunk->used().empty());
  EXPECT_EQ(chunk->room().size(), chunk->data.size());
  EXPECT_EQ(chunk->next, nullptr);
}

TEST(ChunkPool, TellsOneWaiterPerChunkInTheOrderOfWaiting) {
  std::array<Chunk, 2> storage;
  ChunkPool pool(storage);
  CountingWaiter first, second;
  Chunk* a = pool.acquire();
  Chunk* b = pool.acquire();
  pool.wait(first);
  pool.wait(first);
  pool.wait(second);
  pool.release(*a);
  EXPECT_EQ(first.told, 1);
  EXPECT_EQ(second.told, 0);
  pool.release(*b);
  EXPECT_EQ(first.told, 1);
  EXPECT_EQ(second.told, 1);
}

TEST(ChunkPool, ForgetsAWaiterThatLeaves) {
  std::array<Chunk, 1> storage;
  ChunkPool pool(storage);
  Chunk* chunk = pool.acquire();
  CountingWaiter waiter;
  pool.wait(waiter);
  pool.cancel(waiter);
  pool.cancel(waiter);
  pool.release(*chunk);
  EXPECT_EQ(waiter.told, 0);
}

}  // namespace
}  // namespace sallyport::xmpp
