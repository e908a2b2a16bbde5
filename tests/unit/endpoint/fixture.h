#pragma once
// A real agent on a local transport, and trees in temporary folders.

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>

#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/endpoint/endpoint.h"
#include "core/sync/compose.h"
#include "core/sync/plan.h"
#include "core/sync/walk.h"
#include "core/transport/local_transport.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

namespace porter::tests {

namespace fs = std::filesystem;

inline endpoint::AgentBundle bundle() {
  return endpoint::AgentBundle::open(PORTER_AGENT_FOLDER);
}

struct LocalAgent {
  std::unique_ptr<transport::Transport> transport = transport::make_local_transport("laptop");
  std::unique_ptr<endpoint::Endpoint> endpoint;

  explicit LocalAgent(std::chrono::seconds idle = std::chrono::seconds(30)) {
    endpoint::DialOptions options;
    options.start = endpoint::DialOptions::Start::child;
    options.idle_deadline = idle;
    endpoint = endpoint::Endpoint::dial(*transport, bundle(), options);
  }
  endpoint::Endpoint* operator->() const { return endpoint.get(); }
};

// Refuses to write through a link: what it leads to is not this test's.
inline void write(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  REQUIRE_FALSE(fs::is_symlink(path));
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

inline std::string read(const fs::path& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

inline std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string out;
  out.reserve(size + sizeof(std::uint64_t));
  while (out.size() < size) {
    const std::uint64_t word = random();
    out.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  out.resize(size);
  return out;
}

inline sync::Composed compose(const fs::path& source) {
  sync::WalkOptions options;
  options.modes = sync::ModePolicy::preserve;
  return sync::Composer(sync::walk_folder(source.string(), options), source.string(), {}).finish();
}

// Name, kind, mode and content of everything below a folder, as find and sha256sum see it: not by our own
// manifest code.
inline std::string listing(const fs::path& folder) {
  base::Command find;
  find.directory = folder;
  find.arguments = {"sh", "-c",
                    "find . -path ./.porter -prune -o -mindepth 1 -printf '%p %y %m %l\\n' | sort; "
                    "find . -path ./.porter -prune -o -type f -print0 | sort -z | xargs -0r sha256sum"};
  return base::run_command(find, base::Deadline::never(), {}).output;
}

inline protocol::LockRequest lock_request(const fs::path& site,
                                          protocol::Layout layout = protocol::Layout::releases) {
  protocol::LockRequest request;
  request.site = site.string();
  request.layout = layout;
  request.durability = protocol::Durability::none;  // a test machine does not lose power
  request.note = {"run1", "ada", "laptop", "2026-01-02T03:04:05Z", "deploy of web"};
  return request;
}

inline protocol::StageRequest stage_request(const fs::path& site, const std::string& id) {
  protocol::StageRequest request;
  request.site = site.string();
  request.release_id = id;
  request.run_id = "run1";
  return request;
}

// Stages, seals, activates, commits.
inline protocol::StageReport deploy(endpoint::Endpoint& agent, const fs::path& site, const std::string& id,
                                    const sync::Composed& composed) {
  const protocol::StageReport report = agent.stage(stage_request(site, id), composed, {});
  protocol::SealHeader header;
  header.release_id = id;
  header.run_id = "run1";
  header.skip_key = "key-" + id;
  agent.seal(site.string(), header, protocol::Touched::maybe);
  agent.activate(site.string(), id, "run1", protocol::Deletion::listed);
  agent.commit(site.string(), id, 5, {});
  return report;
}

inline protocol::SiteQuery query(const fs::path& site, protocol::Layout layout = protocol::Layout::releases) {
  protocol::SiteQuery ask;
  ask.path = site.string();
  ask.layout = layout;
  return ask;
}

template <class Work>
std::string text_of(Work&& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return base::format_error(error);
  }
  return "";
}

}  // namespace porter::tests
