#pragma once
// One agent connection to one host, as the engine sees it. Every call is one exchange (stage() and compare()
// are a few, however many files there are) and blocks the calling thread until the answer is there; one
// thread at a time. Errors of the agent arrive as base::Error with their code, hint and trail, and
// "while …on HOST" added; after unreachable, protocol or timeout the endpoint is dead and says so on every
// later call. Throws Interrupted on cancel (and is dead then, too: the agent dies with its connection).

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/endpoint/agent_bundle.h"
#include "core/protocol/values.h"

namespace porter::transport {
class Transport;
}
namespace porter::sync {
class Composed;
struct SyncPlan;
}  // namespace porter::sync

namespace porter::endpoint {

class ContentStore;

// What is asked in the same round trip as the greeting; one of them, or nothing. The first look() or run(),
// with the very same request, takes the answer. Any other first call has the answer thrown away. It travels
// in the agent's command line, so it holds nothing that the other users of the target may not see, and an
// agent that is then found not to be ours has been asked already.
struct Opening {
  std::vector<protocol::SiteQuery> look;
  std::vector<std::string> run;  // the arguments alone of a RunRequest
};

struct DialOptions {
  // pushed: the agent is found on the target or put there. child: the bundled file is started directly
  // (local targets).
  enum class Start { pushed, child };
  Start start = Start::pushed;
  std::string become;      // run the agent as this user, through sudo -n; "" is the user who logged in
  std::string agent_path;  // folder to keep the agent in; "" tries ~/.cache/porter, then /var/tmp/porter-UID
  std::string run_id;      // for the agent's process title and messages
  std::chrono::seconds dial_deadline{60};
  std::chrono::seconds idle_deadline{60};  // both ends give up when nothing that counts comes for this long
                                           // (protocol::Patience)
  Opening opening;
  base::CancelToken cancel;
};

struct Progress {
  std::uint64_t bytes_done = 0;  // content bytes that need not be sent any more
  std::uint64_t bytes_total = 0;
  std::uint64_t files_done = 0;
  std::uint64_t files_total = 0;
};
// Called on the thread that called stage(), at most some times a second and at the end.
using ProgressSink = std::function<void(const Progress&)>;

struct TrafficCount {
  std::uint64_t bytes_in = 0;  // frames with their headers, before encryption
  std::uint64_t bytes_out = 0;
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t exchanges = 0;  // times that we waited for an answer
};

// All calls of one kind together.
struct StepCount {
  std::string name;
  std::chrono::steady_clock::duration time{0};
  TrafficCount traffic;       // what the first request brought with the greeting is none of it
  std::size_t channels = 1;   // that carried content at once, at most
  std::uint64_t resumed = 0;  // content bytes that interrupted sends had brought
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Finds or installs the agent and greets it. Throws unreachable, become (sudo refused, with what to do),
  // agent (cannot be installed or run there; the hint says what to do), protocol, timeout.
  static std::unique_ptr<Endpoint> dial(transport::Transport& transport, const AgentBundle& bundle,
                                        const DialOptions& options);

  virtual const protocol::Hello& hello() const = 0;
  // True when dial() had to put the agent there.
  virtual bool pushed() const = 0;
  // As the transport describes it: for messages.
  virtual const std::string& where() const = 0;

  // All sites in one exchange; answers are in the order of the queries. Changes nothing.
  virtual std::vector<protocol::SiteState> look(const std::vector<protocol::SiteQuery>& sites) = 0;
  // What stage() would do. Changes nothing.
  virtual sync::SyncPlan compare(const protocol::SiteQuery& site, const sync::Composed& composed) = 0;

  // How a tree differs from its seal; `missing` alone with the path "" stands for a seal that cannot be read.
  // Changes nothing.
  virtual std::vector<protocol::Difference> differences(const protocol::DifferenceQuery& query) = 0;

  // Held until unlock() or the end of the connection. Throws Error(locked) that shows the holder,
  // Error(refused) for a foreign folder (hint: --adopt), a newer format or another layout, Error(frozen).
  virtual void lock(const protocol::LockRequest& request) = 0;
  virtual void unlock(const std::string& site) = 0;

