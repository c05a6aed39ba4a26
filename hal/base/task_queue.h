// TaskQueue: the ready list of the one event loop. Callbacks (lwIP, drivers) only schedule(); work is done in run(),
// outside every library callback, so a task may destroy any handle.
#pragma once

#include "hal/base/intrusive_list.h"

namespace sallyport {

class Task : public ListNode<Task> {
 public:
  /// Does a bounded piece of work; schedules itself again when there is more.
  virtual void run() = 0;

 protected:
  ~Task() = default;
};

class TaskQueue {
 public:
  /// Idempotent: a task that is already waiting stays where it is.
  void schedule(Task& task) {
    if (!task.linked()) ready_.push_back(task);
  }
  /// Must be called before a task that may be waiting is destroyed.
  void cancel(Task& task) {
    if (task.linked()) ready_.remove(task);
  }

  bool empty() const { return ready_.empty(); }

  /// Runs the tasks that were ready at the call, each once, so a busy task cannot starve the drivers.
  void run_ready() {
    for (std::size_t count = ready_.size(); count > 0; --count) {
      Task* task = ready_.pop_front();
      if (task == nullptr) return;
      task->run();
    }
  }

 private:
  IntrusiveList<Task> ready_;
};

}  // namespace sallyport
