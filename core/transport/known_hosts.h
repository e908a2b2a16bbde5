#pragma once
// known_hosts files: what is known about a host's key. Our own reader, because the library's overlooks
// `@revoked`. Understands plain and hashed names, patterns, "[host]:port" and `@revoked`; `@cert-authority`
// lines are not supported and say nothing about a host. Values; no thread of their own.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/transport/host_key.h"

namespace porter::transport {

struct KnownKey {
  enum class Mark { none, revoked };
  std::vector<std::string> hosts;  // patterns; one "|1|salt|hash" when hashed
  std::string type;
  std::string blob;
  Mark mark = Mark::none;
  std::string place;  // "file:line"
};

struct KeyLookup {
  enum class Verdict { known, unknown, changed, revoked };
  Verdict verdict = Verdict::unknown;
  std::vector<KnownKey>
      expected;  // when changed: what the files say; when known or revoked: the line that says so
};

class KnownHosts {
 public:
  // Missing files are empty files; an unreadable one throws Error(io). Lines that make no sense are passed
  // over, as ssh does.
  static KnownHosts read(const std::vector<std::filesystem::path>& files);
  void add(std::string_view text, std::string_view file);

  KeyLookup look_up(std::string_view host, int port, const HostKey& key) const;
  // The types of the keys known for the host, so that the server can be asked for one of these.
  std::vector<std::string> types(std::string_view host, int port) const;

 private:
  std::vector<KnownKey> keys_;
};

// The name under which a host stands in such a file: "host", or "[host]:port" beside port 22.
std::string known_host_name(std::string_view host, int port);

// Adds one line, by rename, under a lock on the folder; the folder (0700) and the file (0600) are made when
// missing.
void append_known_host(const std::filesystem::path& file, std::string_view host, int port,
                       const HostKey& key);

}  // namespace porter::transport
