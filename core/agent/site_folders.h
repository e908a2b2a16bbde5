#pragma once
// Inside of the store: the held folders of one site and the small files in .porter, each with the one
// function that reads it and the one that writes it. Used by Site, Stage and the inplace layout; not by
// others. One thread at a time, except for what is const.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/agent/beneath.h"
#include "core/agent/record.h"
#include "core/agent/seal_store.h"
#include "core/agent/stage.h"
#include "core/sync/manifest.h"

namespace porter::agent {

inline constexpr std::string_view kPorter = ".porter";
inline constexpr std::size_t kSmallFile = 1U << 20U;
inline constexpr std::size_t kSealLimit = std::size_t{1} << 30U;

enum class JournalState : std::uint8_t { begun, committed };

// The last activation.
struct Journal {
  std::string id;
  std::string previous;  // "" when nothing was live
  std::string run_id;
  std::string aside;  // the name that a foreign `current` got, "" when there was none
  bool back = false;  // layout inplace: `id` was live before `previous`, by whose kept files it is live again
  JournalState state = JournalState::begun;
};

struct Format {
  int version = 0;
  Layout layout = Layout::releases;
};

// True for what check_release_id accepts.
bool is_release_id(std::string_view id);
std::string_view layout_name(Layout layout);

// Of a .porter folder; nothing when the file is missing or unreadable as a format.
std::optional<Format> read_format(const Beneath& porter);
std::optional<Journal> read_journal(const Beneath& porter);
// The live release's id, "" for none, nothing when `current` is there and is not ours.
std::optional<std::string> read_live(const Beneath& root, Layout layout);

struct SiteFolders {
  SiteFolders(Beneath root_folder, Beneath porter_folder, Layout site_layout, Durability site_durability,
              std::shared_ptr<SealStore> seal_store)
      : root(std::move(root_folder)),
        porter(std::move(porter_folder)),
        layout(site_layout),
        durability(site_durability),
        seals(std::move(seal_store)) {}

  Beneath root;
  Beneath porter;
  Layout layout;
  Durability durability;
  std::shared_ptr<SealStore> seals;

  // Names that can be ids in a folder of .porter, sorted; none when it is not there.
  std::vector<std::string> ids_in(const std::string& folder) const;

  bool durable() const { return durability == Durability::full; }
  // "" for none and for a foreign one.
  std::string live() const { return read_live(root, layout).value_or(""); }
  // `current` (or `live`) in one step, durably. set_live("") removes it.
  void set_live(const std::string& id) const;
  // The folder that a live release's tree is in; nothing when it is gone.
  std::optional<Beneath> tree_of(const std::string& id) const;

  void write_format() const;
  void write_journal(const Journal& journal) const;
  void remove_journal() const;

  // A release is sealed when its seal is there and, in layout releases, its folder.
  bool sealed(const std::string& id) const;
  std::vector<std::string> sealed_ids() const;  // sorted; oldest first, down to a second
  // Nothing when there is none or it is damaged; a newer one is Error(refused).
  std::shared_ptr<const sync::Seal> seal(const std::string& id) const;
  std::optional<sync::SealHeader> seal_header(const std::string& id) const;
  void write_seal(sync::Seal seal) const;
  // The same for one that was encoded before.
  void write_seal(sync::Seal seal, const std::string& bytes) const;

  // Marks of releases that are not committed.
  bool marked(const std::string& id) const;
  void mark(const std::string& id) const;
  void unmark(const std::string& id) const;
  // Layout releases: a mark that says that the release is being sent, and not removed, say.
  void mark_arriving(const std::string& id) const;
  bool arriving(const std::string& id) const;
  std::vector<std::string> marks() const;

  // A sealed or marked release with all that belongs to it; others are left alone. Killed at any point, the
  // next call (or Site::prepare) ends it. Throws Error(refused) for the live one.
  void remove_release(const std::string& id) const;
  // Of a release that is being made again: all but its mark and what it does outside of its tree.
  void clear_stage(const std::string& id) const;
  // Moves what is at `path` (in root) away in one step, then removes it as empty_trash() does.
  void remove_tree(const std::string& path) const;
  // What cannot be removed (an application of another user wrote into it, say) is nobody's: it stays there
  // for the next one to try. Gives why.
  std::vector<std::string> empty_trash() const;
  // A further line of a file in .porter, durably. What was cut off before stays, and is no record.
  void append_line(const std::string& path, const std::string& line) const;
  void sync_folder(std::string_view path) const;  // of root; only when durable
};

}  // namespace porter::agent
