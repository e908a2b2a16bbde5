#include "core/cli/supervisor.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>

#include "core/base/text.h"
#include "core/cli/log_file.h"
#include "core/cli/recap.h"
#include "core/cli/signal_stream.h"
#include "core/cli/worker_process.h"
#include "core/engine/run.h"
#include "core/engine/unfinished_runs.h"

namespace porter::cli {
namespace {

using base::ExitCode;

// Every host runs what it ran before.
bool is_as_before(ExitCode code) {
  return code == ExitCode::ok || code == ExitCode::internal || code == ExitCode::nothing_activated ||
         code == ExitCode::rolled_back;
}

event::RunFinished end_with(ExitCode code, const std::string& cause) {
  return {static_cast<int>(code), cause, 0, "", ""};
}

// One invocation: a worker and, should that die, a settler.
class Supervision {
 public:
  Supervision(const base::World& world, const engine::Request& request, View& view,
              const std::filesystem::path& program)
      : world_(world),
        request_(request),
        view_(view),
        program_(std::filesystem::canonical(program)),
        recap_(request.action),
        sinks_{&recap_, &view} {
    if (engine::only_looks(request.action)) return;
    try {
      log_ = std::make_unique<LogFile>(world, request.run_id);
      sinks_.push_back(log_.get());
    } catch (const base::Error& problem) {
      warn("no log is kept: " + problem.message());
    }
  }

  event::RunFinished run() {
    WorkerProcess worker(program_, request_, sinks_, view_, signals_, wish_);
    std::optional<event::RunFinished> end = worker.relay();
    if (!end) end = after_crash(worker);
    if (log_) end->log = log_->path().string();
    if (engine::can_resume(world_.state_folder(), request_.run_id))
      end->resume = "porter-admin resume " + request_.run_id;
    tell(*end);
    view_.pause();
    return *end;
  }

  std::string recap(const event::RunFinished& end) const { return recap_.text(end); }

 private:
  void tell(const event::Event& event) {
    for (event::Sink* sink : sinks_)
      sink->handle(event);
  }

  void warn(const std::string& text) { tell(event::Talk{event::Level::warning, "", "", "", text}); }

  event::RunFinished after_crash(const WorkerProcess& worker) {
    const bool interrupted = wish_ != Wish::none;
    const std::string cause = tell_crash(worker);
    event::RunFinished end = wish_ == Wish::leave ? leave() : settle();
    if (end.cause.empty()) end.cause = cause;
    auto code = static_cast<ExitCode>(end.exit_code);
    // A deploy that has come to its end has left nothing to settle either: it died closing its connections.
    if (code == ExitCode::internal && recap_.has_deployed()) code = ExitCode::some_hosts_failed;
    end.exit_code = static_cast<int>(code);
    if (interrupted && is_as_before(code)) {
      end.exit_code = static_cast<int>(ExitCode::interrupted);
    } else if (code == ExitCode::internal && !worker.culprits().none()) {
      // Nothing was staged, and it was not our mistake.
      end.exit_code = static_cast<int>(ExitCode::nothing_activated);
    }
    return end;
  }

  // Gives back why the run has no end of its own.
  std::string tell_crash(const WorkerProcess& worker) {
    const Culprits& culprits = worker.culprits();
    const std::string at = culprits.none() ? "" : " while " + culprits.describe();
    if (wish_ >= Wish::abort) {
      if (wish_ == Wish::abort)
        warn(fmt::format("aborted{}; putting back what is half done; again to leave at once", at));
      return "interrupted";
    }
    const bool told = worker.result().status == engine::kHandlerOverdue && !worker.first_failure().empty();
    if (told) return worker.first_failure();
    const base::Error error(
        culprits.none() ? base::Code::internal : base::Code::plugin_failed,
        fmt::format("the worker ended in the middle of the run ({}){}", worker.result().describe(), at));
    const std::string text = base::format_error(error);
    tell(event::Failure{"", "", static_cast<int>(error.code()), text});
    return text;
  }

  event::RunFinished settle() {
    event::RunFinished failed = end_with(ExitCode::rollback_failed, "the settler ended, too");
    try {
      engine::Request request = request_;
      request.action = engine::Action::settle;
      WorkerProcess settler(program_, request, sinks_, view_, signals_, wish_);
      const std::optional<event::RunFinished> end = settler.relay();
      if (end) return *end;
      if (wish_ == Wish::leave) return leave();
    } catch (const base::Error& problem) {
      failed.cause = base::format_error(problem);
    }
    tell(event::Failure{"", "", static_cast<int>(base::Code::internal), failed.cause});
    return failed;
  }

  event::RunFinished leave() {
    if (!engine::is_half_activated(world_.state_folder(), request_.run_id))
      return end_with(ExitCode::interrupted, "interrupted");
    warn("left at once: what is half done stays so until the next deploy");
    return end_with(ExitCode::rollback_failed, "left before everything was put back");
  }

  const base::World& world_;
  const SignalStream signals_;
  const engine::Request& request_;
  View& view_;
  const std::filesystem::path program_;
  Wish wish_ = Wish::none;
  Recap recap_;
  std::vector<event::Sink*> sinks_;
  std::unique_ptr<LogFile> log_;
};

}  // namespace

base::ExitCode supervise(const base::World& world, const engine::Request& request, View& view, Detail detail,
                         const std::filesystem::path& program) {
  Supervision supervision(world, request, view, program);
  const event::RunFinished end = supervision.run();
  const std::string recap = supervision.recap(end);
  if (detail != Detail::quiet && !recap.empty()) *world.err << recap << std::endl;
  if (!end.resume.empty()) *world.err << "to go on with this run: " << end.resume << std::endl;
  return static_cast<base::ExitCode>(end.exit_code);
}

}  // namespace porter::cli
