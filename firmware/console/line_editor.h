// LineEditor: one line of input on a terminal, with a cursor, a window for lines longer than the screen, and a short
// history.
//
//   Enter (CR, LF or CR LF)    the line is complete
//   Backspace, ^H, Delete      remove a character       ^U  the line up to the cursor      ^W  the word before the
//   cursor Left, Right, ^B, ^F        move                     ^A, Home  to the start             ^E, End  to the end
//   Up, Down, ^P, ^N           history                  ^K  the rest of the line           ^C  give up
//
// Every other control byte, escape sequence and byte above 0x7E has no effect. A line longer than max_line rings the
// bell, and is reported as too long instead of being cut: half a command may be another command.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "firmware/console/output.h"
#include "hal/base/fixed_string.h"

namespace sallyport::firmware {

class LineEditor {
 public:
  static constexpr std::size_t max_line = 255;  // bytes
  static constexpr std::size_t columns = 80;
  static constexpr std::size_t history_lines = 8;
  /// The most bytes that one input byte, erase() or draw() makes: prompt, visible part, and moves back to the cursor.
  static constexpr std::size_t max_echo = 256;

  enum class Event : std::uint8_t { none, line, too_long, interrupted };

  explicit LineEditor(ConsoleOutput& output) : output_(output) {}

  /// At most 40 bytes of a static string.
  void set_prompt(std::string_view prompt) { prompt_ = prompt; }
  /// Takes a byte and echoes; needs max_echo bytes of room. After Event::line, line() is valid until the next start().
  Event feed(char byte);
  std::string_view line() const { return line_; }
  /// Forgets the line and begins a new one; draws nothing.
  void start();
  void remember(std::string_view line);

  /// Shows prompt and line as they are; clears them from the screen. Each needs max_echo bytes of room.
  void draw();
  void erase();

 private:
  enum class Escape : std::uint8_t { none, started, sequence };

  Event feed_control(char byte);
  void feed_escape(char byte);
  void finish_escape(char final);
  void insert(char c);
  void remove(std::size_t from, std::size_t to);
  void move_to(std::size_t cursor);
  void recall(std::size_t back);
  std::size_t window() const { return columns - 1 - prompt_.size(); }

  ConsoleOutput& output_;
  std::string_view prompt_ = "> ";
  FixedString<max_line> line_;
  std::size_t cursor_ = 0;
  std::size_t scroll_ = 0;  // first byte of the line that is visible
  bool overflow_ = false;
  bool after_return_ = false;
  Escape escape_ = Escape::none;
  char escape_parameter_ = 0;

  std::array<FixedString<max_line>, history_lines> history_{};
  std::size_t history_count_ = 0;
  std::size_t recalled_ = 0;  // 0: the line itself, n: the n-th line back
};

}  // namespace sallyport::firmware
