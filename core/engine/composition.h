#pragma once
// From a checkout and the settings of one module on one host to the tree that the target shall hold, and to
// what the agent has to know about it. Operator's side only; nothing here talks to a target.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/engine/deployment.h"
#include "core/engine/request.h"
#include "core/sync/content_spool.h"
#include "core/sync/digest_cache.h"

namespace porter::engine {

struct Run;

struct Composition {
  sync::Composed tree;
  std::vector<std::string> seeds;  // shared paths whose first content comes from the source
};

// What the modules of one run are composed to: a source is walked once for all hosts, and hosts that want the
// same tree share it.
class Compositions {
 public:
  // Without a folder for the cache of digests (core/sync/digest_cache.h) every file is read.
  Compositions() = default;
  explicit Compositions(const std::filesystem::path& digests) : digests_(digests) {}
  // What walks have to read is to be sent: it is kept in this folder, without a name.
  void spool_in(const std::filesystem::path& folder) {
    spool_ = std::make_shared<sync::ContentSpool>(folder);
  }

  // source < config files < links into shared/.
  std::shared_ptr<const Composition> compose(const source::Checkout& checkout,
                                             const settings::ModuleSettings& settings,
                                             const base::CancelToken& cancel);
  // The checkout has changed (a build ran): what was found there is forgotten.
  void forget(const source::Checkout& checkout);
  // Null unless it was asked for.
  std::shared_ptr<sync::ContentSpool> spool() const { return spool_; }
  // All is composed: what was walked takes no more memory.
  void forget_walks() { walked_.clear(); }

 private:
  sync::Tree walk(const source::Checkout& checkout, const settings::ModuleSettings& settings,
                  const base::CancelToken& cancel) const;

  std::optional<sync::DigestCache> digests_;
  std::shared_ptr<sync::ContentSpool> spool_;
  std::map<std::string, std::shared_ptr<const sync::Tree>> walked_;  // or a composition with nothing on top
  std::map<std::string, std::shared_ptr<const Composition>> composed_;
};

// Any folder of this machine, with the module's ignore rules.
Composition compose_folder(const std::string& folder, const settings::ModuleSettings& settings,
                           const base::CancelToken& cancel);
sync::Composed compose_nothing();

// Where a config file is taken from; nothing for an optional one that is not there, or without a config.
std::optional<std::filesystem::path> config_source(const settings::ModuleSettings& settings,
                                                   const settings::ConfigFile& file);

// What decides whether a deploy would change anything: composed digest, settings, handlers and config, as one
// digest.
std::string skip_key(const Deployment& deployment, const std::string& config);

protocol::LinkMode link_of(const settings::ModuleSettings& settings);
protocol::SiteQuery site_query(const Deployment& deployment);
// Who locks, for those who find it locked.
protocol::LockNote lock_note(const Run& run, const std::string& what);
protocol::LockRequest lock_request(const Deployment& deployment, const Run& run);
protocol::SealHeader seal_header(const Deployment& deployment, const Run& run);
protocol::StageRequest stage_request(const Deployment& deployment, const Request& request);

}  // namespace porter::engine
