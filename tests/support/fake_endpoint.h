#pragma once
// Hosts that are only records: what an agent would have been told, in order, and what would be live after it.
// For tests of whoever walks over endpoints. Thread-safe; a step is named "HOST STEP SITE" ("one seal
// /srv/root"), and every step can be made to fail, or to do something first.

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/endpoint/content_store.h"
#include "core/endpoint/endpoint.h"
#include "core/sync/compose.h"
#include "core/sync/plan.h"

namespace porter::tests {

class FakeHosts {
 public:
  struct Site {
    std::string current;  // release id that is live
    std::map<std::string, protocol::SealHeader> sealed;
    std::string staged;                 // an unfinished stage
    std::string previous;               // live before the activation that is not committed
    std::string pending;                // that activation
    std::set<std::string> uncommitted;  // releases that the next lock removes
    std::map<std::string, std::string> bad;
    std::set<std::string> pinned;
    std::vector<protocol::Freeze> frozen;
    // By release, "" for the live one: what differs from its seal.
    std::map<std::string, std::vector<protocol::Difference>> differences;
    std::vector<protocol::HistoryRecord> history;
    std::vector<std::string> undo_folders;    // that programs of add_undo() begin in
    std::map<std::string, std::string> sent;  // by path: the files of the last stage, read as a sender does
    std::string foreign;                      // why it is somebody else's
    std::uint64_t drift = 0;
    std::uint64_t leftovers = 0;
    bool locked = false;  // by somebody else
    std::uint64_t free_bytes = std::uint64_t{1} << 40U;
    std::optional<sync::Tree> tree;  // what compare() finds; else nothing at all
    protocol::StageRequest request;  // the last one
  };

  // The next time this step is taken it throws; `times` times.
  void fail(const std::string& step, const base::Error& error, int times = 1) {
    const std::lock_guard lock(mutex_);
    failures_.insert_or_assign(step, std::pair(error, times));
  }
  // Done when this step is taken, before it.
  void when(const std::string& step, std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    works_[step] = std::move(work);
  }
  void take(const std::string& step) {
    std::function<void()> work;
    {
      const std::lock_guard lock(mutex_);
      steps_.push_back(step);
      if (const auto found = works_.find(step); found != works_.end()) work = found->second;
    }
    if (work) work();
    const std::lock_guard lock(mutex_);
    const auto found = failures_.find(step);
    if (found != failures_.end() && found->second.second-- > 0) throw base::Error(found->second.first);
  }

  std::vector<std::string> steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
  }
  // Of one host, without its name.
  std::vector<std::string> steps_of(const std::string& host) const {
    std::vector<std::string> found;
    for (const std::string& step : steps()) {
      if (step.starts_with(host + " ")) found.push_back(step.substr(host.size() + 1));
    }
    return found;
  }
  // How many steps hold this text.
  std::size_t count(const std::string& text) const {
    const std::vector<std::string> all = steps();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const std::string& step) {
      return step.find(text) != std::string::npos;
    }));
  }
  void forget_steps() {
    const std::lock_guard lock(mutex_);
    steps_.clear();
  }

  Site site(const std::string& host, const std::string& path) {
    const std::lock_guard lock(mutex_);
    return sites_[{host, path}];
  }
  // Files that lie on all hosts, for stat() and read_file(), by absolute path.
  struct File {
    std::string text;
    std::uint32_t mode = 0644;
    protocol::PathKind kind = protocol::PathKind::file;
  };
  std::map<std::string, File> files;  // to be changed between runs only
  std::int64_t clock_offset = 0;      // seconds that all hosts are ahead
  // All of them, to be put back later: what they were at that moment.
  using Sites = std::map<std::pair<std::string, std::string>, Site>;
  Sites sites() const {
    const std::lock_guard lock(mutex_);
    return sites_;
  }
  void put_back(Sites sites) {
    const std::lock_guard lock(mutex_);
    sites_ = std::move(sites);
  }
  void change(const std::string& host, const std::string& path, const std::function<void(Site&)>& work) {
    const std::lock_guard lock(mutex_);
    work(sites_[{host, path}]);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> steps_;
  std::map<std::string, std::pair<base::Error, int>> failures_;
  std::map<std::string, std::function<void()>> works_;
  Sites sites_;
};

class FakeEndpoint final : public endpoint::Endpoint {
 public:
  // `hosts` outlives it. `waits`: what cuts a real endpoint's waits short.
  FakeEndpoint(FakeHosts& hosts, std::string host, base::CancelToken waits)
      : hosts_(hosts), host_(std::move(host)), waits_(std::move(waits)) {
    hello_.hostname = host_;
    using std::chrono::system_clock;
    hello_.clock = system_clock::to_time_t(system_clock::now()) + hosts.clock_offset;
  }

