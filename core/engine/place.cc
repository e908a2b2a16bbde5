#include "core/engine/place.h"

#include "core/engine/composition.h"
#include "core/engine/deployment.h"
#include "core/engine/run.h"

namespace porter::engine {

Place place_of(const Deployment& deployment, const Run& run) {
  const protocol::LockRequest lock = lock_request(deployment, run);
  Place place;
  place.module = deployment.module_name();
  place.host = deployment.host->host;
  place.become = deployment.host->become;
  place.site = lock.site;
  place.layout = lock.layout;
  place.durability = lock.durability;
  place.keep_releases = static_cast<std::uint32_t>(deployment.settings->keep_releases());
  place.release_id = deployment.release_id;
  place.previous = deployment.before.current;
  place.version = deployment.version;
  place.commit = deployment.commit;
  place.source = deployment.module->checkout.tree.string();
  place.source_root = deployment.source_root;
  place.seed_paths = deployment.seeds;
  return place;
}

protocol::LockRequest lock_request(const Place& place, const Run& run) {
  protocol::LockRequest lock;
  lock.site = place.site;
  lock.layout = place.layout;
  lock.durability = place.durability;
  lock.note = lock_note(run, "settling of " + place.module);
  return lock;
}

}  // namespace porter::engine
