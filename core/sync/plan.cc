#include "core/sync/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

struct Place {
  const Folder* folder = nullptr;
  const Entry* entry = nullptr;
};

class Planner {
 public:
  Planner(const Tree& wanted, const Tree& base, const PlanOptions& options)
      : wanted_(wanted), base_(base), options_(options) {}

  SyncPlan make() {
    for (std::uint32_t i = 0; i < wanted_.folders.size(); ++i)
      plan_folder(i);
    plan_elsewhere();
    plan_removals();
    return std::move(plan_);
  }

 private:
  // A file whose content the base does not have at its path.
  struct Elsewhere {
    std::size_t step;  // of plan_.files
    const Entry* old;
  };

  void plan_folder(std::uint32_t index) {
    const Folder& folder = wanted_.folders[index];
    const Folder* there = base_.find_folder(folder.path);
    if (is_inside_same(folder)) return count_same(folder);
    if (is_same(folder, there, index)) {
      plan_.same_folders.push_back(index);
      same_ = &folder;
      return count_same(folder);
    }
    plan_folder_itself(index, there);
    for (std::uint32_t i = 0; i < folder.entries.size(); ++i)
      plan_entry({index, i}, there);
  }

  bool is_inside_same(const Folder& folder) const {
    return same_ != nullptr && is_at_or_below(folder.path, same_->path);
  }

  // Equal with all below, by digest; also where the base, being a part, gives nothing but the digest.
  bool is_same(const Folder& folder, const Folder* there, std::uint32_t index) const {
    if (there != nullptr) return there->digest == folder.digest;
    if (index == 0) throw Error(Code::protocol, "tree: the base has no root");
    const Entry* entry = base_.find(folder.path);
    if (entry == nullptr || entry->kind != Kind::folder) return false;
    if (entry->digest != folder.digest)
      throw Error(Code::protocol,
                  fmt::format("tree: \"{}\" differs from the base, whose entries there are missing",
                              base::printable(folder.path)));
    return true;
  }

  void count_same(const Folder& folder) {
    for (const Entry& entry : folder.entries) {
      plan_.totals.files_same += entry.kind == Kind::file ? 1 : 0;
      plan_.totals.bytes_same += entry.size;
      plan_.totals.base_files += entry.kind != Kind::folder ? 1 : 0;
    }
  }

  // Where times are no part of identity, a file that keeps its content keeps its time as well: each commit
  // would otherwise touch every file.
  bool same_time(std::int64_t a, std::int64_t b) const {
    return a == b || wanted_.identity == Identity::content_only;
  }

  void plan_folder_itself(std::uint32_t index, const Folder* there) {
    const Folder& folder = wanted_.folders[index];
    if (there == nullptr) {
      plan_.make_folders.push_back(index);
    } else if (there->mode != folder.mode || !same_time(there->mtime_ns, folder.mtime_ns) ||
               !(there->extra == folder.extra)) {
      plan_.set_folders.push_back(index);
    } else {
      return;
    }
    ++plan_.totals.folders;
  }

  void plan_entry(EntryRef ref, const Folder* there) {
    const Entry& entry = wanted_.at(ref);
    const Entry* old = there == nullptr ? nullptr : there->find_near(ref.entry, entry.name);
    if (entry.kind == Kind::file) plan_file(ref, entry, old);
    if (entry.kind != Kind::link && entry.kind != Kind::hard_link) return;
    const bool equal = old != nullptr && old->kind == entry.kind && old->target == entry.target &&
                       same_time(old->mtime_ns, entry.mtime_ns) && old->extra == entry.extra;
    if (equal) return;
    plan_.make_links.push_back(ref);
    ++plan_.totals.links;
  }

  void plan_file(EntryRef ref, const Entry& entry, const Entry* old) {
    FileStep step;
    step.wanted = ref;
    if (old != nullptr && old->kind == Kind::file && old->digest == entry.digest && old->size == entry.size) {
      const bool equal =
          old->mode == entry.mode && same_time(old->mtime_ns, entry.mtime_ns) && old->extra == entry.extra;
      step.action = equal ? Action::same : Action::clone;
      step.why = equal ? Why::equal : Why::metadata;
      count(step, entry);
    } else {
      elsewhere_.push_back({plan_.files.size(), old});
    }
    plan_.files.push_back(std::move(step));
  }

