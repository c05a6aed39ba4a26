// Console: the operator's terminal on the board's serial port. It shows the log as it grows, edits a line, and runs
// commands from one table; what it does not know it refuses with the nearest commands.
//
// poll() never blocks and does a bounded piece of work. A listing is printed row by row as the port takes it, however
// long it is; while it runs, input waits in a small buffer (^C ends the listing), and what the buffer cannot hold stays
// in the driver.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "firmware/config/bounded_list.h"
#include "firmware/console/line_editor.h"
#include "firmware/console/output.h"
#include "firmware/log.h"
#include "hal/base/time.h"
#include "hal/clock.h"
#include "hal/serial_port.h"

namespace sallyport::firmware {

/// What `show status` and `show sessions` print. A listing is asked for in steps: each call prints some lines, at most
/// Console::max_step_lines, and moves `cursor` (0 at first, then the source's own meaning). False: the end; nothing was
/// printed. Between two steps the world may change; a listing is no snapshot.
class StatusSource {
 public:
  virtual bool write_status(std::size_t& cursor, Printer& to) = 0;
  virtual bool write_sessions(std::size_t& cursor, Printer& to) = 0;

 protected:
  ~StatusSource() = default;
};

/// `reboot`: called once, when the console's output has been handed to the port.
class RebootHandler {
 public:
  virtual void reboot() = 0;

 protected:
  ~RebootHandler() = default;
};

class Console {
 public:
  static constexpr std::size_t max_step_lines = 8;

  Console(hal::SerialPort& port, LogRing& log, StatusSource& status, RebootHandler& reboot);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// From the loop. True when output still waits for the port: come back within a few milliseconds, whatever else
  /// happens.
  bool poll();
  /// Prints the log and everything that waits, until the port has it all or `limit` has passed. For boot, before the
  /// loop runs, and for a reset.
  void drain(const hal::MonotonicClock& clock, Duration limit);
  /// For boot messages that are no log events. What has no room is counted and said.
  Printer& printer() {
    hide_prompt();
    return printer_;
  }

 private:
  using Words = BoundedList<std::string_view, 8>;
  using Arguments = std::span<const std::string_view>;
  struct Command {
    std::string_view words;      // "show log"
    std::string_view arguments;  // as help shows them, "[N]"; empty: none are taken
    std::string_view help;
    void (Console::*run)(Arguments);
  };
  enum class Listing : std::uint8_t { none, status, sessions, log, help };
  enum class Mode : std::uint8_t { command, confirm_reboot, rebooting };

  static std::span<const Command> commands();

  void read_port();
  void say_lost_output();
  void print_log();
  void run_listing();
  bool step_listing();
  void take_input();
  void handle(LineEditor::Event event);

  void run_line(std::string_view line);
  void confirm_reboot(std::string_view answer);
  const Command* find_command(const Words& words);
  void say_choices(Arguments words, std::span<const Command* const> candidates, const char* what);
  void refuse_unknown(const Words& words);

  void show_status(Arguments) { start_listing(Listing::status); }
  void show_sessions(Arguments) { start_listing(Listing::sessions); }
  void show_log(Arguments arguments);
  void reboot(Arguments arguments);
  void help(Arguments) { start_listing(Listing::help); }
  void start_listing(Listing listing);

  void show_prompt();
  void hide_prompt();
  bool has_room(std::size_t lines) const;

  hal::SerialPort& port_;
  LogRing& log_;
  StatusSource& status_;
  RebootHandler& reboot_;

  ConsoleOutput output_;
  Printer printer_{output_};
  LineEditor editor_{output_};
  Mode mode_ = Mode::command;
  bool prompt_shown_ = false;

  LogRing::Cursor shown_log_;
  Listing listing_ = Listing::none;
  std::size_t listing_cursor_ = 0;
  LogRing::Cursor log_cursor_;
  std::uint64_t log_end_ = 0;  // sequence at which `show log` ends, so that it ends

  std::array<char, 1024> input_{};
  std::size_t input_count_ = 0;
  std::size_t input_taken_ = 0;
};

}  // namespace sallyport::firmware
