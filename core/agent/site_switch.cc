// Making a sealed release the live one, and going back.
#include <fmt/format.h>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/outside.h"
#include "core/agent/site_parts.h"
#include "core/base/error.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

std::string release_link(const std::string& id) {
  return "releases/" + id;
}

// A foreign `current` gives way in one step and keeps its content under the name `aside`.
void put_aside(const SiteFolders& site, const Journal& journal) {
  if (const std::optional<std::string> target = site.root.link_target("current")) {
    site.root.make_link(journal.aside, *target);
    reach("aside: link copied");
    return;  // our link then replaces it by rename
  }
  site.root.make_link(journal.aside, release_link(journal.id));
  reach("aside: before swap");
  // Where the file system cannot swap, there is a moment without `current`.
  if (!site.root.exchange(journal.aside, "current")) {
    site.root.remove_file(journal.aside);
    site.root.rename("current", journal.aside, Replace::no);
  }
  reach("aside: swapped");
}

// The way back of put_aside.
void take_back(const SiteFolders& site, const Journal& journal) {
  const bool link = site.root.link_target(journal.aside).has_value() || !site.root.exists("current");
  if (!link && site.root.exchange(journal.aside, "current")) {
    reach("aside: swapped back");
    site.root.remove_file(journal.aside);
    return;
  }
  if (!link) site.root.remove_file("current");
  site.root.rename(journal.aside, "current");
}

sync::Tree empty_tree() {
  sync::Tree tree;
  tree.folders.emplace_back();
  tree.seal_digests();
  return tree;
}

std::shared_ptr<const sync::Seal> require_seal(const SiteFolders& site, const std::string& id) {
  auto seal = site.seal(id);
  if (!seal) throw Error(Code::refused, fmt::format("{}: the seal of {} is damaged", site.root.label(), id));
  return seal;
}

// Only the last activation's files are kept.
void check_returnable(const SiteFolders& site, const Journal& journal) {
  const std::optional<Journal> last = read_journal(site.porter);
  if (last && last->id == journal.previous && last->previous == journal.id && has_operations(site, last->id))
    return;
  throw Error(Code::refused,
              fmt::format("{}: the files of {} are not there any more; an inplace site goes back "
                          "one deploy only",
                          site.root.label(), journal.id))
      .hint("deploy that version again");
}

std::vector<Operation> plan_deploy(const SiteFolders& site, const Journal& journal, Unknown unknown,
                                   const sync::IgnoreRules& generated) {
  const std::shared_ptr<const sync::Seal> wanted = require_seal(site, journal.id);
  const std::shared_ptr<const sync::Seal> base =
      journal.previous.empty() ? nullptr : site.seal(journal.previous);
  return plan_switch(site, journal.id, base ? base->tree : empty_tree(), wanted->tree, unknown, generated);
}

// What was staged is used up by what was done and undone; undo steps wait for the release to be taken back.
void forget_activation(const SiteFolders& site, const Journal& journal) {
  if (journal.back) return give_back(site, journal);
  site.clear_stage(journal.id);
  site.remove_journal();
}

}  // namespace

void activate_release(const SiteFolders& site, const Journal& journal, Adopt adopt) {
  const bool foreign = !read_live(site.root, site.layout);
  if (foreign && adopt == Adopt::no)
    throw Error(Code::refused, site.root.label("current") + ": is not ours")
        .hint("porter-admin deploy --adopt takes it over");
  require_seal(site, journal.id);
  Journal written = journal;
  if (foreign)
    written.aside = "current.before-porter-" + (is_release_id(journal.run_id) ? journal.run_id : journal.id);
  if (foreign && site.root.exists(written.aside))
    throw Error(Code::refused, site.root.label(written.aside) + ": is there already");
  site.write_journal(written);
  if (foreign) put_aside(site, written);
  site.set_live(journal.id);
}

void revert_release(const SiteFolders& site, const Journal& journal) {
  const bool live = site.live() == journal.id;
  // Left by a way back that was interrupted after its swap, or by a put_aside before its own.
  const bool aside = !journal.aside.empty() && site.root.exists(journal.aside);
  if (aside && site.root.link_target(journal.aside) == release_link(journal.id)) {
    site.root.remove_file(journal.aside);
  } else if (aside && (live || !site.root.exists("current"))) {
    take_back(site, journal);
  } else if (aside) {
    site.root.remove_file(journal.aside);  // the copy of a link that is still in its place
  } else if (live) {
    site.set_live(journal.previous);
  }
  site.sync_folder("");
  reach("revert: current back");
}

void activate_inplace(const SiteFolders& site, const Journal& journal, Unknown unknown,
                      const sync::IgnoreRules& generated) {
  Journal written = journal;
  written.back = !site.marked(journal.id);
  if (written.back) check_returnable(site, journal);
  const std::vector<Operation> operations = written.back ? plan_return(site, journal.id, journal.previous)
                                                         : plan_deploy(site, journal, unknown, generated);
  write_operations(site, journal.id, operations);
  site.write_journal(written);
  try {
    apply_switch(site, journal.id, operations);
    restamp(site, journal.id, moved_paths(operations));
  } catch (const Error&) {
    revert_inplace(site, written);
    forget_activation(site, written);
    throw;
  }
  site.set_live(journal.id);
  remove_old_undo(site);
}

void give_back(const SiteFolders& site, const Journal& journal) {
  Journal before;
  before.id = journal.previous;
  before.previous = journal.id;
  if (const std::optional<sync::SealHeader> header = site.seal_header(before.id))
    before.run_id = header->run_id;
  before.state = JournalState::committed;
  site.write_journal(before);
  site.remove_tree(".porter/undo/" + journal.id);
}

void revert_inplace(const SiteFolders& site, const Journal& journal) {
  if (site.live() == journal.id) site.set_live(journal.previous);
  const std::set<std::string> moved = moved_paths(read_operations(site, journal.id));
  undo_switch(site, journal.id);
  if (!journal.previous.empty()) restamp(site, journal.previous, moved);
}

void Site::activate(const std::string& id, const std::string& run_id, Unknown unknown) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  if (!site.sealed(id)) throw Error(Code::refused, fmt::format("{}: {} is not sealed", parts_->path, id));
  const std::string live = site.live();
  if (live == id) return site.sync_folder(site.layout == Layout::releases ? "" : kPorter);
  keep_live(site, parts_->self);
  note_switching(site, id, run_id);
  Journal journal;
  journal.id = id;
  journal.previous = live;
  journal.run_id = run_id;
  if (site.layout == Layout::releases)
    activate_release(site, journal, parts_->adopt);
  else
    activate_inplace(site, journal, unknown, parts_->generated);
}

}  // namespace porter::agent
