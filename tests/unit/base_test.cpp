// The small types of hal/base: FixedString, RingBuffer, Pool, IntrusiveList, TaskQueue, Result.
#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "hal/base/fixed_string.h"
#include "hal/base/intrusive_list.h"
#include "hal/base/pool.h"
#include "hal/base/result.h"
#include "hal/base/ring_buffer.h"
#include "hal/base/task_queue.h"

namespace sallyport {
namespace {

using testing::ElementsAre;

// FixedString ---------------------------------------------------------------------------------------------------------

TEST(FixedString, KeepsTextUpToItsCapacityAndIsTerminated) {
  FixedString<5> text;
  EXPECT_TRUE(text.assign("hello"));
  EXPECT_EQ(text.view(), "hello");
  EXPECT_STREQ(text.c_str(), "hello");
}

TEST(FixedString, SaysWhenItHadToCut) {
  FixedString<5> text;
  EXPECT_FALSE(text.assign("hello!"));
  EXPECT_EQ(text, "hello");
  EXPECT_FALSE(text.append("x"));
  EXPECT_EQ(text, "hello");
}

TEST(FixedString, AppendsBehindWhatIsThere) {
  FixedString<8> text("ab");
  EXPECT_TRUE(text.append("cd"));
  EXPECT_FALSE(text.append("efghij"));
  EXPECT_EQ(text, "abcdefgh");
  EXPECT_STREQ(text.c_str(), "abcdefgh");
}

TEST(FixedString, IsEmptyAfterClear) {
  FixedString<4> text("abc");
  text.clear();
  EXPECT_TRUE(text.empty());
  EXPECT_STREQ(text.c_str(), "");
}

TEST(FixedString, AssignFromAShorterTextIsTerminatedThere) {
  FixedString<8> text("abcdefgh");
  EXPECT_TRUE(text.assign("xy"));
  EXPECT_STREQ(text.c_str(), "xy");
}

TEST(FixedString, AssigningFromItselfKeepsTheText) {
  FixedString<8> text("abcdef");
  EXPECT_TRUE(text.assign(text.view().substr(2)));
  EXPECT_EQ(text, "cdef");
}

// RingBuffer ----------------------------------------------------------------------------------------------------------

TEST(RingBuffer, GivesItemsBackInOrder) {
  RingBuffer<int, 4> ring;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ring.pop(), i);
  EXPECT_EQ(ring.pop(), std::nullopt);
}

TEST(RingBuffer, OverwritesNothingWhenFull) {
  RingBuffer<int, 2> ring;
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_TRUE(ring.full());
  EXPECT_FALSE(ring.push(3));
  EXPECT_EQ(ring.pop(), 1);
  EXPECT_EQ(ring.pop(), 2);
}

TEST(RingBuffer, KeepsOrderAcrossManyWraps) {
  RingBuffer<int, 4> ring;
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 100; ++round) {
    while (ring.push(pushed)) ++pushed;
    EXPECT_EQ(ring.size(), 4U);
    for (int i = 0; i < round % 4 + 1; ++i) EXPECT_EQ(ring.pop(), popped++);
  }
}

// Pool ----------------------------------------------------------------------------------------------------------------

struct Counted {
  Counted(int& alive, int initial) : alive_(alive), value(initial) { ++alive_; }
  ~Counted() { --alive_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  int& alive_;
  int value;
};

TEST(Pool, ConstructsAndDestroysInPlace) {
  int alive = 0;
  Pool<Counted, 2> pool;
  Counted* object = pool.acquire(alive, 7);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->value, 7);
  EXPECT_EQ(alive, 1);
  pool.release(*object);
  EXPECT_EQ(alive, 0);
}

TEST(Pool, ExhaustionIsAnOrdinaryState) {
  int alive = 0;
  Pool<Counted, 3> pool;
  std::vector<Counted*> objects;
  for (int i = 0; i < 3; ++i) objects.push_back(pool.acquire(alive, i));
  EXPECT_EQ(pool.acquire(alive, 3), nullptr);
  EXPECT_EQ(pool.in_use(), 3U);
  pool.release(*objects[1]);
  Counted* again = pool.acquire(alive, 4);
  EXPECT_EQ(again, objects[1]);
  EXPECT_EQ(pool.high_water(), 3U);
}

