#pragma once
// The store on the target: one module's folder, its releases and what the agent remembers about them. Used by
// the agent's commands; one thread at a time (Stage says what may run beside each other).
//
//   <path>/current -> releases/<id>     layout releases: what runs
//   <path>/releases/<id>/…              one folder a release, under its final name from the start
//   <path>/shared/…                     survives releases
//   <path>/…                            layout inplace: the live tree is <path> itself
//   <path>/.porter/  (0700)
//     format          the commit point of "this folder is ours": version and layout
//     lock            kernel lock and a note of its holder; never deleted
//     live -> <id>    layout inplace: the live release
//     journal         the last activation: id, previous, undone or committed
//     manifests/<id>  the seal; its existence makes a stage a release
//     spare/          what the next release is made from, and spare.seal, which was its seal (spare.h)
//     staging/<id>    mark of a release that is not committed yet; layout inplace: the changed files
//     undo/<id>/      layout inplace: what that activation replaced, and its list of operations; again/ holds
//                     the files that a rollback brings back
//     pinned/<id>     a release that is never removed by itself
//     bad/<id>        a release that is never offered, and why
//     kept            a live release whose own run died, once another one was to follow it
//     frozen/<config> why this config may not be deployed here
//     outside/<id>/   what that release does outside of its tree: files and undo steps (undo_list.h)
//     forgotten       one line a removed release that had files outside
//     trash/          what is being removed
//     history         one line a commit or revert
//     tmp-…           files being written
//
// Invariants, whatever moment the process is killed at or the power fails (with Durability::full):
//  1. Order, each durable before the next: mark in staging/ → file data and folders → seal → journal →
//     `current` (or `live`) renamed → folder of that name synced → history record → mark removed.
//  2. Without a seal there is no release: a release folder with a mark and no seal is nobody's and is removed
//     by the next prepare(). A folder without mark and seal was not made by us and is left alone.
//  3. `current` is replaced by rename only, so it is never absent once it existed (going back to "nothing was
//     live before" removes it).
//  4. Removing goes the other way: mark, seal, then the folder moves to trash/, then it is emptied.
//  5. In layout inplace a file is replaced by rename after its old content got a second name in undo/. Until
//     `live` names the new release, undoing the list of operations gives the old tree; every operation tells
//     from the disk alone whether it was done, so undoing twice is undoing once.
//  6. A failed deploy's release is marked bad before going back begins, and keeps its mark in staging/ until
//     it is done: settling finishes what was begun.
//  7. A file outside of the tree is replaced by rename, after its old content and the note of it are on disk;
//     a program is noted before it can be needed. Steps are undone in reverse order, the switch at its place
//     among them, each noted when it is undone: old files go with the old release, new ones with the new.
//     A note that going back began comes before the first step, and settling ends what was begun.
//  8. Programs are forgotten with the commit; files' contents stay as long as the release, so that a rollback
//     to it, and away from it, can put them in place.
//  9. look() changes nothing. Everything else needs the lock, and repeating any call that was interrupted
//     gives the same result.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/agent/beneath.h"
#include "core/agent/drift.h"
#include "core/agent/interrupted.h"
#include "core/agent/lock.h"
#include "core/agent/receiver.h"
#include "core/agent/stage.h"
#include "core/base/cancel.h"
#include "core/protocol/values.h"
#include "core/sync/ignore.h"
#include "core/sync/manifest.h"

