// The conversion of a certificate's times to the firmware's.
#pragma once

#include <chrono>

#include "hal/base/time.h"
#include "mbedtls/x509.h"

namespace sallyport::net::tls {

inline UnixTime to_unix_time(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  const year_month_day date{year(time.year), month(static_cast<unsigned>(time.mon)),
                            day(static_cast<unsigned>(time.day))};
  return sys_days(date) + hours(time.hour) + minutes(time.min) + seconds(time.sec);
}

}  // namespace sallyport::net::tls
