// From the list of what an activation did, the list that does the contrary: an activation of its own, which
// is kept and undone like any other.
#include <fmt/format.h>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/stage_parts.h"

namespace porter::agent {
namespace {

class Returner {
 public:
  Returner(const SiteFolders& site, std::string id, std::string live)
      : site_(site), id_(std::move(id)), live_(std::move(live)) {}

  std::vector<Operation> plan() {
    const std::vector<Operation> done = read_operations(site_, live_);
    for (const Operation& op : done) {
      if (op.what == Operate::remove) files_.insert(op.path);
    }
    site_.remove_tree(".porter/undo/" + id_);
    site_.porter.make_folders("undo/" + id_ + "/again", 0700);
    for (auto op = done.rbegin(); op != done.rend(); ++op)
      take(*op);
    reach("inplace: kept files named again");
    return with_folders_open(site_, std::move(changes_), std::move(metas_), removed_);
  }

 private:
  void take(const Operation& op) {
    switch (op.what) {
      case Operate::put:
        return op.existed ? bring(op) : drop(op);
      case Operate::remove:
        return bring(op);
      case Operate::remove_folder:
      case Operate::clear_folder:
        return make_folder(op);
      case Operate::folder:
        return drop_folder(op);
      case Operate::meta:
        return set_meta(op);
      case Operate::open_folder:
        return;
    }
  }

  // What it kept comes again; another file that has the name by now is kept in turn.
  void bring(const Operation& op) {
    const std::string kept = fmt::format(".porter/undo/{}/{}", live_, op.slot);
    const std::string again = fmt::format(".porter/undo/{}/again/{}", id_, op.slot);
    if (!site_.root.exists(kept)) return;
    const std::optional<struct stat> now = look(op.path);
    if (now && S_ISDIR(now->st_mode)) refuse_in_the_way(site_, op.path);
    site_.root.keep_copy(kept, again);
    Operation put;
    put.what = Operate::put;
    put.path = op.path;
    put.slot = op.slot;
    put.again = true;
    put.inode = site_.root.look(again)->st_ino;
    put.existed = now.has_value();
    changes_.push_back(std::move(put));
  }

  // What it brought goes, unless somebody has put another file there.
  void drop(const Operation& op) {
    const std::optional<struct stat> now = look(op.path);
    if (!now || S_ISDIR(now->st_mode) || now->st_ino != op.inode) return;
    Operation gone;
    gone.what = Operate::remove;
    gone.path = op.path;
    gone.slot = fmt::format("r{}", removed_.size());
    removed_.insert(op.path);
    changes_.push_back(std::move(gone));
  }

  void drop_folder(const Operation& op) {
    const std::optional<struct stat> now = look(op.path);
    if (!now || !S_ISDIR(now->st_mode)) return;
    Operation gone;
    gone.what = files_.count(op.path) != 0 ? Operate::clear_folder : Operate::remove_folder;
    gone.path = op.path;
    gone.note_old(site_, *now, op.keeps);
    removed_.insert(op.path);
    changes_.push_back(std::move(gone));
  }

  void make_folder(const Operation& op) {
    const std::optional<struct stat> now = look(op.path);
    if (now && S_ISDIR(now->st_mode)) return;  // it was not empty, and stayed
    if (now) refuse_in_the_way(site_, op.path);
    Operation made;
    made.what = Operate::folder;
    made.path = op.path;
    changes_.push_back(made);
    add_meta(made, op);
  }

  void set_meta(const Operation& op) {
    const std::optional<struct stat> now = look(op.path);
    if (op.old_mode == 0 || !now || !S_ISDIR(now->st_mode)) return;
    Operation meta;
    meta.path = op.path;
    meta.note_old(site_, *now, op.keeps);
    add_meta(std::move(meta), op);
  }

  void add_meta(Operation meta, const Operation& before) {
    meta.what = Operate::meta;
    meta.mode = before.old_mode & 07777U;
    meta.mtime_ns = before.old_mtime_ns;
    meta.keeps = before.keeps;
    meta.extra = before.old_extra;
    meta.timed = true;
    metas_.push_back(std::move(meta));
  }

  // As it will be at that point of the list: what is removed before is gone, and what was below it.
  std::optional<struct stat> look(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (removed_.count(path.substr(0, slash)) != 0) return std::nullopt;
    }
    return removed_.count(path) != 0 ? std::nullopt : look_if_reachable(site_, path);
  }

  const SiteFolders& site_;
  std::string id_;
  std::string live_;
  std::set<std::string> files_;  // where one stood before
  std::set<std::string> removed_;
  std::vector<Operation> changes_, metas_;
};

}  // namespace

std::vector<Operation> plan_return(const SiteFolders& site, const std::string& id, const std::string& live) {
  return Returner(site, id, live).plan();
}

}  // namespace porter::agent
