// Checks between settings: what can only be judged when all lines are known. Each contradiction becomes a mistake;
// values that are not set are left alone, the parser says what is missing. parse_settings() calls them.
#pragma once

#include "firmware/config/mistakes.h"
#include "firmware/config/settings.h"

namespace sallyport::firmware {

/// Addresses, gateways, DNS servers and networks against each other. Only meaningful when every address line is right:
/// what is wrong in one would be blamed on the others.
void check_networks(const Settings& settings, MistakeList& mistakes);

/// What each partner needs.
void check_partners(const Settings& settings, MistakeList& mistakes);

}  // namespace sallyport::firmware
