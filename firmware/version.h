#pragma once

namespace sallyport::firmware {

inline constexpr char version[] = "0.1.0";

}  // namespace sallyport::firmware
