// Going back from an activation, and what becomes of the release.
#include <fmt/format.h>

#include "core/agent/failpoint.h"
#include "core/agent/marks.h"
#include "core/agent/outside.h"
#include "core/agent/site_parts.h"
#include "core/base/clock.h"
#include "core/base/error.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

std::string now() {
  return base::format_iso(std::chrono::system_clock::now());
}

void check_restorable(const SiteFolders& site, const std::string& id, const std::optional<Journal>& journal) {
  if (!journal)
    throw Error(Code::refused,
                fmt::format("{}: nothing is known of what was live before {}", site.root.label(), id))
        .hint("activate another release");
  if (!restorable(site, *journal))
    throw Error(Code::refused, fmt::format("{}: release {}, which was live before {}, is not there any more",
                                           site.root.label(), journal->previous, id));
}

void go_back(const SiteFolders& site, const Journal& journal) {
  if (site.layout == Layout::releases)
    revert_release(site, journal);
  else
    revert_inplace(site, journal);
}

void record_revert(const SiteFolders& site, const std::string& id, const Journal& journal,
                   const std::string& reason, const Holder& self) {
  HistoryRecord record;
  record.action = "revert";
  record.release = id;
  record.previous = journal.previous;
  record.run_id = journal.run_id;
  record.who = name_of(self);
  record.message = reason;
  append_history(site, record);
}

// It stays to be looked at, the only one of its kind; older ones that cannot go now go with the next commit.
void quarantine(const SiteFolders& site, const std::string& id) {
  site.unmark(id);
  reach("revert: quarantined");
  for (const std::string& other : bad_ids(site)) {
    if (other == id || !is_failed(site, other) || is_pinned(site, other)) continue;
    try {
      site.remove_release(other);
    } catch (const Error&) {
    }
  }
}

}  // namespace

bool if_there_is_room(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.code() != Code::no_space) throw;
    return false;
  }
}

std::string name_of(const Holder& holder) {
  return holder.host.empty() ? holder.who : holder.who + "@" + holder.host;
}

bool restorable(const SiteFolders& site, const Journal& journal) {
  return journal.previous.empty() || site.sealed(journal.previous) ||
         site.root.exists("releases/" + journal.previous);
}

bool reverting(const SiteFolders& site, const std::string& id) {
  return undo_begun(site, id) || (site.marked(id) && is_failed(site, id));
}

std::vector<std::string> finish_revert(const SiteFolders& site, const std::string& id,
                                       const std::string& reason, const Holder& self,
                                       const base::CancelToken& lost) {
  std::optional<Journal> journal = read_journal(site.porter);
  if (journal && journal->id != id) journal.reset();
  const bool was_live = site.live() == id || is_failed(site, id);
  const auto switch_back = [&] {
    if (journal) go_back(site, *journal);
  };
  std::vector<std::string> failures = take_back(site, id, switch_back, lost);
  const auto record = [&] {
    if (journal && was_live) record_revert(site, id, *journal, reason, self);
  };
  const bool told = if_there_is_room(record);
  if (journal && journal->back) {
    give_back(site, *journal);
    return failures;
  }
  // A release of an earlier deploy stays one.
  if (is_failed(site, id) && site.sealed(id))
    quarantine(site, id);
  else if (site.marked(id) || (site.layout == Layout::inplace && journal))
    site.remove_release(id);
  if (!told) if_there_is_room(record);
  if (journal) site.remove_journal();
  return failures;
}

void Site::revert(const std::string& id, const std::string& reason) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  if (site.live() == id) {
    std::optional<Journal> journal = read_journal(site.porter);
    if (journal && journal->id != id) journal.reset();
    check_restorable(site, id, journal);
    // On a full disk the release is removed instead, which makes room.
    if (site.layout == Layout::releases && site.marked(id) && !reason.empty())
      if_there_is_room([&] { set_bad(site, id, {reason, now(), true}); });
  }
  throw_failures(site, finish_revert(site, id, reason, parts_->self, parts_->lost));
}

void Site::mark(const std::string& id, protocol::Mark mark, const std::string& reason) {
  check_release_id(id);
  const SiteFolders& site = parts_->held();
  const bool unfinished = site.marked(id) && site.live() != id;
  if (!site.sealed(id) || unfinished)
    throw Error(Code::missing, fmt::format("{}: there is no release {}", parts_->path, id));
  switch (mark) {
    case protocol::Mark::pinned:
      return pin(site, id);
    case protocol::Mark::unpinned:
      return unpin(site, id);
    case protocol::Mark::good:
      return clear_bad(site, id);
    case protocol::Mark::bad:
      break;
  }
  const std::optional<BadMark> old = bad_mark(site, id);
  const bool known = old && !old->since.empty();
  set_bad(site, id, {reason, known ? old->since : now(), false});
}

void Site::freeze(protocol::Freeze freeze) {
  if (freeze.since.empty()) freeze.since = now();
  if (freeze.who.empty()) freeze.who = name_of(parts_->self);
  set_freeze(parts_->held(), freeze);
}

void Site::unfreeze(const std::string& config) {
  clear_freeze(parts_->held(), config);
}

}  // namespace porter::agent
