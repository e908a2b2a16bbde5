#include "core/agent/site.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/marks.h"
#include "core/agent/site_parts.h"
#include "core/agent/spare.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

constexpr const char* kPorterFolders[] = {"manifests", "staging", "undo",   "trash",
                                          "pinned",    "bad",     "frozen", "outside"};

std::string parent_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// Makes the site's folder and those above it; each new name is on disk before it returns.
void make_root(const std::string& path, bool durable) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return;
  if (path != "/") make_root(parent_path(path), durable);
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) base::throw_errno(path);
  if (durable) Beneath::open(parent_path(path)).sync_folder();
  reach("prepare: root made");
}

void check_adoptable(const Beneath& root, Layout layout, Adopt adopt) {
  const std::string reason = why_foreign(root, check_format(root, layout), layout);
  if (reason.empty() || adopt == Adopt::yes) return;
  throw Error(Code::refused, fmt::format("{}: {}", root.label(), reason))
      .hint("choose another path, or take it over with porter-admin deploy --adopt (what is there stays)");
}

void check_not_frozen(const SiteFolders& site, const std::string& config) {
  const std::optional<protocol::Freeze> freeze = freeze_of(site, config);
  if (!freeze) return;
  std::string text = fmt::format("{}: config {} is frozen", site.root.label(), config);
  if (!freeze->since.empty()) text += " since " + freeze->since;
  if (!freeze->who.empty()) text += " by " + freeze->who;
  if (!freeze->reason.empty()) text += ": " + freeze->reason;
  throw Error(Code::frozen, text).hint(fmt::format("porter-admin unfreeze --config {} lifts it", config));
}

// "/srv//app/" is "/srv/app".
std::string normalised(const std::string& path) {
  std::string clean;
  for (const std::string& name : base::split(path, '/')) {
    if (name == "." || name == "..")
      throw Error(Code::usage,
                  fmt::format("{}: a site's path has no \"{}\" in it", base::printable(path), name));
    if (!name.empty()) clean += "/" + name;
  }
  return clean.empty() ? "/" : clean;
}

}  // namespace

Site::Site(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Site::Site(Site&&) noexcept = default;
Site& Site::operator=(Site&&) noexcept = default;
Site::~Site() = default;

Site Site::open(std::string path, Layout layout, Durability durability) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos)
    throw Error(Code::usage, fmt::format("\"{}\": a site's path is absolute", base::printable(path)));
  auto parts = std::make_unique<Parts>();
  parts->path = normalised(path);
  if (parts->path == "/") throw Error(Code::usage, "the root of the file system cannot be a site");
  parts->layout = layout;
  parts->durability = durability;
  return Site(std::move(parts));
}

const std::string& Site::path() const {
  return parts_->path;
}
Layout Site::layout() const {
  return parts_->layout;
}
std::string Site::live_path() const {
  return parts_->layout == Layout::releases ? parts_->path + "/current" : parts_->path;
}
bool Site::locked() const {
  return parts_->lock.held();
}
void Site::release_lock() {
  parts_->folders.reset();
  parts_->lock.release();
}

const SiteFolders& Site::Parts::held() const {
  if (!lock.held() || !folders) throw Error(Code::internal, path + ": is not locked by this run");
  return *folders;
}

void Site::share_seals(std::shared_ptr<SealStore> seals) {
  parts_->seals = std::move(seals);
}

std::shared_ptr<const SiteFolders> Site::Parts::open_folders() const {
  if (folders) return folders;
  std::optional<Beneath> root = Beneath::try_open(path);
  if (!root || !check_format(*root, layout)) return nullptr;
  Beneath porter = root->folder(kPorter);
  return std::make_shared<SiteFolders>(std::move(*root), std::move(porter), layout, durability, seals);
}

std::optional<Holder> Site::prepare(const PrepareOptions& options) {
  const bool durable = parts_->durability == Durability::full;
  make_root(parts_->path, durable);
  Beneath root = Beneath::open(parts_->path);
  check_adoptable(root, parts_->layout, options.adopt);
  if (root.make_folder(kPorter, 0700)) root.set_mode(kPorter, 0700);
  reach("prepare: .porter made");
  Beneath porter = root.folder(kPorter);
  if (std::optional<Holder> holder = parts_->lock.try_take(porter, options.self)) return holder;
  try {
    make_ours(std::move(root), std::move(porter), options);
  } catch (...) {
    parts_->lock.release();
    throw;
  }
  return std::nullopt;
}