  // All below need the lock.
  // Sends the composed tree into a new release. Contents come from `store`; without one they are read from
  // where the tree says. Throws refused (max_delete), no_space, io; what was staged is discarded then.
  virtual protocol::StageReport stage(const protocol::StageRequest& request, const sync::Composed& composed,
                                      const ProgressSink& progress, ContentStore* store = nullptr) = 0;
  // Makes the stage durable and seals it; gives the header back with what was found. Where handlers may have
  // written into it, it is walked first, and what they added belongs to the release.
  virtual protocol::SealHeader seal(const std::string& site, const protocol::SealHeader& header,
                                    protocol::Touched touched) = 0;
  // Makes a sealed release the live one; also one that was live before (rollback).
  virtual void activate(const std::string& site, const std::string& release_id, const std::string& run_id,
                        protocol::Deletion deletion) = 0;
  // Layout inplace, after handlers changed the live tree: the seal is made to describe its files again.
  virtual protocol::SealHeader reseal(const std::string& site, const std::string& release_id) = 0;
  // Back to what was live before the activation of the release: undo steps and installed files too, in
  // reverse. The release is then removed; with a reason it is kept as a bad one, unless it was live before
  // (rollback). Throws Error(remote) when all that was possible is back and an undo step failed.
  virtual void revert(const std::string& site, const std::string& release_id, const std::string& reason) = 0;
  // The activation stays: history record, undo steps are forgotten, releases beyond keep_releases are
  // removed.
  virtual protocol::CommitReport commit(const std::string& site, const std::string& release_id,
                                        std::uint32_t keep_releases, const protocol::CommitNote& note) = 0;
  // Removes a stage or a sealed release that is not live, after its undo steps.
  virtual void discard(const std::string& site, const std::string& release_id) = 0;

  // A file outside of the tree that comes and goes with the release: kept aside until place_files(), put in
  // place at once after that. What was there is kept for revert(); a rollback to the release puts its files
  // in place again.
  virtual void install_file(const std::string& site, const std::string& release_id, std::string_view content,
                            const std::string& path, std::uint32_t mode) = 0;
  virtual void place_files(const std::string& site, const std::string& release_id) = 0;
  // A program to run when the release is taken back; on disk when this returns. May be run more than once.
  virtual void add_undo(const std::string& site, const std::string& release_id,
                        const protocol::RunRequest& request) = 0;

  virtual void mark(const std::string& site, const std::string& release_id, protocol::Mark mark,
                    const std::string& reason) = 0;
  virtual void freeze(const std::string& site, const protocol::Freeze& freeze) = 0;
  virtual void unfreeze(const std::string& site, const std::string& config) = 0;

  // Needs no lock. Oldest first, the last `limit`.
  virtual std::vector<protocol::HistoryRecord> history(const std::string& site, protocol::Layout layout,
                                                       std::uint32_t limit) = 0;

  // A failing program is a result. Throws Error(remote) when it cannot be started, Error(timeout) at its
  // deadline (the program and its children are ended).
  virtual protocol::RunResult run(const protocol::RunRequest& request) = 0;
  virtual protocol::PathState stat(const std::string& path) = 0;
  bool exists(const std::string& path) { return stat(path).kind != protocol::PathKind::missing; }
  bool is_link(const std::string& path) { return stat(path).kind == protocol::PathKind::link; }
  // Throws Error(missing), or Error(refused) beyond `limit` bytes.
  virtual std::string read_file(const std::string& path, std::uint64_t limit) = 0;
  // Replaces the file in one step, folders above it are made; mode 0 keeps the mode (0644 for a new one).
  virtual void write_file(const std::string& path, std::string_view content, std::uint32_t mode) = 0;
  // A file, or a folder with all in it; modes kept, links sent as links.
  virtual void upload(const std::filesystem::path& local, const std::string& path) = 0;
  // A file or link; no error when it is not there.
  virtual void remove(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;

  virtual TrafficCount traffic() const = 0;
  // In the order of the first calls.
  virtual std::vector<StepCount> steps() const { return {}; }
  // Ends the agent in good order; the destructor does it by cutting the connection.
  virtual void close() = 0;

 protected:
  Endpoint() = default;
};

}  // namespace porter::endpoint