namespace porter::agent {

// The newest `.porter/format` this program understands; an older one is raised by prepare().
inline constexpr int kSiteFormat = 2;

enum class SiteKind : std::uint8_t {
  absent,   // no such folder
  empty,    // a folder with nothing in it
  foreign,  // somebody else's: see foreign_reason
  ours,
};

enum class CheckDrift : std::uint8_t { no, yes };
enum class Adopt : std::uint8_t { no, yes };
// Layout inplace: what happens to entries that no manifest of ours lists.
enum class Unknown : std::uint8_t { keep, remove };

struct SealedRelease {
  std::string id;
  sync::SealHeader header;
};

// An activation that was neither committed nor reverted by its own run, which ended early. It is live.
struct Pending {
  std::string id;
  std::string previous;  // "" when nothing was live before, or nothing is known of it any more
  std::string run_id;
};

struct SiteState {
  SiteKind kind = SiteKind::absent;
  std::string foreign_reason;
  int format = 0;
  Layout layout = Layout::releases;
  std::string current;                   // live release id, "" for none
  std::optional<sync::SealHeader> live;  // nothing when none is live or its seal cannot be read
  bool seal_damaged = false;             // a release is live, and its seal is missing or corrupt
  Drift drift;
  std::vector<SealedRelease> releases;  // oldest first; sealed and complete only
  std::vector<std::string> pinned;      // of these
  std::vector<protocol::BadRelease> bad;
  std::vector<protocol::Freeze> frozen;
  bool one_file_system = true;  // path, .porter, releases and shared
  std::optional<Pending> pending;
  // Unfinished stages, temporary files, trash and undo steps of runs that ended early; prepare() removes
  // them. While somebody holds the lock they may be that run's own.
  std::uint64_t leftovers = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t free_inodes = 0;
  std::optional<Holder> holder;  // somebody else who holds the lock
};

struct PrepareOptions {
  Adopt adopt = Adopt::no;
  Holder self;
  std::string keep_release;  // sealed, not yet activated, and still wanted (resume)
  std::string config;        // what is deployed; "" asks for no freeze
};

using protocol::HistoryRecord;

struct CommitResult {
  std::vector<std::string> pruned;
  std::vector<std::string> warnings;  // what could not be pruned; never a reason to fail
};

class SealStore;

class Site {
 public:
  // `path` is absolute; throws Error(usage) otherwise. Creates nothing and opens nothing yet.
  static Site open(std::string path, Layout layout, Durability durability = Durability::full);
  Site(Site&&) noexcept;
  Site& operator=(Site&&) noexcept;
  ~Site();

  const std::string& path() const;
  Layout layout() const;
  // Absolute: <path>/current, or <path>.
  std::string live_path() const;

  // What the running application writes into the tree: it never drifts and is never deleted.
  void set_generated(sync::IgnoreRules patterns);

  // Ends a program that is run to undo something, with Interrupted; the next prepare() runs it again.
  void set_lost(base::CancelToken lost);

  // What several sites of one process read is read once. Before anything else.
  void share_seals(std::shared_ptr<SealStore> seals);

  // Changes nothing on disk. Throws Error(refused) when the format is newer than ours or the folder is of the
  // other layout.
  SiteState look(CheckDrift drift = CheckDrift::yes) const;

  // Takes the lock, makes the folder ours, removes what killed runs left behind and undoes a killed inplace
  // activation. A Holder: somebody else has the lock, nothing changed. Throws Error(refused), with a hint at
  // --adopt, for a foreign folder, and Error(frozen) when the config is frozen here; nothing is held then.
  // With Adopt::yes foreign entries stay; a foreign `current` stays live until the first activation renames
  // it to `current.before-porter-<run>`.
  std::optional<Holder> prepare(const PrepareOptions& options);
  bool locked() const;
  void release_lock();

  // The live release's seal, for comparing; nothing when there is none or it is damaged.
  std::shared_ptr<const sync::Seal> base() const;
  std::shared_ptr<const sync::Seal> seal_of(const std::string& id) const;

  // Makes sure that shared/ and the parents of every path exist. Returns the paths that have nothing in
  // shared/ yet. A path that ends in '/' is a folder, and is made.
  std::vector<std::string> prepare_shared(const std::vector<std::string>& paths);

  // A stage is about to begin: what it will want to read is read while nobody waits.
  void foresee_stage() const noexcept;
  // Room for a new release; Error(refused) when the id is taken by a sealed one. An unsealed one of the same
  // id is removed first.
  Stage begin_stage(const std::string& id, const std::string& run_id, Take take = Take::automatic);
  // What interrupted sends have left for it.
  InterruptedSend interrupted(sync::Keeps keeps, const base::CancelToken& stop) const;
  void drop_interrupted() const;

