#include "firmware/console/line_editor.h"

#include <algorithm>

namespace sallyport::firmware {
namespace {

constexpr char control(char letter) { return static_cast<char>(letter & 0x1F); }
constexpr char escape = 0x1B;
constexpr char rubout = 0x7F;
constexpr char bell = 0x07;
constexpr std::string_view clear_to_end = "\x1b[K";  // ECMA-48 EL

bool is_printable(char byte) { return byte >= 0x20 && byte < 0x7F; }

}  // namespace

LineEditor::Event LineEditor::feed(char byte) {
  const bool second_of_pair = after_return_ && byte == '\n';
  after_return_ = byte == '\r';
  if (second_of_pair) return Event::none;
  if (escape_ != Escape::none) return feed_escape(byte), Event::none;
  if (!is_printable(byte)) return feed_control(byte);
  insert(byte);
  return Event::none;
}

void LineEditor::start() {
  line_.clear();
  cursor_ = scroll_ = recalled_ = 0;
  overflow_ = false;
}

void LineEditor::remember(std::string_view line) {
  if (line.empty() || (history_count_ > 0 && history_[0] == line)) return;
  std::shift_right(history_.begin(), history_.end(), 1);
  static_cast<void>(history_[0].assign(line));
  history_count_ = std::min(history_count_ + 1, history_lines);
}

// The window moves by half of itself, so that typing at its edge does not redraw the line for each byte.
void LineEditor::draw() {
  if (cursor_ < scroll_ || cursor_ - scroll_ > window()) scroll_ = cursor_ > window() ? cursor_ - window() / 2 : 0;
  const std::string_view visible = line_.view().substr(scroll_, window());
  FixedString<max_echo> screen("\r");
  static_cast<void>(screen.append(prompt_));
  static_cast<void>(screen.append(visible));
  static_cast<void>(screen.append(clear_to_end));
  for (std::size_t back = scroll_ + visible.size() - cursor_; back > 0; --back) static_cast<void>(screen.append("\b"));
  if (!output_.push(screen)) output_.count_lost_line();
}

void LineEditor::erase() { static_cast<void>(output_.push("\r\x1b[K")); }

LineEditor::Event LineEditor::feed_control(char byte) {
  switch (byte) {
    case '\r':
    case '\n': static_cast<void>(output_.push("\r\n")); return overflow_ ? Event::too_long : Event::line;
    case control('C'): static_cast<void>(output_.push("^C\r\n")); return Event::interrupted;
    case '\b':
    case rubout: remove(cursor_ - std::min<std::size_t>(cursor_, 1), cursor_); break;
    case control('U'): remove(0, cursor_); break;
    case control('K'): remove(cursor_, line_.size()); break;
    case control('W'): {
      std::size_t from = cursor_;
      while (from > 0 && line_.view()[from - 1] == ' ') --from;
      while (from > 0 && line_.view()[from - 1] != ' ') --from;
      remove(from, cursor_);
      break;
    }
    case control('A'): move_to(0); break;
    case control('E'): move_to(line_.size()); break;
    case control('B'): move_to(cursor_ - std::min<std::size_t>(cursor_, 1)); break;
    case control('F'): move_to(cursor_ + 1); break;
    case control('P'): recall(recalled_ + 1); break;
    case control('N'):
      if (recalled_ > 0) recall(recalled_ - 1);
      break;
    case escape: escape_ = Escape::started; break;
    default: break;
  }
  return Event::none;
}

// ECMA-48 5.4: ESC [ parameters final, or ESC O final of a terminal's application mode. Anything else ends the
// sequence.
void LineEditor::feed_escape(char byte) {
  if (escape_ == Escape::started) {
    escape_ = byte == '[' || byte == 'O' ? Escape::sequence : Escape::none;
    escape_parameter_ = 0;
    return;
  }
  if (byte >= 0x20 && byte < 0x40) {
    if (escape_parameter_ == 0) escape_parameter_ = byte;
    return;
  }
  escape_ = Escape::none;
  finish_escape(byte);
}

void LineEditor::finish_escape(char final) {
  switch (final) {
    case 'A': return recall(recalled_ + 1);
    case 'B': return recalled_ > 0 ? recall(recalled_ - 1) : void();
    case 'C': return move_to(cursor_ + 1);
    case 'D': return move_to(cursor_ - std::min<std::size_t>(cursor_, 1));
    case 'H': return move_to(0);
    case 'F': return move_to(line_.size());
    case '~':
      if (escape_parameter_ == '3') return remove(cursor_, std::min(cursor_ + 1, line_.size()));
      if (escape_parameter_ == '1' || escape_parameter_ == '7') return move_to(0);
      if (escape_parameter_ == '4' || escape_parameter_ == '8') return move_to(line_.size());
      return;
    default: return;
  }
}

void LineEditor::insert(char c) {
  if (line_.size() == max_line) {
    overflow_ = true;
    static_cast<void>(output_.push({&bell, 1}));
    return;
  }
  const FixedString<max_line> tail(line_.view().substr(cursor_));
  const FixedString<max_line> head(line_.view().substr(0, cursor_));
  line_ = head;
  static_cast<void>(line_.append({&c, 1}));
  static_cast<void>(line_.append(tail));
  ++cursor_;
  if (tail.empty() && cursor_ - scroll_ <= window())
    static_cast<void>(output_.push({&c, 1}));
  else
    draw();
}

void LineEditor::remove(std::size_t from, std::size_t to) {
  if (from == to) return;
  const FixedString<max_line> tail(line_.view().substr(to));
  const FixedString<max_line> head(line_.view().substr(0, from));
  line_ = head;
  static_cast<void>(line_.append(tail));
  cursor_ = from;
  // What did not fit is gone: the rest counts as whole again only when nothing is left of it.
  overflow_ = overflow_ && !line_.empty();
  draw();
}

void LineEditor::move_to(std::size_t cursor) {
  cursor_ = std::min(cursor, line_.size());
  draw();
}

void LineEditor::recall(std::size_t back) {
  if (back > history_count_) return;
  recalled_ = back;
  line_.clear();
  if (back > 0) line_ = history_[back - 1];
  cursor_ = line_.size();
  scroll_ = 0;
  draw();
}

}  // namespace sallyport::firmware
