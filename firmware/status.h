// Status: what `show status` and `show sessions` say, read from the live objects.
#pragma once

#include <cstdint>
#include <optional>

#include "bsp/board.h"
#include "firmware/border.h"
#include "firmware/config/settings.h"
#include "firmware/config/settings_directory.h"
#include "firmware/console/console.h"
#include "hal/wall_clock.h"

namespace sallyport::firmware {

/// How much of the time the loop has worked rather than slept.
class LoadMeter {
 public:
  void worked(Duration duration) { busy_ += duration; }
  /// Since power-on.
  Duration busy() const { return busy_; }

 private:
  Duration busy_{};
};

class Status final : public StatusSource {
 public:
  /// All outlive this; `border` is empty while the ports are closed.
  Status(bsp::Board& board, const Settings& settings, const SettingsDirectory& directory, const hal::WallClock& clock,
         const LoadMeter& load, std::optional<Border>& border)
      : board_(board), settings_(settings), directory_(directory), clock_(clock), load_(load), border_(border) {}
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;

  bool write_status(std::size_t& cursor, Printer& to) override;
  bool write_sessions(std::size_t& cursor, Printer& to) override;

 private:
  void write_system(Printer& to);
  void write_network(Printer& to);
  void write_streams(Printer& to);
  void write_memory(Printer& to);

  bsp::Board& board_;
  const Settings& settings_;
  const SettingsDirectory& directory_;
  const hal::WallClock& clock_;
  const LoadMeter& load_;
  std::optional<Border>& border_;
};

}  // namespace sallyport::firmware
