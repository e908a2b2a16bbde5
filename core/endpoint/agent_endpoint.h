#pragma once
// The endpoint over a Wire. Used through Endpoint; made by dial().

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/endpoint/endpoint.h"
#include "core/endpoint/wire.h"

namespace porter::endpoint {

class AgentEndpoint : public Endpoint {
 public:
  AgentEndpoint(std::unique_ptr<Wire> wire, protocol::Hello hello, bool pushed)
      : wire_(std::move(wire)), hello_(std::move(hello)), pushed_(pushed) {}

  const protocol::Hello& hello() const override { return hello_; }
  bool pushed() const override { return pushed_; }
  const std::string& where() const override { return wire_->where(); }

  std::vector<protocol::SiteState> look(const std::vector<protocol::SiteQuery>& sites) override;
  sync::SyncPlan compare(const protocol::SiteQuery& site, const sync::Composed& composed) override;
  std::vector<protocol::Difference> differences(const protocol::DifferenceQuery& query) override;
  void lock(const protocol::LockRequest& request) override;
  void unlock(const std::string& site) override;
  protocol::StageReport stage(const protocol::StageRequest& request, const sync::Composed& composed,
                              const ProgressSink& progress, ContentStore* store = nullptr) override;
  protocol::SealHeader seal(const std::string& site, const protocol::SealHeader& header,
                            protocol::Touched touched) override;
  void activate(const std::string& site, const std::string& release_id, const std::string& run_id,
                protocol::Deletion deletion) override;
  protocol::SealHeader reseal(const std::string& site, const std::string& release_id) override;
  void revert(const std::string& site, const std::string& release_id, const std::string& reason) override;
  protocol::CommitReport commit(const std::string& site, const std::string& release_id,
                                std::uint32_t keep_releases, const protocol::CommitNote& note) override;
  void discard(const std::string& site, const std::string& release_id) override;
  void install_file(const std::string& site, const std::string& release_id, std::string_view content,
                    const std::string& path, std::uint32_t mode) override;
  void place_files(const std::string& site, const std::string& release_id) override;
  void add_undo(const std::string& site, const std::string& release_id,
                const protocol::RunRequest& request) override;
  void mark(const std::string& site, const std::string& release_id, protocol::Mark mark,
            const std::string& reason) override;
  void freeze(const std::string& site, const protocol::Freeze& freeze) override;
  void unfreeze(const std::string& site, const std::string& config) override;
  std::vector<protocol::HistoryRecord> history(const std::string& site, protocol::Layout layout,
                                               std::uint32_t limit) override;

  protocol::RunResult run(const protocol::RunRequest& request) override;
  protocol::PathState stat(const std::string& path) override;
  std::string read_file(const std::string& path, std::uint64_t limit) override;
  void write_file(const std::string& path, std::string_view content, std::uint32_t mode) override;
  void upload(const std::filesystem::path& local, const std::string& path) override;
  void remove(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;

  TrafficCount traffic() const override { return wire_->traffic(); }
  std::vector<StepCount> steps() const override { return wire_->steps(); }
  void close() override;

 private:
  // One request, one answer, with "while … on HOST".
  template <class Answer, class Message>
  Answer exchange(std::string_view doing, const Message& message);
  void send_pieces(std::string_view content);
  void upload_one(const std::filesystem::path& local, const std::string& path);

  std::unique_ptr<Wire> wire_;
  protocol::Hello hello_;
  bool pushed_ = false;
  std::map<std::string, base::Digest> composed_;  // root digest of what was staged, by site
  std::set<std::string> bare_;                    // sites where nothing was live when last looked at
};

}  // namespace porter::endpoint
