// Checks between settings: what can only be judged when all lines are known. parse_settings() calls it.
#pragma once

#include "firmware/config/mistakes.h"
#include "firmware/config/settings.h"

namespace sallyport::firmware {

/// Adds a mistake for each contradiction. Values that are not set are left alone: the parser says what is missing.
void check_settings(const Settings& settings, MistakeList& mistakes);

}  // namespace sallyport::firmware
