// The end of a deploy: the record that it stays, and what is then no longer needed.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/interrupted.h"
#include "core/agent/marks.h"
#include "core/agent/outside.h"
#include "core/agent/site_parts.h"
#include "core/agent/spare.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

// By when they were made: ids of one second say nothing about their order. One whose seal cannot be read
// counts as the oldest.
std::vector<std::string> oldest_first(const SiteFolders& site) {
  std::vector<std::pair<std::int64_t, std::string>> made;
  for (const std::string& id : site.sealed_ids()) {
    const std::optional<sync::SealHeader> header = site.seal_header(id);
    made.emplace_back(header ? header->made_at_ns : 0, id);
  }
  std::sort(made.begin(), made.end());
  std::vector<std::string> ids;
  for (auto& [when, id] : made)
    ids.push_back(std::move(id));
  return ids;
}

// Never removed, whatever their number: what runs, what ran before it, and the newest good one beside it.
std::set<std::string> always_kept(const SiteFolders& site, const Journal& journal,
                                  const std::vector<std::string>& ids) {
  std::set<std::string> kept = {journal.id, journal.previous};
  if (site.layout == Layout::inplace) return kept;
  const auto good = std::find_if(ids.rbegin(), ids.rend(), [&](const std::string& id) {
    return id != journal.id && !bad_mark(site, id);
  });
  if (good != ids.rend()) kept.insert(*good);
  return kept;
}

// Releases that a commit may remove, oldest first. As many good ones stay as are asked for, and no more bad
// ones than that among them.
std::vector<std::string> prunable(const SiteFolders& site, const Journal& journal, unsigned keep) {
  const std::vector<std::string> ids = oldest_first(site);
  const std::set<std::string> always = always_kept(site, journal, ids);
  const bool inplace = site.layout == Layout::inplace;
  std::vector<std::string> gone;
  std::size_t good = 0;
  std::size_t bad = 0;
  // The live one and the one before it count first, however old they are.
  for (const std::string& id : {journal.id, journal.previous}) {
    if (!id.empty() && site.sealed(id) && !is_pinned(site, id) && !bad_mark(site, id)) ++good;
  }
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    if (*id == journal.id || *id == journal.previous || is_pinned(site, *id)) continue;
    const bool is_bad = bad_mark(site, *id).has_value();
    const bool room = !inplace && !is_failed(site, *id) && good < keep && (!is_bad || bad < keep);
    if (room) ++(is_bad ? bad : good);
    if (!room && always.count(*id) == 0) gone.push_back(*id);
  }
  std::reverse(gone.begin(), gone.end());
  return gone;
}

// The newest of those that go is the most like the next release.
void prune(const SiteFolders& site, const Journal& journal, unsigned keep, protocol::LinkMode link,
           CommitResult& result) {
  const std::vector<std::string> gone = prunable(site, journal, keep);
  const bool spares = link == protocol::LinkMode::automatic;
  if (!spares) drop_spare(site);
  drop_interrupted(site);
  for (const std::string& id : gone) {
    try {
      const bool kept = spares && id == gone.back() && make_spare(site, id);
      if (!kept) site.remove_release(id);
      result.pruned.push_back(id);
    } catch (const Error& error) {
      result.warnings.push_back(fmt::format("release {} could not be removed: {}", id, error.message()));
    }
  }
  for (const std::string& failure : site.empty_trash())
    result.warnings.push_back("of what was removed something is left: " + failure);
}

}  // namespace

HistoryRecord record_of(const SiteFolders& site, const Journal& journal, const Holder& self) {
  HistoryRecord record;
  record.action = "commit";
  record.release = journal.id;
  record.previous = journal.previous;
  record.run_id = journal.run_id;
  record.who = name_of(self);
  if (const std::optional<sync::SealHeader> header = site.seal_header(journal.id))
    record.version = header->version_label;
  return record;
}

void keep_live(const SiteFolders& site, const Holder& self) {
  const std::string live = site.live();
  if (live.empty()) return;
  std::optional<Journal> journal = read_journal(site.porter);
  if (journal && journal->id == live && journal->state == JournalState::begun) {
    HistoryRecord record = record_of(site, *journal, self);
    record.message = "kept: its own run ended early";
    append_history(site, record);
    set_kept(site, {live, journal->run_id});
    clear_bad(site, live);
    journal->state = JournalState::committed;
    site.write_journal(*journal);
  }
  note_committed(site, live);
  site.unmark(live);
}

CommitResult Site::commit(const std::string& id, unsigned keep_releases, const protocol::CommitNote& note) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  if (site.live() != id)
    throw Error(Code::refused, fmt::format("{}: {} is not live, {} is", parts_->path, id,
                                           site.live().empty() ? "nothing" : site.live()));
  Journal journal = read_journal(site.porter).value_or(Journal{});
  if (journal.id != id) {
    journal = {};
    journal.id = id;
    journal.state = JournalState::committed;
  }
  if (journal.state == JournalState::begun) {
    HistoryRecord record = record_of(site, journal, parts_->self);
    if (note.action == "rollback") record.action = note.action;
    record.config = note.config;
    record.message = note.message;
    append_history(site, record);
    clear_bad(site, id);
    journal.state = JournalState::committed;
    site.write_journal(journal);
  }
  clear_kept(site);
  remove_old_undo(site);
  note_committed(site, id);
  site.unmark(id);
  CommitResult result;
  prune(site, journal, std::max(keep_releases, 1U), note.link, result);
  return result;
}

void Site::discard(const std::string& id) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  const std::optional<Journal> journal = read_journal(site.porter);
  const bool needed = journal && journal->state == JournalState::begun && journal->previous == id;
  if (site.live() == id || needed)
    throw Error(Code::refused, fmt::format("{}: release {} is {}", parts_->path, id,
                                           needed ? "what a failed deploy would go back to" : "live"));
  if (is_pinned(site, id))
    throw Error(Code::refused, fmt::format("{}: release {} is pinned", parts_->path, id))
        .hint("take its pin off first");
  const std::vector<std::string> failures = take_back(
      site, id, [] {}, parts_->lost);
  site.remove_release(id);
  throw_failures(site, failures);
}

void Site::interrupt(const std::string& id) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  if (site.sealed(id) || !site.marked(id)) return discard(id);
  throw_failures(site, interrupt_stage(site, id, parts_->lost));
}

sync::SealHeader Site::reseal(const std::string& id) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  const std::shared_ptr<const sync::Seal> found = site.seal(id);
  if (!found) throw Error(Code::refused, fmt::format("{}: {} is not sealed", parts_->path, id));
  if (site.layout == Layout::releases) return found->header;
  sync::Seal seal{found->header, reread(site.root, found->tree)};
  if (site.durable()) site.root.sync_file_system();
  seal.header.root_digest = seal.tree.root_digest();
  site.write_seal(seal);
  return seal.header;
}

}  // namespace porter::agent
