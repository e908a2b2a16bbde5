#pragma once
// A module on a host, as the run's folder keeps it: all that is needed to reach it and to settle what was
// begun there, or to go on with it, without the project's files. Plain values.

#include <cstdint>
#include <string>
#include <vector>

#include "core/protocol/values.h"
#include "core/settings/project.h"

namespace porter::engine {

struct Deployment;
struct Run;

struct Place {
  std::string module;
  settings::Host host;  // its name, and how it is reached; nothing else is kept of it
  std::string become;   // "": who logs in
  std::string site;
  protocol::Layout layout = protocol::Layout::releases;
  protocol::Durability durability = protocol::Durability::full;
  std::uint32_t keep_releases = 1;
  std::string release_id;
  std::string previous;  // what was live when the run began, "" for nothing
  std::string version;   // what people see of the source
  std::string commit;
  std::string source;          // the folder that the source lay in, "" for none
  base::Digest source_root{};  // of the tree composed before the build, which the skip key is made of
  std::string tree;            // the name of its composed tree (kept_source.h)
  std::string seeds;           // the folder below the run's that holds what fills shared paths
  std::vector<std::string> seed_paths;
};

// Of a deployment that is locked and about to be staged; without what kept_source.h fills in.
Place place_of(const Deployment& deployment, const Run& run);

// For a settler, which nothing stops and which adopts nothing.
protocol::LockRequest lock_request(const Place& place, const Run& run);

}  // namespace porter::engine
