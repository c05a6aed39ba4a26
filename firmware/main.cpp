#include "firmware/appliance.h"

#include <algorithm>
#include <cinttypes>
#include <optional>

#include "firmware/border.h"
#include "firmware/config/settings_image.h"
#include "firmware/config/settings_parser.h"
#include "firmware/config/store.h"
#include "firmware/console/console.h"
#include "firmware/log.h"
#include "firmware/status.h"
#include "firmware/version.h"
#include "hal/base/log.h"
#include "net/tls/drbg.h"

namespace sallyport::firmware {

namespace {

constexpr const char* module = "boot";

class Appliance final : private RebootHandler {
 public:
  explicit Appliance(bsp::Board& board);
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;

  void boot();
  [[noreturn]] void loop();

 private:
  bool load_settings();
  bool seed_generator();
  void set_clock();
  bool check_credentials();
  void keep_clock_floor(Instant now);
  void tick(Instant now);
  Instant next_wake_up(Instant now, bool console_waits);
  void reboot() override { board_.reset(); }

  bsp::Board& board_;
  TaskQueue tasks_;
  LogRing log_;
  SettingsImage image_;
  Settings settings_;
  SettingsDirectory directory_{settings_};
  Store store_;
  hal::WallClock wall_clock_;
  net::tls::Drbg drbg_;
  net::tls::Engine tls_;
  CredentialStore credentials_;
  std::optional<Border> border_;  // empty: both ports are closed
  LoadMeter load_;
  Status status_;
  Console console_;
  Instant next_tick_{};
  Instant next_clock_floor_{};
};

Appliance::Appliance(bsp::Board& board)
    : board_(board),
      log_(board.clock()),
      store_(board.storage()),
      wall_clock_(board.clock()),
      tls_(drbg_, wall_clock_, tasks_),
      status_(board, settings_, directory_, wall_clock_, load_, border_),
      console_(board.console(), log_, status_, *this) {
  set_log_sink(&log_);
}

void Appliance::boot() {
  log(LogLevel::notice, module, "Sallyport %s on %.*s", version, SALLYPORT_SV(board_.name()));
  board_.watchdog().start(limits::watchdog);
  if (!load_settings() || !seed_generator()) return;
  set_clock();
  if (!check_credentials()) return;

  border_.emplace(Border::Services{board_, tasks_, drbg_, tls_, settings_, directory_, credentials_});
  if (!border_->open()) {
    border_.reset();
    log(LogLevel::error, module, "the network could not be started; both ports stay closed");
    return;
  }
  const auto since_reset =
      std::chrono::duration_cast<std::chrono::milliseconds>(board_.clock().now().time_since_epoch());
  log(LogLevel::notice, module, "listening: external TCP %u, internal TCP %u, %" PRId64 " ms after reset",
      net::External::listen_port, net::Internal::listen_port, static_cast<std::int64_t>(since_reset.count()));
}

bool Appliance::load_settings() {
  const auto loaded = store_.load(image_);
  if (!loaded) {
    log(LogLevel::error, module, "no settings: %s", loaded.error().text.c_str());
    log(LogLevel::error, module, "both ports stay closed; put in a card made by tools/make-card and type 'reboot'");
    return false;
  }
  MistakeList mistakes;
  if (!parse_settings(image_, settings_, mistakes)) {
    mistakes.report();
    log(LogLevel::error, module, "the settings have %zu mistakes; both ports stay closed", mistakes.total());
    return false;
  }
  log_.set_level(settings_.log_level.value);
  log(LogLevel::info, module, "settings: slot %u, generation %" PRIu64 ", %zu partners", loaded->slot,
      loaded->generation, settings_.partners.size());
  return true;
}

/// A seed never serves two boots: its successor is on the card before anything is drawn from the generator.
bool Appliance::seed_generator() {
  const auto stored = store_.read_seed();
  if (!stored) log(LogLevel::warning, module, "no stored seed: %s", stored.error().text.c_str());
  const auto seeded =
      drbg_.seed(stored ? std::span<const std::byte>(*stored) : std::span<const std::byte>{}, board_.entropy());
  if (!seeded) {
    const std::string_view why = net::tls::to_text(seeded.error());
    log(LogLevel::error, module, "%.*s", SALLYPORT_SV(why));
    log(LogLevel::error, module, "without random numbers no key is safe: both ports stay closed");
    return false;
  }
  Seed next;
  drbg_.next_seed(next);
  if (const auto renewed = store_.renew_seed(next); !renewed) {
    log(LogLevel::error, module, "the seed cannot be renewed: %s; both ports stay closed",
        renewed.error().text.c_str());
    return false;
  }
  return true;
}

void Appliance::set_clock() {
  if (const auto floor = store_.clock_floor(); floor) wall_clock_.set_floor(*floor);
  if (const auto rtc = board_.real_time_clock().read(); rtc && !wall_clock_.set(*rtc))
    log(LogLevel::warning, module, "the real-time clock shows a time before the card was made: it is not used");
  switch (wall_clock_.source()) {
    case hal::WallClock::Source::unknown:
      log(LogLevel::error, module, "the time is unknown: no certificate can be checked, no stream can be opened");
      break;
    case hal::WallClock::Source::floor:
      log(LogLevel::warning, module, "no real-time clock: the clock starts at the card's last known time");
      break;
    case hal::WallClock::Source::set: break;
  }
}

bool Appliance::check_credentials() {
  MistakeList mistakes;
  credentials_.load(settings_, mistakes);
  if (mistakes.empty()) return true;
  mistakes.report();
  log(LogLevel::error, module, "the certificates and keys have %zu mistakes; both ports stay closed", mistakes.total());
  return false;
}

void Appliance::loop() {
  Instant awake = board_.clock().now();
  for (;;) {
    board_.watchdog().refresh();
    const bool more_frames = border_ && border_->poll_network();
    tasks_.run_ready();
    const bool console_waits = console_.poll();

    const Instant now = board_.clock().now();
    if (now >= next_tick_) tick(now);
    if (more_frames || !tasks_.empty()) continue;

    load_.worked(board_.clock().now() - awake);
    board_.wait_for_event(next_wake_up(now, console_waits));
    awake = board_.clock().now();
  }
}

void Appliance::tick(Instant now) {
  next_tick_ = now + limits::tick;
  log_.settle();
  if (border_) border_->tick();
  keep_clock_floor(now);
}

Instant Appliance::next_wake_up(Instant now, bool console_waits) {
  Instant wake_up = next_tick_;
  if (border_) wake_up = std::min(wake_up, border_->next_deadline());
  if (console_waits) wake_up = std::min(wake_up, now + limits::console_retry);
  return wake_up;
}

/// After a power cut the clock starts at most this much too early.
void Appliance::keep_clock_floor(Instant now) {
  if (!border_ || now < next_clock_floor_) return;
  next_clock_floor_ = now + limits::clock_floor_interval;
  if (const auto time = wall_clock_.now(); time) {
    if (const auto raised = store_.raise_clock_floor(*time); !raised)
      log(LogLevel::warning, "card", "the time cannot be stored: %s", raised.error().text.c_str());
  }
}

}  // namespace

void run(bsp::Board& board) {
  static Appliance appliance(board);
  appliance.boot();
  appliance.loop();
}

}  // namespace sallyport::firmware
