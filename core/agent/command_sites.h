#pragma once
// The sites that this agent has locked, and what the wire may ask of a site: the store's values turned into
// the protocol's and back. One thread.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/agent/seal_store.h"
#include "core/agent/site.h"
#include "core/protocol/messages.h"

namespace porter::agent {

// A locked site with the release that is being built in it.
struct OpenSite {
  Site site;
  protocol::LockRequest request;
  std::optional<Stage> stage;
};

class Sites {
 public:
  // Changes nothing.
  protocol::SiteState look(const protocol::SiteQuery& query);
  std::vector<protocol::HistoryRecord> history(const protocol::AskHistory& ask);
  std::vector<protocol::Difference> differences(const protocol::DifferenceQuery& query);

  // `lost`: the connection's end, which ends undo programs.
  explicit Sites(base::CancelToken lost) : lost_(std::move(lost)) {}

  // Without the lock.
  Site at(const std::string& path, protocol::Layout layout);
  // Throws Error(locked) that shows the holder.
  void lock(const protocol::LockRequest& request);
  void unlock(const std::string& site);
  // Of all that are locked.
  void foresee_stages() const noexcept;
  // Throws Error(refused) unless the site is locked by us.
  OpenSite& open(const std::string& site);

  protocol::SealHeader seal(const protocol::SealStage& ask);
  void activate(const protocol::Activate& ask);
  protocol::SealHeader reseal(const protocol::Reseal& ask);
  void revert(const protocol::Revert& ask);
  protocol::CommitReport commit(const protocol::Commit& ask);
  void discard(const protocol::Discard& ask);

  std::unique_ptr<Receiver> install_file(const protocol::InstallBegin& ask);
  void add_undo(const protocol::AddUndo& ask);
  void place_files(const protocol::PlaceFiles& ask);

  void mark(const protocol::MarkRelease& ask);
  void freeze(const protocol::FreezeSite& ask);
  void unfreeze(const protocol::UnfreezeSite& ask);

  // Gives unsealed stages up, after their undo steps, as far as that works: for the end of the connection.
  void interrupt_stages() noexcept;

 private:
  base::CancelToken lost_;
  std::shared_ptr<SealStore> seals_ = std::make_shared<SealStore>();
  std::map<std::string, std::unique_ptr<OpenSite>> sites_;
};

// Throws Error(bad_value) for a malformed pattern.
sync::IgnoreRules generated_rules(const std::vector<std::string>& patterns);
Layout to_layout(protocol::Layout layout);
sync::Identity to_identity(protocol::Identity identity);
// Throws Error(protocol) for what no tree keeps.
sync::Keeps to_keeps(std::uint64_t byte);

}  // namespace porter::agent
