#include "firmware/config/settings.h"

namespace sallyport::firmware {

void Settings::clear() {
  system_name = {};
  external = {};
  internal = {};
  local_domains.clear();
  partners.clear();
  gateway_wait = {default_gateway_wait, 0};
  log_level = {default_log_level, 0};
  domains.clear();
}

}  // namespace sallyport::firmware
