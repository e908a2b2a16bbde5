#include "core/agent/command_sites.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMostReleases = 200;  // in one answer

protocol::SealHeader to_wire(const sync::SealHeader& header) {
  return {header.release_id, header.skip_key, header.version_label, header.commit, header.run_id,
          header.made_at_ns, header.layout,   header.root_digest,   header.notes};
}

sync::SealHeader from_wire(const protocol::SealHeader& header, Layout layout) {
  sync::SealHeader out{header.release_id, header.skip_key, header.version_label, header.commit, header.run_id,
                       header.made_at_ns, header.layout,   header.root_digest,   header.notes};
  out.layout = layout == Layout::releases ? "releases" : "inplace";
  return out;
}

protocol::LockNote to_wire(const Holder& holder) {
  return {holder.run_id, holder.who, holder.host, holder.since, holder.message};
}

protocol::Standing to_wire(SiteKind kind) {
  switch (kind) {
    case SiteKind::absent:
    case SiteKind::empty:
      return protocol::Standing::absent;
    case SiteKind::foreign:
      return protocol::Standing::foreign;
    case SiteKind::ours:
      return protocol::Standing::ours;
  }
  return protocol::Standing::foreign;
}

protocol::SiteState to_wire(const SiteState& state, const std::string& path) {
  protocol::SiteState out;
  out.path = path;
  out.standing = to_wire(state.kind);
  out.reason = state.foreign_reason;
  out.current = state.current;
  if (state.live) out.seal = to_wire(*state.live);
  out.seal_damaged = state.seal_damaged;
  out.drift_changed = state.drift.changed;
  out.drift_missing = state.drift.missing;
  out.drift = state.drift.examples;
  const std::size_t skipped = state.releases.size() - std::min(state.releases.size(), kMostReleases);
  for (std::size_t i = skipped; i < state.releases.size(); ++i)
    out.releases.push_back(to_wire(state.releases[i].header));
  out.pinned = state.pinned;
  out.bad = state.bad;
  out.frozen = state.frozen;
  out.one_file_system = state.one_file_system;
  if (state.pending) {
    out.pending = state.pending->id;
    out.pending_previous = state.pending->previous;
    out.pending_run = state.pending->run_id;
  }
  out.leftovers = state.leftovers;
  out.locked = state.holder.has_value();
  if (state.holder) out.holder = to_wire(*state.holder);
  out.free_bytes = state.free_bytes;
  out.free_inodes = state.free_inodes;
  return out;
}

Error locked_error(const std::string& site, const Holder& holder) {
  std::string by = holder.who.empty() ? std::string("somebody") : holder.who;
  if (!holder.host.empty()) by += "@" + holder.host;
  std::string text = fmt::format("{}: locked by {}", site, by);
  if (!holder.since.empty()) text += " since " + holder.since;
  if (!holder.message.empty()) text += fmt::format(" ({})", holder.message);
  if (!holder.run_id.empty()) text += fmt::format(", run {}", holder.run_id);
  return Error(Code::locked, text).hint("wait for that run, or end it; the lock goes with its connection");
}

}  // namespace

Layout to_layout(protocol::Layout layout) {
  return layout == protocol::Layout::releases ? Layout::releases : Layout::inplace;
}

sync::IgnoreRules generated_rules(const std::vector<std::string>& patterns) {
  sync::IgnoreRules rules;
  rules.add_all(patterns, "[module] generated");
  return rules;
}

sync::Identity to_identity(protocol::Identity identity) {
  return static_cast<sync::Identity>(identity);
}

sync::Keeps to_keeps(std::uint64_t byte) {
  const std::optional<sync::Keeps> keeps = sync::Keeps::from_byte(byte);
  if (!keeps) throw Error(Code::protocol, "a tree that keeps unknown things");
  return *keeps;
}

Site Sites::at(const std::string& path, protocol::Layout layout) {
  Site site = Site::open(path, to_layout(layout));
  site.share_seals(seals_);
  return site;
}

protocol::SiteState Sites::look(const protocol::SiteQuery& query) {
  return base::while_doing("looking at " + query.path, [&] {
    Site site = at(query.path, query.layout);
    site.set_generated(generated_rules(query.generated));
    const bool full = query.drift == protocol::DriftCheck::full;
    return to_wire(site.look(full ? CheckDrift::yes : CheckDrift::no), query.path);
  });
}

std::vector<protocol::HistoryRecord> Sites::history(const protocol::AskHistory& ask) {
  const Site site = at(ask.site, ask.layout);
  return site.history(ask.limit);
}

