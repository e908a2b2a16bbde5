#pragma once
// What is remembered of single releases beside their seals, and of configs; one small file each in .porter:
//   pinned/<id>       empty: the release is never removed by itself
//   bad/<id>          reason, since; failed=1 when its own deploy was taken back
//   frozen/<config>   reason, who, since
//   kept              release, run: it stays live though its own run did not get to the end
// Reading needs no lock. Writing needs it, is durable when it returns and may be repeated. A file that cannot
// be read as a record still counts, without its reason.

#include <optional>
#include <string>
#include <vector>

#include "core/agent/site_folders.h"
#include "core/protocol/values.h"

namespace porter::agent {

struct BadMark {
  std::string reason;
  std::string since;  // ISO, UTC
  // Kept to be looked at after its deploy failed: goes with the next commit. Others are pruned by their age.
  bool failed = false;
};

bool is_pinned(const SiteFolders& site, const std::string& id);
void pin(const SiteFolders& site, const std::string& id);
void unpin(const SiteFolders& site, const std::string& id);

std::optional<BadMark> bad_mark(const SiteFolders& site, const std::string& id);
bool is_failed(const SiteFolders& site, const std::string& id);
void set_bad(const SiteFolders& site, const std::string& id, const BadMark& mark);
void clear_bad(const SiteFolders& site, const std::string& id);
// Sorted by id; also of releases that are not sealed any more.
std::vector<std::string> bad_ids(const SiteFolders& site);

// Nothing for a config that is not frozen, whatever its name.
std::optional<protocol::Freeze> freeze_of(const SiteFolders& site, const std::string& config);
std::vector<protocol::Freeze> all_freezes(const SiteFolders& site);
// Throws Error(usage) for a config whose name is no plain file name.
void set_freeze(const SiteFolders& site, const protocol::Freeze& freeze);
void clear_freeze(const SiteFolders& site, const std::string& config);

// A release that was live when its run died, and is to be gone back to should the next one fail: nobody has
// seen its last signals through, so it does not count as deployed. Forgotten with the next commit.
struct KeptRelease {
  std::string id;
  std::string run_id;
};
std::optional<KeptRelease> kept_release(const SiteFolders& site);
void set_kept(const SiteFolders& site, const KeptRelease& kept);
void clear_kept(const SiteFolders& site);

// All that is said of a release that goes.
void remove_marks(const SiteFolders& site, const std::string& id);

}  // namespace porter::agent
