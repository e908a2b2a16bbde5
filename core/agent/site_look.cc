// What a site is like, found out without changing anything.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/agent/site_parts.h"
#include "core/agent/space.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

constexpr std::size_t kExamples = 20;

void check_private(const Beneath& root, const struct stat& info) {
  const std::string subject = root.label(kPorter);
  if (!S_ISDIR(info.st_mode)) throw Error(Code::refused, subject + ": is not a folder");
  if (info.st_uid != ::geteuid())
    throw Error(Code::refused,
                fmt::format("{}: belongs to user {}, and we are user {}", subject, info.st_uid, ::geteuid()))
        .hint("connect (or become) the user that deployed here before");
  if ((info.st_mode & 022U) != 0)
    throw Error(Code::refused, fmt::format("{}: others may write to it (mode {:04o})", subject,
                                           static_cast<unsigned>(info.st_mode & 07777U)))
        .hint(fmt::format("chmod 700 {}", base::quote_shell(subject)));
}

// Compares one folder's entries with the disk.
class DriftFinder {
 public:
  DriftFinder(const Beneath& tree, const sync::IgnoreRules& generated) : tree_(tree), generated_(generated) {}

  void check(const sync::Folder& folder) {
    std::optional<Beneath> held;
    try {
      held = tree_.try_folder(folder.path);
    } catch (const Error&) {
      // A link where a folder was: all below is gone.
    }
    for (const sync::Entry& entry : folder.entries) {
      const std::string path = sync::join_path(folder.path, entry.name);
      if (generated_.ignores_or_above(path, entry.kind)) continue;
      const std::optional<struct stat> now = held ? held->look(entry.name) : std::nullopt;
      if (!now)
        note(drift_.missing, path);
      else if (!same(*held, entry, *now))
        note(drift_.changed, path);
    }
  }

  Drift take() { return std::move(drift_); }

 private:
  void note(std::uint64_t& counter, const std::string& path) {
    ++counter;
    if (drift_.examples.size() < kExamples) drift_.examples.push_back(path);
  }

  static bool same(const Beneath& folder, const sync::Entry& entry, const struct stat& now) {
    const bool mode = (now.st_mode & 07777U) == entry.mode;
    switch (entry.kind) {
      case sync::Kind::folder:
        return S_ISDIR(now.st_mode) && mode;
      case sync::Kind::link:
        return S_ISLNK(now.st_mode) && folder.link_target(entry.name) == entry.target;
      case sync::Kind::file:
        break;
    }
    if (!S_ISREG(now.st_mode) || !mode) return false;
    if (entry.stamp == stamp_of(now)) return true;
    return same_content(folder, entry, now);
  }

  // Touched since; only its bytes can tell.
  static bool same_content(const Beneath& folder, const sync::Entry& entry, const struct stat& now) {
    if (static_cast<std::uint64_t>(now.st_size) != entry.size) return false;
    try {
      const std::optional<base::UniqueFd> fd = folder.try_open_file(entry.name);
      return fd && base::sha256_of_descriptor(fd->get()) == entry.digest;
    } catch (const Error&) {
      return false;
    }
  }

  const Beneath& tree_;
  const sync::IgnoreRules& generated_;
  Drift drift_;
};

std::string first_foreign(const Beneath& root) {
  for (const FolderEntry& entry : root.list()) {
    if (entry.name != kPorter && entry.name != "lost+found") return entry.name;
  }
  return "";
}

void describe(const SiteFolders& site, CheckDrift drift, const sync::IgnoreRules& generated,
              SiteState& state) {
  state.current = site.live();
  for (const std::string& id : site.sealed_ids()) {
    if (std::optional<sync::SealHeader> header = site.seal_header(id))
      state.releases.push_back({id, std::move(*header)});
  }
  std::stable_sort(state.releases.begin(), state.releases.end(),
                   [](const SealedRelease& a, const SealedRelease& b) {
                     return a.header.made_at_ns < b.header.made_at_ns;
                   });
  const std::optional<Journal> journal = read_journal(site.porter);
  if (journal && journal->state == JournalState::begun && journal->id == state.current)
    state.pending = Pending{journal->id, journal->previous, journal->run_id};
  state.leftovers = count_leftovers(site);
  if (state.current.empty()) return;
  const std::optional<sync::Seal> seal = site.seal(state.current);
  state.seal_damaged = !seal;
  if (!seal) return;
  state.live = seal->header;
  if (drift == CheckDrift::no) return;
  if (const std::optional<Beneath> tree = site.tree_of(state.current))
    state.drift = find_drift(*tree, seal->tree, generated);
  else
    state.drift.missing = seal->tree.file_count();
}

}  // namespace

std::optional<Format> check_format(const Beneath& root, Layout layout) {
  const std::optional<struct stat> info = root.look(kPorter);
  if (!info) return std::nullopt;
  check_private(root, *info);
  const std::optional<Format> format = read_format(root.folder(kPorter));
  if (!format) return std::nullopt;
  if (format->version > kSiteFormat)
    throw Error(Code::refused,
                fmt::format("{}: was made by a later porter-admin: its format is {}, this one knows "
                            "up to {}",
                            root.label(), format->version, kSiteFormat))
        .hint("deploy with the later porter-admin");
  if (format->layout != layout)
    throw Error(Code::refused, fmt::format("{}: has layout {}, and {} is wanted", root.label(),
                                           layout_name(format->layout), layout_name(layout)))
        .hint(fmt::format("set [module] layout = {}, or choose another path", layout_name(format->layout)));
  return format;
}

std::string why_foreign(const Beneath& root, const std::optional<Format>& format, Layout layout) {
  if (!format) {
    const std::string name = first_foreign(root);
    return name.empty() ? ""
                        : fmt::format("holds \"{}\", which porter did not put there", base::printable(name));
  }
  if (read_live(root, layout)) return "";
  const std::optional<std::string> target = root.link_target("current");
  if (!target) return "\"current\" is there and is no link";
  return fmt::format("\"current\" leads to \"{}\", which is no release of ours", base::printable(*target));
}

Drift find_drift(const Beneath& tree, const sync::Tree& sealed, const sync::IgnoreRules& generated) {
  DriftFinder finder(tree, generated);
  for (const sync::Folder& folder : sealed.folders)
    finder.check(folder);
  return finder.take();
}

SiteState Site::look(CheckDrift drift) const {
  SiteState state;
  state.layout = parts_->layout;
  const Space space = space_at(parts_->path);
  state.free_bytes = space.free_bytes;
  state.free_inodes = space.free_inodes;
  std::optional<Beneath> root = Beneath::try_open(parts_->path);
  if (!root) return state;
  const std::optional<Format> format = check_format(*root, parts_->layout);
  state.foreign_reason = why_foreign(*root, format, parts_->layout);
  state.kind = !state.foreign_reason.empty() ? SiteKind::foreign : format ? SiteKind::ours : SiteKind::empty;
  const std::optional<Beneath> porter = root->try_folder(kPorter);
  if (porter && !parts_->lock.held()) state.holder = lock_holder(*porter);
  if (!format) return state;
  state.format = format->version;
  if (const std::shared_ptr<const SiteFolders> folders = parts_->open_folders())
    describe(*folders, drift, parts_->generated, state);
  return state;
}

}  // namespace porter::agent