TEST(Pool, VisitsOnlyObjectsInUse_AndAVisitorMayReleaseItsOwn) {
  int alive = 0;
  Pool<Counted, 4> pool;
  std::vector<Counted*> objects;
  for (int i = 0; i < 4; ++i) objects.push_back(pool.acquire(alive, i));
  pool.release(*objects[2]);
  std::vector<int> seen;
  pool.for_each([&](Counted& object) {
    seen.push_back(object.value);
    if (object.value == 1) pool.release(object);
  });
  EXPECT_THAT(seen, ElementsAre(0, 1, 3));
  EXPECT_EQ(pool.in_use(), 2U);
}

TEST(Pool, FindsTheObjectByItsPlaceAndByAPartOfIt) {
  int alive = 0;
  Pool<Counted, 3> pool;
  Counted* first = pool.acquire(alive, 1);
  Counted* second = pool.acquire(alive, 2);
  EXPECT_EQ(pool.get(pool.index_of(*second)), second);
  EXPECT_EQ(&pool.containing(&second->value), second);
  EXPECT_EQ(&pool.containing(first), first);
  const std::size_t place = pool.index_of(*first);
  pool.release(*first);
  EXPECT_EQ(pool.get(place), nullptr);
}

TEST(PoolDeathTest, NothingContainsWhatIsOutsideOrReleased) {
  int alive = 0;
  Pool<Counted, 2> pool;
  Counted stranger(alive, 0);
  EXPECT_DEATH(pool.containing(&stranger), "assertion failed");
  Counted* object = pool.acquire(alive, 1);
  pool.release(*object);
  EXPECT_DEATH(pool.containing(object), "assertion failed");
}

TEST(PoolDeathTest, RefusesAnObjectThatIsNotInUse) {
  int alive = 0;
  Pool<Counted, 2> pool;
  Counted stranger(alive, 0);
  EXPECT_DEATH(pool.release(stranger), "assertion failed");
  Counted* object = pool.acquire(alive, 1);
  pool.release(*object);
  EXPECT_DEATH(pool.release(*object), "assertion failed");
}

#ifdef __SANITIZE_ADDRESS__
TEST(PoolDeathTest, AddressSanitizerSeesUseAfterRelease) {
  Pool<int, 2> pool;
  volatile int* object = pool.acquire(5);
  pool.release(*const_cast<int*>(object));
  EXPECT_DEATH(static_cast<void>(*object), "AddressSanitizer");
}
#endif

// IntrusiveList -------------------------------------------------------------------------------------------------------

struct ByName {};
struct ByAge {};
struct Guest : ListNode<ByName>, ListNode<ByAge> {
  explicit Guest(int its_number) : number(its_number) {}
  int number;
};

template <class List>
std::vector<int> numbers(List& list) {
  std::vector<int> result;
  for (auto* guest = list.front(); guest != nullptr; guest = list.after(*guest)) result.push_back(guest->number);
  return result;
}

TEST(IntrusiveList, KeepsTheOrderOfArrival) {
  Guest one(1), two(2), three(3);
  IntrusiveList<Guest, ByName> list;
  list.push_back(one);
  list.push_back(two);
  list.push_front(three);
  EXPECT_THAT(numbers(list), ElementsAre(3, 1, 2));
  EXPECT_EQ(list.size(), 3U);
  EXPECT_EQ(list.pop_front(), &three);
  EXPECT_THAT(numbers(list), ElementsAre(1, 2));
}

TEST(IntrusiveList, RemovesFromTheMiddle) {
  Guest one(1), two(2), three(3);
  IntrusiveList<Guest, ByName> list;
  for (Guest* guest : {&one, &two, &three}) list.push_back(*guest);
  list.remove(two);
  EXPECT_THAT(numbers(list), ElementsAre(1, 3));
  EXPECT_FALSE(static_cast<ListNode<ByName>&>(two).linked());
}