std::vector<protocol::Difference> Sites::differences(const protocol::DifferenceQuery& query) {
  Site site = at(query.site, query.layout);
  site.set_generated(generated_rules(query.generated));
  return site.differences(query.release_id, query.every_byte ? Hash::every_file : Hash::touched,
                          query.added ? Unlisted::tell : Unlisted::skip);
}

void Sites::lock(const protocol::LockRequest& request) {
  const Durability durability =
      request.durability == protocol::Durability::full ? Durability::full : Durability::none;
  auto entry = std::make_unique<OpenSite>(
      OpenSite{Site::open(request.site, to_layout(request.layout), durability), request, {}});
  entry->site.share_seals(seals_);
  entry->site.set_lost(lost_);
  const protocol::LockNote& note = request.note;
  PrepareOptions options;
  options.adopt = request.adoption == protocol::Adoption::adopt ? Adopt::yes : Adopt::no;
  options.self = {note.run_id, note.who, note.host, note.since, note.message};
  options.keep_release = request.keep_release;
  options.config = request.config;
  if (sites_.contains(request.site))
    throw Error(Code::refused, request.site + ": is locked by this very connection");
  if (const auto holder = entry->site.prepare(options)) throw locked_error(request.site, *holder);
  sites_.emplace(request.site, std::move(entry));
}

void Sites::unlock(const std::string& site) {
  const auto found = sites_.find(site);
  if (found == sites_.end()) return;
  found->second->stage.reset();
  found->second->site.release_lock();
  sites_.erase(found);
}

void Sites::foresee_stages() const noexcept {
  for (const auto& [path, entry] : sites_)
    entry->site.foresee_stage();
}

OpenSite& Sites::open(const std::string& site) {
  const auto found = sites_.find(site);
  if (found == sites_.end()) throw Error(Code::refused, site + ": is not locked by this connection");
  return *found->second;
}

protocol::SealHeader Sites::seal(const protocol::SealStage& ask) {
  OpenSite& at = open(ask.site);
  if (!at.stage) throw Error(Code::refused, ask.site + ": there is nothing staged to seal");
  if (at.stage->id() != ask.header.release_id)
    throw Error(Code::refused, fmt::format("{}: the stage is release {}, not {}", ask.site, at.stage->id(),
                                           ask.header.release_id));
  const bool untouched = ask.touched == protocol::Touched::no;
  const sync::SealHeader sealed =
      at.stage->seal(from_wire(ask.header, at.site.layout()), untouched ? Touched::no : Touched::maybe);
  at.stage.reset();
  return to_wire(sealed);
}

void Sites::activate(const protocol::Activate& ask) {
  open(ask.site).site.activate(ask.release_id, ask.run_id,
                               ask.deletion == protocol::Deletion::unknown ? Unknown::remove : Unknown::keep);
}

protocol::SealHeader Sites::reseal(const protocol::Reseal& ask) {
  return to_wire(open(ask.site).site.reseal(ask.release_id));
}

void Sites::revert(const protocol::Revert& ask) {
  open(ask.site).site.revert(ask.release_id, ask.reason);
}

protocol::CommitReport Sites::commit(const protocol::Commit& ask) {
  CommitResult result = open(ask.site).site.commit(ask.release_id, ask.keep_releases, ask.note);
  return {std::move(result.pruned), std::move(result.warnings)};
}

void Sites::discard(const protocol::Discard& ask) {
  OpenSite& at = open(ask.site);
  if (at.stage && at.stage->id() == ask.release_id) at.stage.reset();
  at.site.discard(ask.release_id);
}

std::unique_ptr<Receiver> Sites::install_file(const protocol::InstallBegin& ask) {
  return open(ask.site).site.install_file(ask.release_id, ask.path, ask.mode);
}

void Sites::add_undo(const protocol::AddUndo& ask) {
  open(ask.site).site.add_undo(ask.release_id, ask.request);
}

void Sites::place_files(const protocol::PlaceFiles& ask) {
  open(ask.site).site.place_files(ask.release_id);
}

void Sites::mark(const protocol::MarkRelease& ask) {
  open(ask.site).site.mark(ask.release_id, ask.mark, ask.reason);
}

void Sites::freeze(const protocol::FreezeSite& ask) {
  open(ask.site).site.freeze(ask.freeze);
}

void Sites::unfreeze(const protocol::UnfreezeSite& ask) {
  open(ask.site).site.unfreeze(ask.config);
}

void Sites::interrupt_stages() noexcept {
  for (auto& [path, at] : sites_) {
    if (!at->stage) continue;
    try {
      const std::string id = at->stage->id();
      at->stage.reset();
      at->site.interrupt(id);
    } catch (const std::exception&) {
      // The next run that locks this site removes it.
    }
  }
}

}  // namespace porter::agent
