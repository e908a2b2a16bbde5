#include "core/engine/engine.h"

#include "core/engine/conductor.h"
#include "core/engine/doctor.h"
#include "core/engine/inspect.h"
#include "core/engine/remote_run.h"
#include "core/engine/resume.h"
#include "core/engine/rollback.h"
#include "core/engine/run.h"
#include "core/engine/run_folder.h"
#include "core/engine/settler.h"

namespace porter::engine {
namespace {

using base::ExitCode;

ExitCode act(const Request& request, const Surroundings& around) {
  if (request.action == Action::resume) return resume(request, around);  // as the request that was kept
  Run run(request, around);
  switch (run.request.action) {
    case Action::deploy:
      return deploy(run);
    case Action::run:
      return run_on_hosts(run);
    case Action::settle:
      return settle(run);
    case Action::resume:
      break;
    case Action::rollback:
      return rollback(run);
    case Action::doctor:
      return examine(run);
    case Action::status:
    case Action::releases:
    case Action::history:
    case Action::diff:
    case Action::freeze:
    case Action::unfreeze:
      return inspect(run);
  }
  return ExitCode::internal;
}

// The first failure of a run, for RunFinished.
class FirstCause : public event::Sink {
 public:
  explicit FirstCause(event::Sink& next) : next_(next) {}
  void handle(const event::Event& event) noexcept override {
    const auto* failure = std::get_if<event::Failure>(&event);
    if (failure != nullptr) {
      const std::lock_guard lock(mutex_);
      if (cause_.empty()) cause_ = failure->text;
    }
    next_.handle(event);
  }
  std::string cause() const {
    const std::lock_guard lock(mutex_);
    return cause_;
  }

 private:
  event::Sink& next_;
  mutable std::mutex mutex_;
  std::string cause_;
};

void tell(event::Sink& sink, const base::Error& error) {
  sink.handle(event::Failure{"", "", static_cast<int>(error.code()), base::format_error(error)});
}

ExitCode run_guarded(const Request& request, const Surroundings& around) {
  try {
    return act(request, around);
  } catch (const base::Errors& errors) {
    for (const base::Error& error : errors.all())
      tell(around.sink, error);
    return base::exit_code_for(errors.all().front().code());
  } catch (const DamagedRun& damage) {
    tell(around.sink, damage);
    return ExitCode::rollback_failed;  // nobody here can tell that every host runs what it ran before
  } catch (const base::Error& error) {
    tell(around.sink, error);
    return base::exit_code_for(error.code());
  } catch (const base::Interrupted&) {
    return ExitCode::interrupted;
  } catch (const std::exception& error) {
    tell(around.sink, base::Error(base::Code::internal, error.what()));
    return ExitCode::internal;
  }
}

}  // namespace

base::ExitCode run(const Request& request, const Surroundings& around) noexcept {
  const auto began = std::chrono::steady_clock::now();
  FirstCause sink(around.sink);
  const ExitCode code =
      run_guarded(request, {around.world, sink, around.asker, around.cancel, around.connector});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  around.sink.handle(event::RunFinished{static_cast<int>(code), sink.cause(), seconds, "", ""});
  return code;
}

}  // namespace porter::engine
