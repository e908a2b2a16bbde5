// What the outside was like when an older release was live.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/agent/failpoint.h"
#include "core/agent/outside.h"
#include "core/agent/site_parts.h"
#include "core/base/clone.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

constexpr const char* kForgotten = "forgotten";  // one line a removed release that had files outside

// What stands at a path, and where its content is.
struct Wanted {
  Occupant occupant;
  std::string content;      // below .porter
  std::string made_folder;  // with it, as far as nothing else is there
};
using WantedFiles = std::map<std::string, Wanted>;

// By the path: of several contents for one, the last is what was there. What was taken back does not count,
// but for the deploy's own, which may have failed and been found good since.
WantedFiles own_files(const UndoList& list) {
  WantedFiles files;
  for (std::size_t i = 0; i + 1 < list.sections().size(); ++i) {
    const UndoSection& section = list.sections()[i];
    for (const UndoStep& step : section.steps) {
      if (step.kind != UndoStep::Kind::file || !step.own || (section.over && i != 0)) continue;
      files.insert_or_assign(step.path, Wanted{step.wanted, list.new_content(step.number).name, ""});
    }
  }
  return files;
}

// What was there before the activation of `id` by `run_id`; earlier ones count more.
void add_before(const SiteFolders& site, const std::string& id, const std::string& run_id,
                WantedFiles& files) {
  const UndoList list = UndoList::read(site, id);
  for (const UndoSection& section : list.sections()) {
    if (section.over || section.run_id != run_id) continue;
    for (auto step = section.steps.rbegin(); step != section.steps.rend(); ++step) {
      if (step->old)
        files.insert_or_assign(step->path,
                               Wanted{*step->old, list.old_content(step->number).name, step->made_folder});
    }
  }
}

std::vector<std::string> forgotten(const SiteFolders& site) {
  std::vector<std::string> ids;
  const std::optional<std::string> text = site.porter.read_small(kForgotten, kLongestList);
  for (const std::string& line : base::split(text.value_or(""), '\n')) {
    if (const std::optional<Record> record = Record::parse(line)) ids.push_back(record->get("release"));
  }
  return ids;
}

[[noreturn]] void throw_unknown(const SiteFolders& site, const std::string& id, const std::string& why) {
  throw Error(Code::refused,
              fmt::format("{}: {}, so it is not known which files outside of the tree {} found",
                          site.root.label(), why, id))
      .hint("deploy that version again");
}

// What activations since `id` was live found.
WantedFiles files_before(const SiteFolders& site, const std::string& id) {
  WantedFiles files;
  const std::vector<std::string> gone = forgotten(site);
  const std::vector<std::string> known = site.ids_in("outside");
  const bool none =
      gone.empty() && std::all_of(known.begin(), known.end(), [&](const auto& one) { return one == id; });
  std::string at = site.live();
  if (none || at.empty()) return files;
  const std::vector<HistoryRecord> all = activations(site.porter);
  for (auto step = all.rbegin(); at != id; ++step) {
    if (step == all.rend() || step->release != at)
      throw_unknown(site, id, fmt::format("the history does not tell what was live before {}", at));
    if (std::find(gone.begin(), gone.end(), at) != gone.end())
      throw_unknown(site, id, fmt::format("release {}, which was live since, is removed", at));
    add_before(site, at, step->run_id, files);
    at = step->previous;
  }
  return files;
}

// A content of this section, so that releases may go without each other.
void add_wanted(const SiteFolders& site, UndoList& list, const std::string& path, const Wanted& wanted,
                bool own) {
  const std::string copy = list.new_content(list.next_number()).name;
  if (wanted.occupant.kind == OccupantKind::file) {
    const std::optional<base::UniqueFd> from = site.porter.try_open_file(wanted.content);
    if (!from) throw_unknown(site, list.id(), fmt::format("the content of {} is lost", path));
    site.porter.remove_file(copy);
    const base::UniqueFd to = site.porter.create_file(copy);
    base::clone_content(from->get(), to.get());
    if (site.durable()) site.porter.sync_file(copy);
    if (site.durable()) site.porter.sync_folder("outside/" + list.id());
    reach("outside: content copied");
  }
  list.add_file(path, wanted.occupant, own, wanted.made_folder);
}

}  // namespace

void plan_rollback(const SiteFolders& site, UndoList& list) {
  const WantedFiles own = own_files(list);
  const WantedFiles before = files_before(site, list.id());
  for (const auto& [path, wanted] : before) {
    if (!own.contains(path)) add_wanted(site, list, path, wanted, false);
  }
  for (const auto& [path, wanted] : own)
    add_wanted(site, list, path, wanted, true);
}

void remember_forgotten(const SiteFolders& site, const std::string& id) {
  const UndoList list = UndoList::read(site, id);
  const auto counts = [](const UndoSection& section) {
    return section.committed && !section.over &&
           std::any_of(section.steps.begin(), section.steps.end(),
                       [](const UndoStep& step) { return step.old.has_value(); });
  };
  if (std::none_of(list.sections().begin(), list.sections().end(), counts)) return;
  const std::vector<std::string> gone = forgotten(site);
  if (std::find(gone.begin(), gone.end(), id) == gone.end())
    site.append_line(kForgotten, Record().set("release", id).line());
}

}  // namespace porter::agent
