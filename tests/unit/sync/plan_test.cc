#include "core/sync/plan.h"

#include <map>

#include "core/base/error.h"
#include "core/sync/compare.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

namespace {

std::string big(char c) {
  return std::string(70'000, c);
}

// What each file's step is, by path; files in same folders are left out.
std::map<std::string, const FileStep*> steps_of(const SyncPlan& plan, const Tree& wanted) {
  std::map<std::string, const FileStep*> steps;
  for (const FileStep& step : plan.files) {
    const Folder& folder = wanted.folders[step.wanted.folder];
    steps[join_path(folder.path, folder.entries[step.wanted.entry].name)] = &step;
  }
  return steps;
}

// Carries a plan out on a picture of the base (path → entry), as the target would.
std::map<std::string, Entry> carry_out(const SyncPlan& plan, const Tree& wanted, const Tree& base) {
  std::map<std::string, Entry> before;
  for (const Folder& folder : base.folders)
    for (const Entry& entry : folder.entries)
      before[join_path(folder.path, entry.name)] = entry;
  std::map<std::string, Entry> now = before;
  for (const Removal& removal : plan.removals) {
    for (const auto& [path, entry] : now)
      if (path.starts_with(removal.path + "/")) FAIL("a folder is removed before what is in it");
    CHECK(now.erase(removal.path) == 1);
  }
  for (const std::uint32_t index : plan.make_folders) {
    const Folder& folder = wanted.folders[index];
    CHECK(now.count(folder.path) == 0);
    CHECK((parent_path(folder.path).empty() || now.count(std::string(parent_path(folder.path))) == 1));
    now[folder.path] = *wanted.find(folder.path);
  }
  for (const EntryRef& ref : plan.make_links)
    now[join_path(wanted.folders[ref.folder].path, wanted.folders[ref.folder].entries[ref.entry].name)] =
        wanted.folders[ref.folder].entries[ref.entry];
  for (const auto& [path, step] : steps_of(plan, wanted)) {
    Entry entry = wanted.folders[step->wanted.folder].entries[step->wanted.entry];
    const bool has_basis = step->why == Why::moved || step->action == Action::delta;
    CHECK((step->from != nullptr) == has_basis);
    if (step->action == Action::same || step->action == Action::clone)
      CHECK(before.at(step->from ? step->from->path : path).digest == entry.digest);
    if (step->action == Action::delta) CHECK(before.at(step->from->path).digest == step->from->digest);
    if (step->action == Action::same) entry = now.at(path);
    now[path] = entry;
  }
  return now;
}

}  // namespace

TEST_CASE("carrying a plan out gives the wanted tree, for random trees and parts of them") {
  std::mt19937 random(31);
  for (int i = 0; i < 300; ++i) {
    const auto identity = i % 2 == 0 ? Identity::content_only : Identity::with_mtime;
    const Tree base = i % 7 == 0 ? random_tree(random, identity) : random_tree(random, identity, 20);
    const Tree wanted = i % 5 == 0 ? random_tree(random, identity) : random_change(base, random);
    const Tree part = make_part(base, folder_digests(wanted));
    const SyncPlan plan = make_plan(wanted, base);
    const SyncPlan from_part = make_plan(wanted, part);
    CHECK(plan.totals.bytes_whole == from_part.totals.bytes_whole);
    CHECK(plan.totals.files_same == from_part.totals.files_same);
    CHECK(plan.totals.removed == from_part.totals.removed);
    CHECK(plan.same_folders == from_part.same_folders);
    CHECK(plan.totals.base_files == from_part.totals.base_files);
    const PlanTotals& totals = plan.totals;
    CHECK(totals.files_same + totals.files_cloned + totals.files_whole + totals.files_delta ==
          wanted.file_count());
    CHECK(totals.bytes_same + totals.bytes_cloned + totals.bytes_whole + totals.bytes_delta ==
          wanted.byte_count());
    const auto now = carry_out(plan, wanted, base);
    std::size_t entries = 0;
    for (const Folder& folder : wanted.folders)
      for (const Entry& entry : folder.entries) {
        ++entries;
        const auto& made = now.at(join_path(folder.path, entry.name));
        CHECK(made.kind == entry.kind);
        CHECK(made.target == entry.target);
        if (entry.kind == Kind::file) CHECK(made.digest == entry.digest);
        if (entry.kind == Kind::file) CHECK(made.mode == entry.mode);
        if (entry.kind == Kind::file && identity == Identity::with_mtime)
          CHECK(made.mtime_ns == entry.mtime_ns);
      }
    CHECK(now.size() == entries);
  }
}

TEST_CASE("equal trees need nothing, and one comparison finds it") {
  std::mt19937 random(32);
  const Tree tree = random_tree(random, Identity::with_mtime);
  const SyncPlan plan = make_plan(tree, tree);
  CHECK(plan.empty());
  CHECK(plan.same_folders == std::vector<std::uint32_t>{0});
  CHECK(plan.files.empty());
  CHECK(plan.totals.files_same == tree.file_count());
}

TEST_CASE("each file gets the cheapest way there is, and the plan can say why") {
  Tree base = tree_of({{"same", "1"},
                       {"changed", big('a')},
                       {"small", "a"},
                       {"shrunk", big('a')},
                       {"moved", big('m')},
                       {"was-link@", "x"},
                       {"mode", "m"},
                       {"gone", "g"},
                       {"kept/f", "k"}});
  Tree wanted = tree_of({{"same", "1"},
                         {"changed", big('b')},
                         {"small", "b"},
                         {"shrunk", "s"},
                         {"new/place", big('m')},
                         {"was-link", "y"},
                         {"mode", "m"},
                         {"fresh", "f"},
                         {"link@", "to"},
                         {"empty", ""},
                         {"kept/f", "k"},
                         {"twin", "k"}});
  for (Entry& entry : wanted.folders[0].entries)
    if (entry.name == "mode") entry.mode = 0755;
  wanted.seal_digests();
  const SyncPlan plan = make_plan(wanted, make_part(base, folder_digests(wanted)));
  const auto said = [&](const char* path) { return explain(plan, wanted, base, path); };
  CHECK(said("same") == "same: not sent: equal to the base");
  CHECK(said("changed") == "changed: sent as a delta: the content differs (base 68.4 KiB, wanted 68.4 KiB)");
  CHECK(said("small") == "small: sent whole (1 B): the content differs, and it is too small for a delta");
  CHECK(said("shrunk") == "shrunk: sent whole (1 B): the content differs, and it is too small for a delta");
  CHECK(said("new/place") == "new/place: not sent: the base has this content at \"moved\"");
  CHECK(said("was-link") == "was-link: sent whole (1 B): the base has no file there");
  CHECK(said("mode") ==
        "mode: not sent: the base has this content, with another mode, time, owner or attribute");
  CHECK(said("fresh") == "fresh: sent whole (1 B): the base has nothing there");
  CHECK(said("twin") == "twin: not sent: the base has this content at \"kept/f\"");
  CHECK(said("link") == "link: a link to make: the base has none there that leads to \"to\"");
  CHECK(said("new") == "new: a folder to make: the base has none there");
  CHECK(said("kept/f") == "kept/f: nothing to do: equal to the base");
  CHECK(said("gone") == "gone: removed: the base has it, the wanted tree does not");
  CHECK(said("never") == "never: in neither tree");
  CHECK(plan.totals.removed == 3);  // gone, moved, the link
  CHECK(plan.totals.files_delta == 1);
  CHECK(plan.totals.bytes_delta == 70'000);
  const auto steps = steps_of(plan, wanted);
  CHECK(steps.at("changed")->from->size == 70'000);
  CHECK(steps.at("changed")->from->digest == base::sha256(big('a')));
}

TEST_CASE("times alone move nothing for content_only trees, and files only for the others") {
  for (const Identity identity : {Identity::content_only, Identity::with_mtime}) {
    const Tree base = tree_of({{"a/f", "1"}, {"a/g", "2"}, {"h", "3"}}, identity);
    Tree wanted = base;
    for (Folder& folder : wanted.folders) {
      folder.mtime_ns = 99;
      for (Entry& entry : folder.entries)
        entry.mtime_ns = 99;
    }
    wanted.folders[1].entries[0].mode = 0600;  // so that no folder is equal
    wanted.seal_digests();
    const SyncPlan plan = make_plan(wanted, base);
    CHECK(plan.totals.files_cloned == (identity == Identity::with_mtime ? 3 : 1));
    CHECK(plan.set_folders.size() == (identity == Identity::with_mtime ? 2 : 0));
  }
}

TEST_CASE("a part that hides what differs is a protocol error, not a wrong plan") {
  const Tree base = tree_of({{"a/f", "1"}, {"b/f", "2"}});
  Tree part = make_part(base, folder_digests(base));
  CHECK_THROWS_AS(make_plan(tree_of({{"a/f", "changed"}, {"b/f", "2"}}), part), base::Error);
  CHECK_THROWS_AS(make_plan(tree_of({{"b/f", "2"}}), part), base::Error);
  CHECK_THROWS_AS(make_plan(tree_of({{"a", "now a file"}, {"b/f", "2"}}), part), base::Error);
}