void Site::make_ours(Beneath root, Beneath porter, const PrepareOptions& options) {
  // Again, now that nobody else changes it.
  check_adoptable(root, parts_->layout, options.adopt);
  const std::optional<Format> format = read_format(porter);
  auto folders = std::make_shared<SiteFolders>(std::move(root), std::move(porter), parts_->layout,
                                               parts_->durability, parts_->seals);
  check_not_frozen(*folders, options.config);
  for (const char* name : kPorterFolders)
    folders->porter.make_folder(name, 0700);
  if (!format || format->version < kSiteFormat) folders->write_format();
  folders->sync_folder("");
  reach("prepare: ours");
  if (parts_->layout == Layout::releases) folders->root.make_folder("releases");
  parts_->adopt = options.adopt;
  parts_->self = options.self;
  settle_leftovers(*folders, options.keep_release, options.self, parts_->lost);
  parts_->folders = std::move(folders);
}

std::shared_ptr<const sync::Seal> Site::base() const {
  const std::shared_ptr<const SiteFolders> folders = parts_->open_folders();
  if (!folders) return nullptr;
  const std::string live = folders->live();
  return live.empty() ? nullptr : folders->seal(live);
}

std::shared_ptr<const sync::Seal> Site::seal_of(const std::string& id) const {
  check_release_id(id);
  const std::shared_ptr<const SiteFolders> folders = parts_->open_folders();
  return folders ? folders->seal(id) : nullptr;
}

std::vector<std::string> Site::prepare_shared(const std::vector<std::string>& paths) {
  const SiteFolders& site = parts_->held();
  std::vector<std::string> absent;
  for (std::string path : paths) {
    const bool folder = !path.empty() && path.back() == '/';
    if (folder) path.pop_back();
    check_relative(path);
    const std::string shared = "shared/" + path;
    site.root.make_folders(shared.substr(0, shared.rfind('/')));
    if (folder) site.root.make_folder(shared);
    if (!site.root.exists(shared)) absent.push_back(path);
  }
  site.sync_folder("");
  return absent;
}

void Site::set_generated(sync::IgnoreRules patterns) {
  parts_->generated = std::move(patterns);
}

namespace {

void take_over(StageParts& parts, std::shared_ptr<const sync::Seal> spare) {
  const auto is_it = [](const auto& note) { return note.first == kNotSynced; };
  if (std::any_of(spare->header.notes.begin(), spare->header.notes.end(), is_it)) parts.changes.add_all();
  parts.spare = std::move(spare);
}

}  // namespace

void Site::foresee_stage() const noexcept {
  if (parts_->folders && parts_->layout == Layout::releases) foresee_spare(*parts_->folders);
}

InterruptedSend Site::interrupted(sync::Keeps keeps, const base::CancelToken& stop) const {
  parts_->held();
  return {parts_->folders, keeps, stop};
}

void Site::drop_interrupted() const {
  agent::drop_interrupted(parts_->held());
}

Stage Site::begin_stage(const std::string& id, const std::string& run_id, Take take) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  const bool releases = parts_->layout == Layout::releases;
  const std::string place = releases ? "releases/" + id : ".porter/staging/" + id;
  if (site.sealed(id)) throw Error(Code::refused, fmt::format("{}: release {} exists", parts_->path, id));
  site.clear_stage(id);
  if (releases && site.root.exists(place))
    throw Error(Code::refused,
                fmt::format("{}: is there and was not made by porter", site.root.label(place)));
  site.mark_arriving(id);
  std::shared_ptr<const sync::Seal> spare;
  if (releases && take == Take::automatic) spare = take_spare(site, id);
  if (releases && !spare) site.root.make_folder(place, 0700);
  reach("stage: begun");
  auto parts = std::make_unique<StageParts>(parts_->folders, id, run_id, site.root.folder(place));
  parts->take = take;
  if (site.durable()) parts->write_back = std::make_unique<WriteBack>(parts->tree);
  if (spare) take_over(*parts, std::move(spare));
  parts->path = releases ? parts_->path + "/" + place : parts_->path;
  const std::string live = site.live();
  if (!live.empty()) parts->base = site.seal(live);
  // Without a live release of ours, an inplace site's own files are still worth comparing with.
  if (!live.empty() || !releases) parts->live = site.tree_of(live);
  return Stage(std::move(parts));
}

}  // namespace porter::agent