  // Makes a sealed release the live one, also one that was live before (rollback). Doing it twice is fine.
  // Layout inplace: of those, the one that the live one replaced; others are Error(refused).
  void activate(const std::string& id, const std::string& run_id, Unknown unknown = Unknown::keep);

  // A file outside of the tree that comes and goes with the release: kept aside by the receiver's finish(),
  // in place with place_files(), or at once after that. mode 0 keeps the mode of what is there (0644 for a
  // new one), its owner is kept as far as we may, folders above are made. What is there now comes back when
  // the release is taken back; of several contents for one path the last wins. Throws Error(missing) when
  // there is no such release, Error(usage) for a path inside of the site or one that is not plain,
  // Error(refused) for a folder or device, and beyond 10,000 steps of one release. The receiver needs the
  // lock as long as it lives.
  std::unique_ptr<Receiver> install_file(const std::string& id, const std::string& path, std::uint32_t mode);
  // A program for revert() and its like, until commit(); at most 1 MiB with all its input. On disk when this
  // returns. It may be run more than once, and for what was not done.
  void add_undo(const std::string& id, const protocol::RunRequest& request);
  // For a release of an earlier deploy, before it is activated again (rollback): what is outside becomes as
  // it was when that was live: its own files come back, and those that later releases brought give way to
  // what was there before. Throws Error(refused) when that is not known any more. May be repeated.
  void place_files(const std::string& id);

  // After handlers changed the live tree of an inplace release: the seal is made to describe its files again.
  sync::SealHeader reseal(const std::string& id);
  // Back to what was live before the activation of `id`. A release of an earlier deploy stays; one that never
  // was committed is removed, seal and all, or, when it was live and `reason` is not empty, kept as the one
  // failed release (layout releases only). Also for an id that was never activated, or is gone already.
  // Layout inplace: works for the last activation, committed or not. Throws Error(remote) that names the undo
  // steps which failed; the release is back nevertheless.
  void revert(const std::string& id, const std::string& reason = "");
  // The activation stays: history record, then failed releases and those beyond `keep_releases` (at least 1)
  // are removed. The live one, the one before it, the last good one and pinned ones never are; bad ones do
  // not count. Doing it twice writes one record.
  CommitResult commit(const std::string& id, unsigned keep_releases, const protocol::CommitNote& note = {});
  // Removes a stage or a sealed release, after its undo steps as revert() does. Error(refused) for the live
  // and for a pinned one.
  void discard(const std::string& id);
  // The same for a stage whose send was interrupted: what has arrived is kept for the next one.
  void interrupt(const std::string& id);

  // Error(missing) when there is no such release. A bad mark that is there already keeps its time.
  void mark(const std::string& id, protocol::Mark mark, const std::string& reason = "");
  // Replaces an earlier freeze of the same config. Empty `since` and `who`: now, and the lock's holder.
  void freeze(protocol::Freeze freeze);
  void unfreeze(const std::string& config);

  // Of a release ("": the live one) against its seal; `missing` alone with the path "" when that cannot be
  // read. Needs no lock. Layout inplace never tells what is unlisted.
  std::vector<protocol::Difference> differences(const std::string& id, Hash hash, Unlisted unlisted) const;

  // Oldest first; the last `limit`.
  std::vector<HistoryRecord> history(std::size_t limit = 50) const;

 private:
  struct Parts;
  explicit Site(std::unique_ptr<Parts> parts);
  void make_ours(Beneath root, Beneath porter, const PrepareOptions& options);
  std::unique_ptr<Parts> parts_;
};

// Throws Error(usage) unless `id` is a plain name of letters, digits, '.', '_' and '-'.
void check_release_id(const std::string& id);

}  // namespace porter::agent
