// The host board's start-up code: where a real board has vectors and clocks, this one has a command line.

#include <getopt.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "boards/host/host_board.h"
#include "firmware/appliance.h"

namespace sallyport::boards::host {

namespace {

constexpr char usage[] =
    R"(Usage: sallyport --external TAP --internal TAP [--card FILE] [option...]

Runs the appliance's firmware as a Linux process between two TAP devices that exist already
("ip tuntap add dev TAP mode tap" in this network namespace).

  --external TAP    the device towards the partners (appliance's MAC address 02:53:41:59:00:01)
  --internal TAP    the device towards the gateway  (appliance's MAC address 02:53:41:59:00:02)
  --card FILE       the SD card's image (tools/make-card); without it the slot is empty
  --console WHERE   stdio (default); pty (its path is printed on standard error); unix:PATH
                    (a socket to connect to, one client at a time)
  --control FILE    a FIFO of commands, one a line: "link external down", "link internal up", "reset"
  --rtc CLOCK       host (default): the machine's clock; none: a board without RTC; a number:
                    UNIX time at the start, running on
  --entropy SOURCE  host (default): the kernel's random numbers; none: a board without generator
  --help            this text

The cable of a side is pulled with "ip link set dev TAP down" or with --control. SIGTERM and SIGINT end the process; the
console's "reboot" starts it again, with the console still connected. Exit codes: 0 ended by a signal, 2 wrong command line
or a device that does not open.
)";

constexpr int exit_usage = 2;

struct Options {
  const char* external = nullptr;
  const char* internal = nullptr;
  const char* card = nullptr;
  const char* console = "stdio";
  const char* control = nullptr;
  const char* rtc = "host";
  const char* entropy = "host";
  const char* resume_console = nullptr;
};

[[noreturn]] void refuse(const char* option, const char* value, const char* reason, int system_error = 0) {
  std::fprintf(stderr, "sallyport: %s %s: %s%s%s\n", option, value, reason, system_error != 0 ? ": " : "",
               system_error != 0 ? std::strerror(system_error) : "");
  std::exit(exit_usage);
}

Options parse(int argument_count, char** arguments) {
  Options options;
  struct Entry {
    option parser_option;
    const char** value;
  };
  const Entry entries[] = {
      {{"external", required_argument, nullptr, 0}, &options.external},
      {{"internal", required_argument, nullptr, 0}, &options.internal},
      {{"card", required_argument, nullptr, 0}, &options.card},
      {{"console", required_argument, nullptr, 0}, &options.console},
      {{"control", required_argument, nullptr, 0}, &options.control},
      {{"rtc", required_argument, nullptr, 0}, &options.rtc},
      {{"entropy", required_argument, nullptr, 0}, &options.entropy},
      {{"resume-console", required_argument, nullptr, 0}, &options.resume_console},  // reset() only
      {{"help", no_argument, nullptr, 'h'}, nullptr},
  };
  option table[std::size(entries) + 1] = {};
  for (std::size_t i = 0; i < std::size(entries); ++i) table[i] = entries[i].parser_option;

  int index = 0;
  for (int found; (found = ::getopt_long(argument_count, arguments, "h", table, &index)) != -1;) {
    if (found == 'h') {
      std::fputs(usage, stdout);
      std::exit(EXIT_SUCCESS);
    }
    if (found != 0) {
      std::fputs("Try --help.\n", stderr);
      std::exit(exit_usage);
    }
    *entries[index].value = optarg;
  }
  if (optind < argument_count) refuse("argument", arguments[optind], "is not understood, try --help");
  if (options.external == nullptr || options.internal == nullptr) {
    std::fputs("sallyport: --external and --internal are needed, try --help\n", stderr);
    std::exit(exit_usage);
  }
  return options;
}

void connect_console(HostBoard& board, const Options& options) {
  const std::string_view where = options.console;
  hal::ConsolePort& console = board.console_port();
  Result<void, const char*> opened;
  if (options.resume_console != nullptr) {
    opened = console.resume(options.resume_console);
  } else if (where == "stdio") {
    console.open_stdio();
  } else if (where == "pty") {
    opened = console.open_pty();
    if (opened) std::fprintf(stderr, "sallyport: console on %s\n", console.pty_path().data());
  } else if (where.starts_with("unix:")) {
    opened = console.open_unix(options.console + std::strlen("unix:"));
  } else {
    refuse("--console", options.console, "is not stdio, pty or unix:PATH");
  }
  if (!opened) refuse("--console", options.console, opened.error(), errno);
}

void set_clock(HostBoard& board, const char* value) {
  const std::string_view clock = value;
  if (clock == "none") return;
  board.rtc().follow_host();
  if (clock == "host") return;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(clock.begin(), clock.end(), seconds);
  if (error != std::errc() || end != clock.end()) refuse("--rtc", value, "is not host, none or a UNIX time");
  board.rtc().set(UnixTime(std::chrono::seconds(seconds)));
}

void set_entropy(HostBoard& board, const char* value) {
  const std::string_view source = value;
  if (source != "host" && source != "none") refuse("--entropy", value, "is not host or none");
  board.random_generator().enable(source == "host");
}

void connect(HostBoard& board, const Options& options) {
  if (const auto opened = board.external_tap().open(options.external); !opened) {
    refuse("--external", options.external, opened.error(), errno);
  }
  if (const auto opened = board.internal_tap().open(options.internal); !opened) {
    refuse("--internal", options.internal, opened.error(), errno);
  }
  if (options.card != nullptr) {
    if (const auto opened = board.card().open(options.card); !opened) refuse("--card", options.card, opened.error());
    if (board.card().block_count() == 0) std::fprintf(stderr, "sallyport: no card: %s is missing\n", options.card);
    if (board.card().read_only()) std::fprintf(stderr, "sallyport: %s is write-protected\n", options.card);
  }
  if (options.control != nullptr) {
    if (const auto opened = board.control().open(options.control); !opened) {
      refuse("--control", options.control, opened.error(), errno);
    }
  }
  connect_console(board, options);
}

}  // namespace

}  // namespace sallyport::boards::host

int main(int argument_count, char** arguments) {
  using namespace sallyport::boards::host;
  const Options options = parse(argument_count, arguments);
  HostBoard& board = host_board();
  set_clock(board, options.rtc);
  set_entropy(board, options.entropy);
  connect(board, options);
  board.power_on(argument_count, arguments);
  sallyport::firmware::run(board);
}