  // When all such files are known, so that the base is searched once and only for what is wanted.
  void plan_elsewhere() {
    if (elsewhere_.empty()) return;
    index_base();
    for (const Elsewhere& one : elsewhere_) {
      FileStep& step = plan_.files[one.step];
      const Entry& entry = wanted_.at(step.wanted);
      if (const auto place = find_content(entry)) {
        step.action = Action::clone;
        step.why = Why::moved;
        set_basis(step, *place->folder, *place->entry);
      } else {
        choose_sending(step, entry, one.old);
      }
      count(step, entry);
    }
  }

  void choose_sending(FileStep& step, const Entry& entry, const Entry* old) const {
    step.action = Action::whole;
    if (old == nullptr) {
      step.why = Why::absent;
    } else if (old->kind != Kind::file) {
      step.why = Why::other_kind;
    } else if (old->size <= options_.delta_floor || entry.size <= options_.delta_floor) {
      step.why = Why::small;
    } else {
      step.action = Action::delta;
      step.why = Why::content;
      set_basis(step, wanted_.folders[step.wanted.folder], *old);
    }
  }

  static void set_basis(FileStep& step, const Folder& folder, const Entry& entry) {
    step.from =
        std::make_shared<const Basis>(Basis{join_path(folder.path, entry.name), entry.size, entry.digest});
  }

  void count(const FileStep& step, const Entry& entry) {
    PlanTotals& totals = plan_.totals;
    const auto add = [&](std::uint64_t& files, std::uint64_t& bytes) {
      ++files;
      bytes += entry.size;
    };
    switch (step.action) {
      case Action::same:
        return add(totals.files_same, totals.bytes_same);
      case Action::clone:
        return add(totals.files_cloned, totals.bytes_cloned);
      case Action::whole:
        return add(totals.files_whole, totals.bytes_whole);
      case Action::delta:
        return add(totals.files_delta, totals.bytes_delta);
    }
  }

  // Any file of the base with this content. Empty files are cheaper sent than cloned.
  std::optional<Place> find_content(const Entry& entry) const {
    if (entry.size == 0) return std::nullopt;
    const auto found = by_digest_.find(entry.digest);
    if (found == by_digest_.end() || found->second.entry == nullptr ||
        found->second.entry->size != entry.size)
      return std::nullopt;
    return found->second;
  }

  // What the base shows, and what it has in folders that are equal to wanted's, which a part does not show.
  void index_base() {
    if (base_.folders.size() == 1 && base_.folders.front().entries.empty()) return;
    by_digest_.reserve(elsewhere_.size());
    for (const Elsewhere& one : elsewhere_)
      by_digest_.try_emplace(wanted_.at(plan_.files[one.step].wanted).digest);
    for (const Folder& folder : base_.folders)
      index(folder);
    for (const Folder& folder : wanted_.folders)
      if (base_.find_folder(folder.path) == nullptr && is_equal_branch(folder.path)) index(folder);
  }

  // Whether the base, without showing the folder, has it equal: the nearest folder above that the base names
  // as an entry decides.
  bool is_equal_branch(std::string_view path) const {
    for (; !path.empty(); path = parent_path(path)) {
      if (base_.find_folder(path) != nullptr) return false;
      const Entry* entry = base_.find(path);
      if (entry != nullptr) return entry->kind == Kind::folder && is_wanted_digest(path, entry->digest);
    }
    return false;
  }

  bool is_wanted_digest(std::string_view path, const base::Digest& digest) const {
    const Folder* folder = wanted_.find_folder(path);
    return folder != nullptr && folder->digest == digest;
  }

  void index(const Folder& folder) {
    for (const Entry& entry : folder.entries) {
      if (entry.kind != Kind::file) continue;
      const auto sought = by_digest_.find(entry.digest);
      if (sought != by_digest_.end() && sought->second.entry == nullptr) sought->second = {&folder, &entry};
    }
  }

  void plan_removals() {
    for (auto folder = base_.folders.rbegin(); folder != base_.folders.rend(); ++folder) {
      const bool same = is_in_same_folder(folder->path);
      const Folder* kept = same ? nullptr : wanted_.find_folder(folder->path);
      for (auto entry = folder->entries.rbegin(); !same && entry != folder->entries.rend(); ++entry)
        plan_removal(*folder, *entry, kept);
    }
    // A folder's entry was met before what is in it, since the folders are taken last first but the entry
    // stands in its parent: put everything into children-first order.
    std::stable_sort(plan_.removals.begin(), plan_.removals.end(),
                     [](const Removal& a, const Removal& b) { return compare_paths(a.path, b.path) > 0; });
  }

