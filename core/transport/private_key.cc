#include "core/transport/private_key.h"

#include <algorithm>
#include <string>

#include "core/base/files.h"
#include "core/transport/base64.h"

namespace porter::transport {
namespace {

// What stands between the BEGIN and END lines of OpenSSH's own format, decoded.
std::string openssh_body(std::string_view text) {
  constexpr std::string_view begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
  const std::size_t from = text.find(begin);
  const std::size_t to = text.find("-----END", from == std::string_view::npos ? 0 : from + begin.size());
  if (from == std::string_view::npos || to == std::string_view::npos) return "";
  std::string body(text.substr(from + begin.size(), to - from - begin.size()));
  std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
  const auto bytes = from_base64(body);
  return bytes ? std::string(bytes->begin(), bytes->end()) : "";
}

}  // namespace

bool is_encrypted_key(std::string_view text) {
  if (text.find("ENCRYPTED") != std::string_view::npos) return true;
  using namespace std::string_view_literals;
  const std::string body = openssh_body(text);
  return body.starts_with("openssh-key-v1\0"sv) && !body.starts_with("openssh-key-v1\0\0\0\0\4none"sv);
}

KeyFile inspect_key_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return KeyFile::missing;
  return is_encrypted_key(base::read_file(file, 1U << 20U)) ? KeyFile::encrypted : KeyFile::plain;
}

KeyPtr load_private_key(const std::filesystem::path& file, const base::Secret& passphrase) {
  ssh_key key = nullptr;
  const char* phrase = passphrase.empty() ? nullptr : passphrase.reveal().c_str();
  const int answer = ::ssh_pki_import_privkey_file(file.c_str(), phrase, nullptr, nullptr, &key);
  return KeyPtr(answer == SSH_OK ? key : nullptr);
}

KeyPtr load_public_key(const std::filesystem::path& file) {
  for (const std::string& each : {file.string() + ".pub", file.string()}) {
    ssh_key key = nullptr;
    if (::ssh_pki_import_pubkey_file(each.c_str(), &key) == SSH_OK) return KeyPtr(key);
  }
  return nullptr;
}

bool add_certificate(const std::filesystem::path& file, ssh_key key) {
  ssh_key certificate = nullptr;
  if (::ssh_pki_import_cert_file((file.string() + "-cert.pub").c_str(), &certificate) != SSH_OK) return false;
  const KeyPtr owned(certificate);
  return ::ssh_pki_copy_cert_to_privkey(certificate, key) == SSH_OK;
}

}  // namespace porter::transport
