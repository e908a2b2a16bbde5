#pragma once
// What a record has come to, told as events. Pure but for the sink.

#include "core/engine/deployment.h"
#include "core/engine/run.h"

namespace porter::engine {

void tell_failure(const Run& run, const Deployment& one, const base::Error& error);
// Its failure, if any, and its end.
void tell_end(const Run& run, const Deployment& one);

}  // namespace porter::engine
