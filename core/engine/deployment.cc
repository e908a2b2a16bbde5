#include "core/engine/deployment.h"

#include <algorithm>

#include "core/engine/live_module.h"

namespace porter::engine {

ModuleRun::ModuleRun() = default;
ModuleRun::~ModuleRun() = default;
Deployment::Deployment() = default;
Deployment::~Deployment() = default;

bool is_sealed_at(const Deployment& deployment, const protocol::SiteState& site) {
  return std::any_of(site.releases.begin(), site.releases.end(), [&](const protocol::SealHeader& seal) {
    return seal.release_id == deployment.release_id && seal.skip_key == deployment.skip_key;
  });
}

}  // namespace porter::engine
