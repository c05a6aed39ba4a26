#include "firmware/config/mistakes.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <limits>

#include "hal/base/log.h"

namespace sallyport::firmware {

void MistakeList::add(std::uint32_t line, const char* format, ...) {
  ++total_;
  if (kept_.full()) return;
  std::array<char, 201> text{};
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  static_cast<void>(kept_.push({line, FixedString<200>(std::string_view(text.data()))}));

  const auto place_of = [](const Mistake& mistake) {
    return mistake.line == 0 ? std::numeric_limits<std::uint32_t>::max() : mistake.line;
  };
  auto all = kept_.view();
  for (std::size_t i = all.size() - 1; i > 0 && place_of(all[i]) < place_of(all[i - 1]); --i)
    std::swap(all[i], all[i - 1]);
}

void MistakeList::clear() {
  kept_.clear();
  total_ = 0;
}

void MistakeList::report() const {
  constexpr const char* module = "settings";
  for (const Mistake& mistake : kept_) {
    if (mistake.line != 0)
      log(LogLevel::error, module, "line %" PRIu32 ": %s", mistake.line, mistake.text.c_str());
    else
      log(LogLevel::error, module, "%s", mistake.text.c_str());
  }
  if (total_ > kept_.size()) log(LogLevel::error, module, "and %zu more mistakes", total_ - kept_.size());
}

}  // namespace sallyport::firmware
