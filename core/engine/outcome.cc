#include "core/engine/outcome.h"

namespace porter::engine {
namespace {

using base::Code;
using event::Outcome;
using std::chrono::steady_clock;

// Left to a settler: the run stopped in it.
Outcome outcome_of_open(State state) {
  const bool live = state == State::activating || state == State::active;
  return live ? Outcome::failed : Outcome::not_activated;  // live: its commit record could not be written
}

Outcome outcome_of(const Run& run, const Deployment& one) {
  const bool failed = one.failure && one.failure->code() != Code::interrupted;
  switch (one.state) {
    case State::unchanged:
      return Outcome::unchanged;
    case State::committed:
      if (one.failure) return Outcome::failed;
      return run.request.action == Action::rollback ? Outcome::rolled_back : Outcome::deployed;
    case State::undo_failed:
      return Outcome::rollback_failed;
    case State::undone:
      if (failed) return Outcome::failed;
      return one.was_live ? Outcome::rolled_back : Outcome::not_activated;
    default:
      return outcome_of_open(one.state);
  }
}

}  // namespace

void tell_failure(const Run& run, const Deployment& one, const base::Error& error) {
  run.around.sink.handle(event::Failure{one.host_name(), one.module_name(), static_cast<int>(error.code()),
                                        base::format_error(error)});
}

void tell_end(const Run& run, const Deployment& one) {
  if (one.failure && one.failure->code() != Code::interrupted) tell_failure(run, one, *one.failure);
  event::ModuleFinished end;
  end.module = one.module_name();
  end.host = one.host_name();
  end.outcome = outcome_of(run, one);
  end.release_id = one.to_do() ? one.release_id : one.before.current;
  end.version = one.version;
  end.files_whole = one.report.files_whole;
  end.files_delta = one.report.files_delta;
  end.files_kept = one.report.files_kept + one.report.files_cloned;
  end.files_deleted = one.report.files_deleted;
  end.bytes_sent = one.report.wire_out;
  end.bytes_received = one.report.wire_in;
  end.tree_bytes = one.composed ? one.composed->tree.byte_count() : 0;
  const bool begun = one.began != steady_clock::time_point();
  if (begun) end.seconds = std::chrono::duration<double>(steady_clock::now() - one.began).count();
  run.around.sink.handle(end);
}

}  // namespace porter::engine