TEST(IntrusiveList, AnObjectIsInOneListPerTag) {
  Guest one(1), two(2);
  IntrusiveList<Guest, ByName> names;
  IntrusiveList<Guest, ByAge> ages;
  names.push_back(one);
  names.push_back(two);
  ages.push_back(two);
  ages.push_back(one);
  names.remove(one);
  EXPECT_THAT(numbers(names), ElementsAre(2));
  EXPECT_THAT(numbers(ages), ElementsAre(2, 1));
}

TEST(IntrusiveList, LetsItsElementsGoWhenItDies) {
  Guest one(1);
  {
    IntrusiveList<Guest, ByName> list;
    list.push_back(one);
  }
  EXPECT_FALSE(static_cast<ListNode<ByName>&>(one).linked());
}

TEST(IntrusiveListDeathTest, RefusesAnObjectThatIsAlreadyInAList) {
  Guest one(1);
  IntrusiveList<Guest, ByName> list;
  list.push_back(one);
  EXPECT_DEATH(list.push_back(one), "assertion failed");
}

TEST(IntrusiveListDeathTest, ANodeDestroyedWhileLinkedIsABug) {
  IntrusiveList<Guest, ByName> list;
  EXPECT_DEATH(
      {
        Guest one(1);
        list.push_back(one);
      },
      "assertion failed");
}

// TaskQueue -----------------------------------------------------------------------------------------------------------

class Recorder final : public Task {
 public:
  Recorder(TaskQueue& queue, std::vector<int>& log, int number) : queue_(queue), log_(log), number_(number) {}
  void run() override {
    log_.push_back(number_);
    if (repeats_-- > 0) queue_.schedule(*this);
    if (victim_ != nullptr) queue_.cancel(*std::exchange(victim_, nullptr));
  }
  void repeat(int times) { repeats_ = times; }
  void cancel_when_run(Task& victim) { victim_ = &victim; }

 private:
  TaskQueue& queue_;
  std::vector<int>& log_;
  int number_;
  int repeats_ = 0;
  Task* victim_ = nullptr;
};

TEST(TaskQueue, RunsEachScheduledTaskOnceInOrder) {
  TaskQueue queue;
  std::vector<int> log;
  Recorder one(queue, log, 1), two(queue, log, 2);
  queue.schedule(two);
  queue.schedule(one);
  queue.schedule(two);
  queue.run_ready();
  EXPECT_THAT(log, ElementsAre(2, 1));
  EXPECT_TRUE(queue.empty());
}

TEST(TaskQueue, ABusyTaskDoesNotKeepTheLoop) {
  TaskQueue queue;
  std::vector<int> log;
  Recorder busy(queue, log, 1);
  busy.repeat(1);
  queue.schedule(busy);
  queue.run_ready();
  EXPECT_THAT(log, ElementsAre(1));
  EXPECT_FALSE(queue.empty());
  queue.run_ready();
  EXPECT_THAT(log, ElementsAre(1, 1));
}

TEST(TaskQueue, ATaskMayCancelOneThatIsReady) {
  TaskQueue queue;
  std::vector<int> log;
  Recorder first(queue, log, 1), second(queue, log, 2);
  first.cancel_when_run(second);
  queue.schedule(first);
  queue.schedule(second);
  queue.run_ready();
  EXPECT_THAT(log, ElementsAre(1));
  EXPECT_TRUE(queue.empty());
}

// Result --------------------------------------------------------------------------------------------------------------

enum class Refusal { full };

Result<int, Refusal> half(int number) {
  if (number % 2 != 0) return unexpected(Refusal::full);
  return number / 2;
}

Result<void, Refusal> nothing() { return {}; }

TEST(Result, HoldsAValueOrTheReasonWhyThereIsNone) {
  EXPECT_EQ(half(8).value(), 4);
  EXPECT_EQ(half(7).error(), Refusal::full);
  EXPECT_TRUE(nothing().has_value());
}

}  // namespace
}  // namespace sallyport
