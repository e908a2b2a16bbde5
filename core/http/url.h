#pragma once
// Addresses as text: what may be printed of them, and how form fields are written. Pure; any thread. Used by
// everything that talks HTTP or names an address to people.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace porter::http {

// What stands in place of hidden text, everywhere.
inline constexpr std::string_view kMask = "***";

// The text with the userinfo of every address in it hidden: "https://***@host/simple". A name without a
// password stays when the scheme has no tokens in that place ("ssh://git@host" is readable). Passwords whose
// "/", "?" or "#" were not percent-encoded are hidden too, unless the part before them reads as a port.
std::string redact_urls(std::string_view text);
// redact_urls() for one address, made safe for a terminal.
std::string redact_url(std::string_view url);

// "https" of "https://host/"; lower case; "" when there is none.
std::string scheme_of(std::string_view url);

// Percent-encoding of RFC 3986: everything but letters, digits and -._~ becomes %XX.
std::string percent_encode(std::string_view text);

using Fields = std::vector<std::pair<std::string, std::string>>;

// application/x-www-form-urlencoded.
std::string encode_form(const Fields& fields);

}  // namespace porter::http
