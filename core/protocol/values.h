#pragma once
// The values that operator's side and agent exchange about sites, locks, releases and programs. Plain values
// without threads; their wire form is in core/protocol/messages.h. Sizes are bytes, times seconds since the
// epoch (UTC), paths absolute on the target unless said otherwise. A site is one module's `path` on one host.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"

namespace porter::protocol {

// Whether modification times are part of a tree's identity; the same numbers as sync::Identity.
enum class Identity : std::uint8_t { with_file_mtime = 1, content_only = 2, with_mtime = 3 };
enum class Layout : std::uint8_t { releases = 1, inplace = 2 };
// How content that the target has already comes into a new release: automatic is spare, reflink, copy.
enum class LinkMode : std::uint8_t { automatic = 1, reflink = 2, copy = 3, hard = 4 };
enum class Durability : std::uint8_t { full = 1, none = 2 };
// Which files a deploy may delete: those that a manifest of ours lists, or unknown ones too.
enum class Deletion : std::uint8_t { listed = 1, unknown = 2 };
// Whether others than the stage itself may have written into it: handlers.
enum class Touched : std::uint8_t { maybe = 1, no = 2 };
// Whether a path that somebody else made may be taken over.
enum class Adoption : std::uint8_t { refuse = 1, adopt = 2 };

// What the agent says about itself and its machine, right after the magic.
struct Hello {
  std::uint16_t major = 0;  // protocol version; see docs/protocol.md for what each number promises
  std::uint16_t minor = 0;
  std::vector<std::string> features;
  std::string version;    // of the program: "0.1.0"
  base::Digest digest{};  // of the agent's own file
  std::uint64_t pid = 0;
  std::uint64_t uid = 0;
  std::string user;
  std::string home;
  std::string hostname;
  std::string ipv4;     // first address that is not loopback, else "127.0.0.1"; asked of the kernel alone
  std::string machine;  // "x86_64"
  std::string system;   // "Linux 6.1.0"
  std::int64_t clock = 0;
};

// Who locks a site and why; shown to those who find it locked.
struct LockNote {
  std::string run_id;
  std::string who;      // "ada"
  std::string host;     // the operator's machine
  std::string since;    // ISO, UTC
  std::string message;  // "deploy of web (stable) to production"
};

// Takes the lock, makes the folder ours, and settles what killed runs left behind.
struct LockRequest {
  std::string site;
  Layout layout = Layout::releases;
  Adoption adoption = Adoption::refuse;
  Durability durability = Durability::full;
  std::string keep_release;  // sealed, not yet activated, and still wanted (resume)
  std::string config;        // Error(frozen) when the site is frozen for it; "" asks nothing
  LockNote note;
};

// What a seal says beside its tree; the same fields as sync::SealHeader.
struct SealHeader {
  std::string release_id;
  std::string skip_key;       // equal means: nothing to deploy
  std::string version_label;  // what people see: "1a2b3c4d (branch release/0.1.2)"
  std::string commit;         // full id, or ""
  std::string run_id;
  std::int64_t made_at_ns = 0;  // since the epoch
  std::string layout;           // "releases" or "inplace"; the agent fills it
  base::Digest root_digest{};   // of the tree that was sealed, handlers' files included; the agent fills it
  // More, by name, in order, no name twice. `composed` is the composed tree's root digest in hex: set by
  // Endpoint::seal().
  std::vector<std::pair<std::string, std::string>> notes;
  friend bool operator==(const SealHeader&, const SealHeader&) = default;
};

// Whether the live tree is compared with its seal, which takes a look at every file.
enum class DriftCheck : std::uint8_t { skip = 1, full = 2 };

struct SiteQuery {
  std::string path;
  Layout layout = Layout::releases;
  DriftCheck drift = DriftCheck::full;
  std::vector<std::string> generated;  // patterns of what the running application writes: never drift
};

enum class Standing : std::uint8_t {
  absent = 1,   // the path is not there, or an empty folder
  ours = 2,     // has a .porter of a format that we know
  foreign = 3,  // something of somebody else's: deployable with Adoption::adopt only
  newer = 4,    // .porter/format of a later porter-admin: refused
};

// A release that is kept to be looked at and never offered: its deploy failed after it was live, or somebody
// went back from it.
struct BadRelease {
  std::string release_id;
  std::string reason;
  std::string since;  // ISO, UTC
};

// Nobody may deploy this config to the site until it is unfrozen.
struct Freeze {
  std::string config;
  std::string reason;
  std::string who;    // "ada@laptop"
  std::string since;  // ISO, UTC
};

struct SiteState {
  std::string path;
  Standing standing = Standing::absent;
  std::string reason;               // why it is foreign or newer, for people
  std::string current;              // release id that is live, "" when none
  SealHeader seal;                  // of the live release; all empty when there is none
  bool seal_damaged = false;        // a release is live, and its seal is missing or corrupt
  std::uint64_t drift_changed = 0;  // zero, too, when drift was not looked for
  std::uint64_t drift_missing = 0;
  std::vector<std::string> drift;    // the first 20 paths that differ from the seal
  std::vector<SealHeader> releases;  // sealed ones, oldest first; bad ones too
  std::vector<std::string> pinned;   // of these: never removed by themselves
  std::vector<BadRelease> bad;       // of these
  std::vector<Freeze> frozen;
  std::uint64_t leftovers = 0;  // unfinished stages, temporary files and undo steps of runs that ended early
  bool one_file_system = true;  // path, releases, shared and .porter; else no switch by rename
  // An activation that was neither committed nor reverted: the run that made it ended early. It is live.
  std::string pending;           // its release id, "" when there is none
  std::string pending_previous;  // "" when nothing was live before
  std::string pending_run;
  bool locked = false;           // by somebody else
  LockNote holder;               // meaningful when locked
  std::uint64_t free_bytes = 0;  // for this user, on the file system of the path; 0 when absent
  std::uint64_t free_inodes = 0;
  bool drifted() const { return drift_changed + drift_missing > 0; }
};

// A new release of a locked site. Layout, durability and who it is are those of the lock.
struct StageRequest {
  std::string site;
  std::string release_id;
  std::string run_id;
  LinkMode link = LinkMode::automatic;
  std::vector<std::string> shared;  // paths relative to the tree that survive releases; a folder ends in '/'
  std::vector<std::string> generated;  // patterns that are never deleted and never drift
  // More deleted files than this stop before anything changes: a number and a percentage of the files there;
  // both must hold. The defaults allow all.
  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
  std::uint64_t max_delete = kNoLimit;
  std::uint32_t max_delete_percent = 100;
};

// What a stage took.
struct StageReport {
  std::string destination;       // absolute path of the complete tree, as destpath() gives it to handlers
  std::uint64_t files_kept = 0;  // were there already, same content
  std::uint64_t files_whole = 0;
  std::uint64_t files_delta = 0;
  std::uint64_t files_cloned = 0;  // content came from another place on the target
  std::uint64_t files_deleted = 0;
  std::uint64_t bytes_whole = 0;    // content bytes of files sent whole
  std::uint64_t bytes_delta = 0;    // bytes of deltas as sent
  std::uint64_t bytes_saved = 0;    // content bytes of delta files that did not travel
  std::uint64_t bytes_resumed = 0;  // content bytes that an interrupted send had brought
  std::uint64_t resent = 0;         // files of a second round
  std::uint64_t wire_in = 0;        // frames, both directions, before encryption
  std::uint64_t wire_out = 0;
};

struct CommitReport {
  std::vector<std::string> pruned;    // releases that went
  std::vector<std::string> warnings;  // what could not be removed; never a reason to fail
};

// A line of a site's history; time is ISO, UTC.
struct HistoryRecord {
  std::string time;
  std::string action;  // "commit" (a deploy), "rollback", or "revert" (a deploy that was taken back)
  std::string release;
  std::string previous;
  std::string run_id;
  std::string who;
  std::string version;
  std::string config;
  std::string message;  // -m; of a revert: why
};

// What a commit says of itself in the history.
struct CommitNote {
  std::string action = "commit";  // or "rollback"
  std::string config;
  std::string message;
  LinkMode link = LinkMode::automatic;  // automatic keeps a release that is removed as a spare
};

// How a tree on the target differs from its seal.
struct DifferenceQuery {
  std::string site;
  Layout layout = Layout::releases;
  std::string release_id;              // "" is the live one
  std::vector<std::string> generated;  // patterns that are left out
  bool every_byte = false;             // hash every file, also one whose stamp is as it was sealed
  bool added = false;                  // also what the seal does not list; layout inplace: never
};
enum class DifferenceKind : std::uint8_t { changed = 1, missing = 2, added = 3 };
struct Difference {
  DifferenceKind kind = DifferenceKind::changed;
  std::string path;  // relative to the tree
  std::string what;  // for people, of a changed one: "content", "mode 0644, was 0755", "kind", "target"
};

enum class Mark : std::uint8_t { pinned = 1, unpinned = 2, bad = 3, good = 4 };

enum class Privilege : std::uint8_t { user = 1, sudo = 2 };  // sudo: through `sudo -n --`

struct RunRequest {
  std::vector<std::string> arguments;    // never empty
  std::string directory;                 // "" is the agent's own
  std::vector<std::string> environment;  // "NAME=value", on top of the agent's
  std::string input;                     // at most 512 KiB
  Privilege privilege = Privilege::user;
  std::uint32_t deadline_seconds = 0;        // 0: none but the connection's
  std::uint64_t output_limit = 256U << 10U;  // bytes kept of each of stdout and stderr, at most 384 KiB
};

struct RunResult {
  std::int32_t status = 0;  // exit status; -1 when a signal ended it
  std::int32_t signal = 0;
  std::string output;
  std::string errors;
  bool output_cut = false;  // more came than the limit allowed
  bool ok() const { return status == 0 && signal == 0; }
};

enum class PathKind : std::uint8_t { missing = 1, file = 2, folder = 3, link = 4, other = 5 };
struct PathState {
  PathKind kind = PathKind::missing;  // of the path itself; links are not followed
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::string target;  // links only
};

}  // namespace porter::protocol
