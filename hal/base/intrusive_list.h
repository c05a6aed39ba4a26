// IntrusiveList: a doubly linked FIFO of objects that carry their own links. No allocation; an object is in at most one
// list per Node base. A node that is destroyed while linked is our bug (assert).
#pragma once

#include <cstddef>

#include "hal/base/assert.h"

namespace sallyport {

template <class Tag>
class ListNode {
 public:
  constexpr ListNode() = default;
  ~ListNode() { SALLYPORT_ASSERT(!linked()); }
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  bool linked() const { return next_ != nullptr; }

 private:
  template <class T, class U>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

/// T must derive from ListNode<Tag>. A list that dies lets go of its elements.
template <class T, class Tag = T>
class IntrusiveList {
 public:
  using Node = ListNode<Tag>;

  constexpr IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
    head_.next_ = head_.previous_ = nullptr;
  }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  std::size_t size() const { return size_; }

  void push_back(T& item) { insert_before(head_, item); }
  void push_front(T& item) { insert_before(*head_.next_, item); }

  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  /// The element after `item`, or nullptr at the end.
  T* after(T& item) {
    Node* next = static_cast<Node&>(item).next_;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }

  T* pop_front() {
    T* item = front();
    if (item != nullptr) remove(*item);
    return item;
  }

  void remove(T& item) {
    Node& node = item;
    SALLYPORT_ASSERT(node.linked());
    node.previous_->next_ = node.next_;
    node.next_->previous_ = node.previous_;
    node.next_ = node.previous_ = nullptr;
    --size_;
  }

 private:
  void insert_before(Node& position, T& item) {
    Node& node = item;
    SALLYPORT_ASSERT(!node.linked());
    node.next_ = &position;
    node.previous_ = position.previous_;
    position.previous_->next_ = &node;
    position.previous_ = &node;
    ++size_;
  }

  Node head_;
  std::size_t size_ = 0;
};

}  // namespace sallyport
