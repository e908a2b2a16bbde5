#include "core/engine/deployment.h"

#include "core/engine/live_module.h"

namespace porter::engine {

ModuleRun::ModuleRun() = default;
ModuleRun::~ModuleRun() = default;
Deployment::Deployment() = default;
Deployment::~Deployment() = default;

}  // namespace porter::engine
