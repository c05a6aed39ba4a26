#include "xmpp/chunk_pool.h"

#include "hal/base/assert.h"

namespace sallyport::xmpp {

ChunkPool::ChunkPool(std::span<Chunk> chunks)
    : capacity_(chunks.size()), available_(chunks.size()), low_water_(chunks.size()) {
  for (Chunk& chunk : chunks) {
    chunk.next = free_;
    free_ = &chunk;
  }
}

Chunk* ChunkPool::acquire() {
  if (free_ == nullptr) return nullptr;
  Chunk* chunk = free_;
  free_ = chunk->next;
  chunk->next = nullptr;
  chunk->begin = chunk->end = 0;
  --available_;
  if (available_ < low_water_) low_water_ = available_;
  return chunk;
}

void ChunkPool::release(Chunk& chunk) {
  SALLYPORT_ASSERT(available_ < capacity_);
  chunk.next = free_;
  free_ = &chunk;
  ++available_;
  if (ChunkWaiter* waiter = waiters_.pop_front()) waiter->chunks_available();
}

void ChunkPool::release_chain(Chunk* first) {
  while (first != nullptr) {
    Chunk* next = first->next;
    release(*first);
    first = next;
  }
}

void ChunkPool::wait(ChunkWaiter& waiter) {
  if (!waiter.linked()) waiters_.push_back(waiter);
}

void ChunkPool::cancel(ChunkWaiter& waiter) {
  if (waiter.linked()) waiters_.remove(waiter);
}

}  // namespace sallyport::xmpp
