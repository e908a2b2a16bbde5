#pragma once
// Base64 (RFC 4648) as SSH files use it. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace porter::transport {

std::string to_base64(std::span<const std::uint8_t> bytes);
// Nothing when `text` is no base64 with correct padding.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace porter::transport
