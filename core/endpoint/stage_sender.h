#pragma once
// The operator's side of one stage: what differs, what to send, the sending. Four steps however many files
// there are (docs/protocol.md, "A deploy"): digests out, base tree in; wanted tree, announcements and content
// out while block tables and signatures come in; stage_end out, report in; and a second round only for what
// went wrong. Memory does not depend on the size of files. Used by AgentEndpoint, on its thread.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/fd.h"
#include "core/endpoint/content_store.h"
#include "core/endpoint/endpoint.h"
#include "core/endpoint/wire.h"
#include "core/sync/block_match.h"
#include "core/sync/compose.h"
#include "core/sync/content_reader.h"
#include "core/sync/delta.h"
#include "core/sync/plan.h"

namespace porter::endpoint {

// What the agent has.
struct BaseAnswer {
  sync::Tree tree;  // the part of the base tree that the folder digests do not tell
  // Of an interrupted send: contents, and how often each is there; and large files that have begun to arrive.
  std::unordered_map<base::Digest, std::uint32_t, base::DigestHash> whole;
  std::unordered_set<base::Digest, base::DigestHash> begun;
};

// Sends the folder digests of `wanted` and takes the answer.
BaseAnswer exchange_base(Wire& wire, const sync::Tree& wanted);

class StageSender {
 public:
  // All must outlive it.
  StageSender(Wire& wire, const protocol::StageRequest& request, const sync::Composed& composed,
              const ProgressSink& progress, ContentStore* store);
  protocol::StageReport send();

 private:
  using FileNumber = protocol::FileNumber;
  // A delta file whose signature is not complete.
  struct Awaited {
    std::optional<sync::BlockTableLoader> table;
    std::optional<sync::Rest> rest;  // once it is known what is copied
    std::optional<sync::SignatureLoader> signature;
  };

  void check_deletions() const;
  void sort_files(BaseAnswer base);
  bool is_delta(const sync::FileStep& step, const BaseAnswer& base) const;
  void send_wanted();
  void announce();
  void expect_contents(const std::vector<FileNumber>& numbers);
  void send_all(const std::vector<FileNumber>& numbers);
  void send_whole(FileNumber number);
  void send_large(FileNumber number);
  void send_in_memory(FileNumber number);
  void flush_batch();
  std::string read_small(FileNumber number);
  void take_arrived();
  void take_descriptions();
  void take_description(const protocol::Frame& frame);
  Awaited& awaited(FileNumber number);
  void take_table(const protocol::BlockTablePiece& message);
  void take_signature(const protocol::SignaturePiece& message);
  void match(FileNumber number, const sync::BlockTable& table);
  void send_copies(FileNumber number, const std::vector<sync::Copy>& copies, std::uint64_t old_size);
  void make_delta(FileNumber number, const sync::Signature& signature, const sync::Output& output);
  void send_delta(FileNumber number, const sync::Signature& signature);
  std::vector<FileNumber> end_round(protocol::StageReport& report);
  void abort() noexcept;

  const sync::Entry& entry(FileNumber number) const;
  std::uint64_t size_of(const std::vector<FileNumber>& numbers) const;
  std::string path(FileNumber number) const;
  base::UniqueFd open(FileNumber number);
  base::UniqueFd open_to_send(FileNumber number);
  [[noreturn]] void throw_changed(FileNumber number) const;
  void advance(std::uint64_t bytes, std::uint64_t files);

  Wire& wire_;
  const protocol::StageRequest& request_;
  const sync::Composed& composed_;
  const ProgressSink& progress_;
  ContentStore* store_;
  sync::ContentReader reader_;
  sync::SyncPlan plan_;
  std::vector<sync::EntryRef> refs_;
  std::vector<FileNumber> whole_;
  std::vector<FileNumber> delta_;
  std::map<FileNumber, Awaited> awaited_;
  protocol::Batch batch_;
  std::size_t batch_bytes_ = 0;
  bool begun_ = false;  // the agent is inside the stage: it has to be told when we give up
  Progress done_;
  std::chrono::steady_clock::time_point told_{};
};

}  // namespace porter::endpoint
