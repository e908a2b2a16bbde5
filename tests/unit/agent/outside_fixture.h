#pragma once
// Files outside of a site, and programs that tell that they ran.

#include "tests/unit/agent/site_fixture.h"

namespace porter::agent::testing {

inline void install(Site& site, const std::string& id, const std::string& path, const std::string& content,
                    std::uint32_t mode = 0) {
  const std::unique_ptr<Receiver> to = site.install_file(id, path, mode);
  to->write(content);
  to->finish();
}

// Appends `word` to the file `log` of `folder`.
inline protocol::RunRequest log_word(const std::string& folder, const std::string& word) {
  protocol::RunRequest request;
  request.arguments = {"sh", "-c", "cat >> log"};
  request.directory = folder;
  request.input = word + "\n";
  return request;
}

}  // namespace porter::agent::testing