  const protocol::Hello& hello() const override { return hello_; }
  bool pushed() const override { return false; }
  const std::string& where() const override { return host_; }

  std::vector<protocol::SiteState> look(const std::vector<protocol::SiteQuery>& sites) override {
    std::vector<protocol::SiteState> states;
    for (const protocol::SiteQuery& query : sites) {
      take("look", query.path);
      states.push_back(state_of(query.path));
    }
    return states;
  }
  sync::SyncPlan compare(const protocol::SiteQuery& site, const sync::Composed& composed) override {
    take("compare", site.path);
    sync::Tree nothing;
    nothing.identity = composed.tree.identity;
    nothing.folders.emplace_back();
    nothing.seal_digests();
    return sync::make_plan(composed.tree, hosts_.site(host_, site.path).tree.value_or(nothing));
  }

  std::vector<protocol::Difference> differences(const protocol::DifferenceQuery& query) override {
    take("differences", query.site);
    return hosts_.site(host_, query.site).differences[query.release_id];
  }
  void lock(const protocol::LockRequest& request) override {
    take("lock", request.site);
    for (const protocol::Freeze& freeze : hosts_.site(host_, request.site).frozen) {
      if (freeze.config == request.config) throw base::Error(base::Code::frozen, "frozen: " + freeze.reason);
    }
    change(request.site, [&](FakeHosts::Site& site) {
      site.staged.clear();
      std::erase_if(site.uncommitted, [&](const std::string& release) {
        if (release == site.current || (release == request.keep_release && site.sealed.contains(release)))
          return false;
        site.sealed.erase(release);
        return true;
      });
    });
  }
  void unlock(const std::string& site) override { take("unlock", site); }

  protocol::StageReport stage(const protocol::StageRequest& request, const sync::Composed& composed,
                              const endpoint::ProgressSink&, endpoint::ContentStore* store) override {
    take("stage", request.site);
    if (store != nullptr) read_all(composed, *store);
    change(request.site, [&](FakeHosts::Site& site) {
      if (site.sealed.contains(request.release_id))
        throw base::Error(base::Code::refused, "release " + request.release_id + " exists");
      site.staged = request.release_id;
      site.uncommitted.insert(request.release_id);
      site.request = request;
      site.sent = read_files(composed);
    });
    protocol::StageReport report;
    report.files_whole = composed.tree.file_count();
    return report;
  }
  protocol::SealHeader seal(const std::string& path, const protocol::SealHeader& header,
                            protocol::Touched) override {
    take("seal", path);
    change(path, [&](FakeHosts::Site& site) {
      site.staged.clear();
      site.sealed[header.release_id] = header;
    });
    return header;
  }
  void activate(const std::string& path, const std::string& release, const std::string&,
                protocol::Deletion) override {
    take("activate", path);
    change(path, [&](FakeHosts::Site& site) {
      site.previous = std::exchange(site.current, release);
      site.pending = release;
    });
  }
  protocol::SealHeader reseal(const std::string& path, const std::string& release) override {
    take("reseal", path);
    return hosts_.site(host_, path).sealed[release];
  }
  void revert(const std::string& path, const std::string& release, const std::string& reason) override {
    take("revert", path);
    change(path, [&](FakeHosts::Site& site) {
      if (site.pending == release) site.current = site.previous;
      site.pending.clear();
      if (site.uncommitted.erase(release) == 0) return;  // of an earlier deploy: it stays
      if (reason.empty()) site.sealed.erase(release);
      if (!reason.empty()) site.bad[release] = reason;
    });
  }
  protocol::CommitReport commit(const std::string& path, const std::string& release, std::uint32_t,
                                const protocol::CommitNote& note) override {
    take("commit", path);
    change(path, [&](FakeHosts::Site& site) {
      if (site.current != release) throw base::Error(base::Code::refused, release + " is not live");
      protocol::HistoryRecord record;
      record.action = note.action;
      record.release = release;
      record.config = note.config;
      record.message = note.message;
      site.history.push_back(record);
      site.pending.clear();
      site.uncommitted.erase(release);
    });
    return {};
  }
  void discard(const std::string& path, const std::string& release) override {
    take("discard", path);
    change(path, [&](FakeHosts::Site& site) {
      site.staged.clear();
      site.sealed.erase(release);
      site.uncommitted.erase(release);
    });
  }

