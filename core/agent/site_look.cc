// What a site is like, found out without changing anything.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/agent/marks.h"
#include "core/agent/site_parts.h"
#include "core/agent/space.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

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

std::string first_foreign(const Beneath& root) {
  for (const FolderEntry& entry : root.list()) {
    if (entry.name != kPorter && entry.name != "lost+found") return entry.name;
  }
  return "";
}

// What renames cross on the way of a release.
bool on_one_file_system(const SiteFolders& site) {
  const dev_t device = site.root.look("")->st_dev;
  for (const std::string_view name : {kPorter, std::string_view("releases"), std::string_view("shared")}) {
    const std::optional<struct stat> info = site.root.look(name);
    if (info && info->st_dev != device) return false;
  }
  return true;
}

void describe(const SiteFolders& site, CheckDrift drift, const sync::IgnoreRules& generated,
              SiteState& state) {
  state.current = site.live();
  for (const std::string& id : site.sealed_ids()) {
    std::optional<sync::SealHeader> header = site.seal_header(id);
    if (!header) continue;
    state.releases.push_back({id, std::move(*header)});
    if (is_pinned(site, id)) state.pinned.push_back(id);
    if (const std::optional<BadMark> mark = bad_mark(site, id))
      state.bad.push_back({id, mark->reason, mark->since});
  }
  state.frozen = all_freezes(site);
  state.one_file_system = on_one_file_system(site);
  state.leftovers = count_leftovers(site);
  std::stable_sort(state.releases.begin(), state.releases.end(),
                   [](const SealedRelease& a, const SealedRelease& b) {
                     return a.header.made_at_ns < b.header.made_at_ns;
                   });
  const std::optional<Journal> journal = read_journal(site.porter);
  if (journal && journal->state == JournalState::begun && journal->id == state.current)
    state.pending = Pending{journal->id, journal->previous, journal->run_id};
  const std::optional<KeptRelease> kept = kept_release(site);
  if (!state.pending && kept && kept->id == state.current && !kept->id.empty())
    state.pending = Pending{kept->id, "", kept->run_id};
  if (state.current.empty()) return;
  const std::shared_ptr<const sync::Seal> seal = site.seal(state.current);
  state.seal_damaged = !seal;
  if (!seal) return;
  state.live = seal->header;
  if (drift == CheckDrift::no) return;
  const std::optional<Beneath> tree = site.tree_of(state.current);
  state.drift = find_drift(tree ? &*tree : nullptr, seal->tree, generated);
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

std::vector<protocol::Difference> Site::differences(const std::string& release_id, Hash hash,
                                                    Unlisted unlisted) const {
  const std::vector<protocol::Difference> no_seal = {{protocol::DifferenceKind::missing, "", ""}};
  if (!release_id.empty()) check_release_id(release_id);
  const std::shared_ptr<const SiteFolders> folders = parts_->open_folders();
  if (!folders) return no_seal;
  const std::string id = release_id.empty() ? folders->live() : release_id;
  const std::shared_ptr<const sync::Seal> seal = id.empty() ? nullptr : folders->seal(id);
  if (!seal) return no_seal;
  std::vector<protocol::Difference> all;
  const std::optional<Beneath> tree = folders->tree_of(id);
  // An inplace site stands among files of others.
  const Unlisted told = parts_->layout == Layout::inplace ? Unlisted::skip : unlisted;
  for_each_difference(tree ? &*tree : nullptr, seal->tree, parts_->generated, hash, told,
                      [&](protocol::Difference difference) { all.push_back(std::move(difference)); });
  return all;
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
