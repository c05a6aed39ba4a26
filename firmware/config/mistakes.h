// MistakeList: what is wrong with the settings, for the operator. The parser, the checks and whoever judges
// certificates add to it; the appliance opens no port while it is not empty.
#pragma once

#include <cstddef>
#include <cstdint>

#include "firmware/config/bounded_list.h"
#include "hal/base/fixed_string.h"

namespace sallyport::firmware {

struct Mistake {
  std::uint32_t line = 0;  // of the settings' text, from 1; 0: the settings as a whole (something is missing)
  FixedString<200> text;   // the word, why it is wrong, what is allowed
};

class MistakeList {
 public:
  static constexpr std::size_t max_kept = 10;

  /// The first max_kept are kept, the others counted. A longer text is cut.
  [[gnu::format(printf, 3, 4)]] void add(std::uint32_t line, const char* format, ...);
  void clear();

  bool empty() const { return total_ == 0; }
  std::size_t total() const { return total_; }
  /// In the order of lines; what has no line comes last.
  std::span<const Mistake> kept() const { return kept_.view(); }

  /// Logs each as an error: "line 7: ...", and how many more there are.
  void report() const;

 private:
  BoundedList<Mistake, max_kept> kept_;
  std::size_t total_ = 0;
};

}  // namespace sallyport::firmware
