#include "core/transport/known_hosts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/transport/base64.h"
#include "core/transport/host_pattern.h"

namespace porter::transport {
namespace {

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t\r", at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    fields.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return fields;
}

// "|1|SALT|HASH": HASH is HMAC-SHA1 of the name with SALT as key (ssh-keygen -H).
bool hashed_name_matches(std::string_view entry, const std::string& name) {
  const std::vector<std::string> parts = base::split(entry, '|');
  if (parts.size() != 4 || parts[1] != "1") return false;
  const auto salt = from_base64(parts[2]);
  const auto expected = from_base64(parts[3]);
  if (!salt || !expected) return false;
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned length = 0;
  HMAC(EVP_sha1(), salt->data(), static_cast<int>(salt->size()),
       reinterpret_cast<const unsigned char*>(name.data()), name.size(), hash.data(), &length);
  return std::equal(expected->begin(), expected->end(), hash.begin(), hash.begin() + length);
}

bool is_about(const KnownKey& key, const std::string& name) {
  if (key.hosts.size() == 1 && key.hosts.front().starts_with('|'))
    return hashed_name_matches(key.hosts.front(), name);
  return host_patterns_match(key.hosts, name);
}

std::optional<KnownKey> parse_line(std::string_view line) {
  std::vector<std::string> fields = fields_of(line);
  if (fields.empty() || fields.front().starts_with('#')) return std::nullopt;
  KnownKey key;
  if (fields.front().starts_with('@')) {
    if (fields.front() != "@revoked") return std::nullopt;
    key.mark = KnownKey::Mark::revoked;
    fields.erase(fields.begin());
  }
  if (fields.size() < 3) return std::nullopt;
  key.hosts = base::split(fields[0], ',');
  key.type = fields[1];
  key.blob = fields[2];
  return key;
}

// Holds the kernel's lock on a folder, so that two runs do not lose each other's line.
base::UniqueFd lock_folder(const std::filesystem::path& folder) {
  base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::flock(fd.get(), LOCK_EX) != 0) base::throw_errno(folder.string());
  return fd;
}

}  // namespace

KnownHosts KnownHosts::read(const std::vector<std::filesystem::path>& files) {
  KnownHosts all;
  for (const std::filesystem::path& file : files) {
    if (std::filesystem::exists(file)) all.add(base::read_file(file), file.string());
  }
  return all;
}

void KnownHosts::add(std::string_view text, std::string_view file) {
  int number = 0;
  for (const std::string& line : base::split(text, '\n')) {
    ++number;
    std::optional<KnownKey> key = parse_line(line);
    if (!key) continue;
    key->place = fmt::format("{}:{}", file, number);
    keys_.push_back(std::move(*key));
  }
}

KeyLookup KnownHosts::look_up(std::string_view host, int port, const HostKey& key) const {
  const std::string name = known_host_name(host, port);
  KeyLookup result;
  const KnownKey* same = nullptr;
  for (const KnownKey& known : keys_) {
    if (!is_about(known, name)) continue;
    const bool is_same = known.blob == key.blob;
    if (known.mark == KnownKey::Mark::revoked) {
      if (is_same) return {KeyLookup::Verdict::revoked, {known}};
      continue;
    }
    if (is_same) same = &known;
    result.expected.push_back(known);
  }
  if (same != nullptr) return {KeyLookup::Verdict::known, {*same}};
  result.verdict = result.expected.empty() ? KeyLookup::Verdict::unknown : KeyLookup::Verdict::changed;
  return result;
}

std::vector<std::string> KnownHosts::types(std::string_view host, int port) const {
  const std::string name = known_host_name(host, port);
  std::vector<std::string> types;
  for (const KnownKey& known : keys_) {
    if (known.mark == KnownKey::Mark::none && is_about(known, name)) types.push_back(known.type);
  }
  return types;
}

std::string known_host_name(std::string_view host, int port) {
  const std::string name = base::lower(host);
  return port == 22 ? name : fmt::format("[{}]:{}", name, port);
}

void append_known_host(const std::filesystem::path& file, std::string_view host, int port,
                       const HostKey& key) {
  const std::filesystem::path real = std::filesystem::weakly_canonical(file);  // a link stays a link
  const auto kind = std::filesystem::status(real).type();
  if (kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found) {
    // "UserKnownHostsFile /dev/null" is a habit of many; replacing that by a file would be a disaster.
    throw base::Error(base::Code::refused,
                      fmt::format("{}: not a regular file: no key can be kept there", file.string()))
        .hint("name another with --known-hosts FILE");
  }
  base::make_folders(real.parent_path(), 0700);
  const base::UniqueFd lock = lock_folder(real.parent_path());
  std::string text = std::filesystem::exists(real) ? base::read_file(real) : "";
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += fmt::format("{} {} {}\n", known_host_name(host, port), key.type, key.blob);
  base::write_file(real, text, 0600, base::Durable::yes);
}

}  // namespace porter::transport
