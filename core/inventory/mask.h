#pragma once
// Secret-looking text hidden before anything leaves this machine: reports, spools, logs of settings. Pure
// functions; any thread. Hiding too much is accepted, hiding too little is a bug.

#include <map>
#include <string>
#include <string_view>

namespace porter::inventory {

// Does a key of this name hold a secret? password, passwd, passphrase, secret, token, credential, api key,
// private key, access key: anywhere in the name, any case, with or without - _ . between the words; pass,
// pwd, pw, salt, cookie: as words of their own.
bool is_secret_key(std::string_view key);

// The text with these replaced by ***:
// - userinfo of addresses (http::redact_urls);
// - PEM blocks, cut-off ones up to the end of the text;
// - tokens of known shape (forges, clouds, package indexes, chat services, JSON web tokens);
// - what follows "Bearer ", "Basic ", a secret key with "=" or ":", or "--secret-key ".
std::string mask_text(std::string_view text);

// mask_text(), or *** when the key alone says that the value is secret. An empty value stays empty.
std::string mask_value(std::string_view key, std::string_view value);

std::map<std::string, std::string> mask_settings(const std::map<std::string, std::string>& settings);

}  // namespace porter::inventory