  void install_file(const std::string& path, const std::string&, std::string_view, const std::string&,
                    std::uint32_t) override {
    take("install", path);
  }
  void place_files(const std::string& path, const std::string&) override { take("place", path); }
  void add_undo(const std::string& path, const std::string&, const protocol::RunRequest& request) override {
    take("add_undo", path);
    change(path, [&](FakeHosts::Site& site) { site.undo_folders.push_back(request.directory); });
  }
  void mark(const std::string& path, const std::string& release, protocol::Mark mark,
            const std::string& reason) override {
    take("mark", path);
    change(path, [&](FakeHosts::Site& site) {
      if (mark == protocol::Mark::pinned) site.pinned.insert(release);
      if (mark == protocol::Mark::unpinned) site.pinned.erase(release);
      if (mark == protocol::Mark::bad) site.bad[release] = reason;
      if (mark == protocol::Mark::good) site.bad.erase(release);
    });
  }
  void freeze(const std::string& path, const protocol::Freeze& freeze) override {
    take("freeze", path);
    change(path, [&](FakeHosts::Site& site) { site.frozen.push_back(freeze); });
  }
  void unfreeze(const std::string& path, const std::string& config) override {
    take("unfreeze", path);
    change(path, [&](FakeHosts::Site& site) {
      std::erase_if(site.frozen, [&](const protocol::Freeze& freeze) { return freeze.config == config; });
    });
  }

  std::vector<protocol::HistoryRecord> history(const std::string& path, protocol::Layout,
                                               std::uint32_t) override {
    take("history", path);
    return hosts_.site(host_, path).history;
  }
  protocol::RunResult run(const protocol::RunRequest& request) override {
    take("run", request.arguments.front());
    return {};
  }
  protocol::PathState stat(const std::string& path) override {
    take("stat", path);
    const auto found = hosts_.files.find(path);
    if (found == hosts_.files.end()) return {};
    return {found->second.kind, found->second.mode, found->second.text.size(), 0, ""};
  }
  std::string read_file(const std::string& path, std::uint64_t) override {
    take("read", path);
    const auto found = hosts_.files.find(path);
    return found == hosts_.files.end() ? "" : found->second.text;
  }
  void write_file(const std::string& path, std::string_view, std::uint32_t) override { take("write", path); }
  void upload(const std::filesystem::path&, const std::string& path) override { take("upload", path); }
  void remove(const std::string& path) override { take("remove", path); }
  void rename(const std::string& from, const std::string&) override { take("rename", from); }
  endpoint::TrafficCount traffic() const override { return {}; }
  void close() override {}

 private:
  // As if the target had none of it.
  static void read_all(const sync::Composed& composed, endpoint::ContentStore& store) {
    const std::vector<sync::EntryRef> files = composed.tree.files();
    store.expect(composed, files);
    for (const sync::EntryRef file : files) {
      const std::string path = composed.content_of(file).path;
      if (!store.read(composed, file)) throw endpoint::not_as_composed(path);
    }
  }

  void take(const std::string& what, const std::string& path) {
    waits_.check();
    hosts_.take(host_ + " " + what + " " + path);
    waits_.check();
  }
  void change(const std::string& path, const std::function<void(FakeHosts::Site&)>& work) {
    hosts_.change(host_, path, work);
  }
  static std::map<std::string, std::string> read_files(const sync::Composed& composed) {
    std::map<std::string, std::string> files;
    for (const sync::EntryRef file : composed.tree.files()) {
      const sync::Content content = composed.content_of(file);
      const std::string bytes = content.read(SIZE_MAX);
      if (base::content_digest(bytes) != composed.tree.at(file).digest)
        throw base::Error(base::Code::source, content.path + ": changed");
      files[composed.tree.path_of(file)] = bytes;
    }
    return files;
  }
  protocol::SiteState state_of(const std::string& path) {
    const FakeHosts::Site site = hosts_.site(host_, path);
    protocol::SiteState state;
    state.path = path;
    for (const auto& [id, header] : site.sealed)
      state.releases.push_back(header);
    std::stable_sort(state.releases.begin(), state.releases.end(),
                     [](const auto& a, const auto& b) { return a.made_at_ns < b.made_at_ns; });
    for (const auto& [id, reason] : site.bad)
      state.bad.push_back({id, reason, ""});
    state.pinned.assign(site.pinned.begin(), site.pinned.end());
    state.frozen = site.frozen;
    if (site.current.empty()) return state;
    state.standing = protocol::Standing::ours;
    state.current = site.current;
    const auto seal = site.sealed.find(site.current);
    if (seal != site.sealed.end()) state.seal = seal->second;
    state.pending = site.pending;
    state.drift_changed = site.drift;
    state.free_bytes = site.free_bytes;
    state.free_inodes = site.free_bytes;
    state.leftovers = site.leftovers;
    state.locked = site.locked;
    if (site.foreign.empty()) return state;
    state.standing = protocol::Standing::foreign;
    state.reason = site.foreign;
    return state;
  }

  FakeHosts& hosts_;
  std::string host_;
  base::CancelToken waits_;
  protocol::Hello hello_;
};

}  // namespace porter::tests
