#include "core/base/exit_code.h"

namespace porter::base {

ExitCode exit_code_for(Code code) {
  switch (code) {
    case Code::usage:
    case Code::ini_syntax:
    case Code::unknown_section:
    case Code::unknown_key:
    case Code::bad_value:
    case Code::missing:
    case Code::cycle:
    case Code::unsupported:
    case Code::refused:
      return ExitCode::usage;
    case Code::unreachable:
    case Code::host_key:
    case Code::authentication:
    case Code::become:
      return ExitCode::unreachable;
    case Code::locked:
      return ExitCode::locked;
    case Code::plugin_refused:
      return ExitCode::plugin_refused;
    case Code::source:
    case Code::agent:
    case Code::protocol:
    case Code::timeout:
    case Code::remote:
    case Code::no_space:
    case Code::io:
    case Code::plugin_failed:
      return ExitCode::nothing_activated;
    case Code::frozen:
    case Code::drifted:
    case Code::stale_plan:
      return ExitCode::refused;
    case Code::interrupted:
      return ExitCode::interrupted;
    case Code::internal:
    case Code::report:
      return ExitCode::internal;
  }
  return ExitCode::internal;
}

}  // namespace porter::base
