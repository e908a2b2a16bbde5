#pragma once
// The version of this program; the SDK's header has the number.

#include <porter/abi.h>

namespace porter::cli {

inline constexpr const char* kVersion = PORTER_SDK_VERSION;

}  // namespace porter::cli