  bool is_in_same_folder(std::string_view path) const {
    const auto after = std::upper_bound(plan_.same_folders.begin(), plan_.same_folders.end(), path,
                                        [this](std::string_view searched, std::uint32_t index) {
                                          return compare_paths(searched, wanted_.folders[index].path) < 0;
                                        });
    return after != plan_.same_folders.begin() && is_at_or_below(path, wanted_.folders[*(after - 1)].path);
  }

  void plan_removal(const Folder& folder, const Entry& entry, const Folder* kept) {
    const bool counts = entry.kind != Kind::folder;
    plan_.totals.base_files += counts ? 1 : 0;
    const Entry* now = kept == nullptr ? nullptr : kept->find(entry.name);
    if (now != nullptr && now->kind == entry.kind) return;
    const std::string path = join_path(folder.path, entry.name);
    if (!counts && base_.find_folder(path) == nullptr)
      throw Error(Code::protocol,
                  fmt::format("tree: \"{}\" is to be removed, but the base does not show what is in it",
                              base::printable(path)));
    plan_.removals.push_back({path, entry.kind});
    plan_.totals.removed += counts ? 1 : 0;
  }

  const Tree& wanted_;
  const Tree& base_;
  const PlanOptions& options_;
  SyncPlan plan_;
  const Folder* same_ = nullptr;  // the last of same_folders
  std::vector<Elsewhere> elsewhere_;
  std::unordered_map<base::Digest, Place, base::DigestHash> by_digest_;  // of the contents of elsewhere_
};

std::string explain_file(const FileStep& step, const Entry& entry) {
  const std::string size = base::format_bytes(entry.size);
  switch (step.why) {
    case Why::equal:
      return "not sent: equal to the base";
    case Why::metadata:
      return "not sent: the base has this content, with another mode, time, owner or attribute";
    case Why::moved:
      return fmt::format("not sent: the base has this content at \"{}\"", base::printable(step.from->path));
    case Why::absent:
      return fmt::format("sent whole ({}): the base has nothing there", size);
    case Why::other_kind:
      return fmt::format("sent whole ({}): the base has no file there", size);
    case Why::small:
      return fmt::format("sent whole ({}): the content differs, and it is too small for a delta", size);
    case Why::content:
      return fmt::format("sent as a delta: the content differs (base {}, wanted {})",
                         base::format_bytes(step.from->size), size);
  }
  return {};
}

std::string explain_entry(const SyncPlan& plan, const Tree& wanted, std::string_view path,
                          const Entry& entry) {
  for (const FileStep& step : plan.files) {
    if (&wanted.at(step.wanted) == &entry) return explain_file(step, entry);
  }
  for (const EntryRef& ref : plan.make_links)
    if (&wanted.at(ref) == &entry && entry.kind == Kind::hard_link)
      return fmt::format("a further name to give to \"{}\"", base::printable(entry.target));
    else if (&wanted.at(ref) == &entry)
      return fmt::format("a link to make: the base has none there that leads to \"{}\"",
                         base::printable(entry.target));
  for (const std::uint32_t index : plan.make_folders)
    if (wanted.folders[index].path == path) return "a folder to make: the base has none there";
  for (const std::uint32_t index : plan.set_folders)
    if (wanted.folders[index].path == path)
      return "a folder whose mode, time, owner or attributes differ from the base's";
  return "nothing to do: equal to the base";
}

}  // namespace

bool SyncPlan::empty() const {
  const auto same = [](const FileStep& step) { return step.action == Action::same; };
  return make_folders.empty() && set_folders.empty() && make_links.empty() && removals.empty() &&
         std::all_of(files.begin(), files.end(), same);
}

SyncPlan make_plan(const Tree& wanted, const Tree& base, const PlanOptions& options) {
  if (wanted.identity != base.identity || !(wanted.keeps == base.keeps))
    throw Error(Code::internal, "plan: wanted and base were sealed with different kinds of identity");
  return Planner(wanted, base, options).make();
}

std::string explain(const SyncPlan& plan, const Tree& wanted, const Tree& base, std::string_view path) {
  const std::string name = base::printable(path);
  if (const Entry* entry = wanted.find(path)) return name + ": " + explain_entry(plan, wanted, path, *entry);
  for (const Removal& removal : plan.removals)
    if (removal.path == path) return name + ": removed: the base has it, the wanted tree does not";
  if (base.find(path) != nullptr) return name + ": left out: the wanted tree does not have it";
  return name + ": in neither tree";
}

}  // namespace porter::sync
