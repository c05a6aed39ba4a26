// Watchdog: resets the board when the loop stops calling refresh() for `timeout`.
#pragma once

#include <chrono>

namespace sallyport::hal {

class Watchdog {
 public:
  virtual void start(std::chrono::seconds timeout) = 0;
  virtual void refresh() = 0;

 protected:
  ~Watchdog() = default;
};

}  // namespace sallyport::hal
