#pragma once
// One filled message of every type: for the golden bytes and for trying what half a message does.

#include <functional>
#include <string>
#include <vector>

#include "core/protocol/messages.h"

namespace porter::tests {

struct Sample {
  std::string name;
  std::string bytes;
  // Decodes and encodes again.
  std::function<std::string(std::string_view)> again;
};

template <class Message>
Sample sample(const Message& message) {
  return {std::string(protocol::name_of(Message::kType)), protocol::encode(message),
          [](std::string_view bytes) { return protocol::encode(protocol::decode<Message>(bytes)); }};
}

inline base::Digest digest_of(std::uint8_t first) {
  base::Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<std::uint8_t>(first + i);
  return digest;
}

inline protocol::SealHeader sample_header() {
  return {"20260102T030405Z-1a2b3c4d-0001",
          "skip",
          "1a2b3c4d (branch main)",
          "1a2b3c4d5e6f",
          "run1",
          1767323045123456789,
          "releases",
          digest_of(1),
          {{"composed", "00ff"}, {"later", "kept"}}};
}

inline protocol::SiteState sample_state() {
  protocol::SiteState state;
  state.path = "/srv/apps/web";
  state.standing = protocol::Standing::ours;
  state.reason = "because";
  state.current = "r1";
  state.seal = sample_header();
  state.seal_damaged = true;
  state.drift_changed = 2;
  state.drift_missing = 300;
  state.drift = {"a", "b\n\xff"};
  state.releases = {sample_header(), {}};
  state.pinned = {"r0"};
  state.bad = {{"r3", "the page is broken", "2026-01-02T03:04:05Z"}};
  state.frozen = {{"production", "sale", "ada@laptop", "2026-01-02T03:04:05Z"}};
  state.leftovers = 2;
  state.one_file_system = false;
  state.pending = "r2";
  state.pending_previous = "r1";
  state.pending_run = "run9";
  state.locked = true;
  state.holder = {"run8", "ada", "laptop", "2026-01-02T03:04:05Z", "deploy"};
  state.free_bytes = std::uint64_t{1} << 40U;
  state.free_inodes = 77;
  return state;
}

inline protocol::StageRequest sample_stage() {
  protocol::StageRequest request;
  request.site = "/srv/apps/web";
  request.release_id = "r2";
  request.run_id = "run1";
  request.link = protocol::LinkMode::reflink;
  request.shared = {"var/uploads/", ".env"};
  request.generated = {"*.pyc"};
  request.max_delete = 10;
  request.max_delete_percent = 25;
  return request;
}

inline std::vector<Sample> samples() {
  using namespace protocol;
  const LockNote note{"run1", "ada", "laptop", "2026-01-02T03:04:05Z", "deploy of web"};
  const Piece piece{true, std::string("\x00piece\xff", 7)};
  RunRequest run;
  run.arguments = {"systemctl", "restart", "web app"};
  run.directory = "/srv";
  run.environment = {"A=b=c", "B="};
  run.input = "input";
  run.privilege = Privilege::sudo;
  run.deadline_seconds = 60;
  return {
      sample(Welcome{1, 0, "0.1.0", "run1", 60, {"zstd"}}),
      sample(Beat{}),
      sample(Goodbye{}),
      sample(Stripe{"000102030405060708090a0b0c0d0eff"}),
      sample(HelloMessage{{1,
                           0,
                           {"zstd"},
                           "0.1.0",
                           digest_of(9),
                           4711,
                           1000,
                           "ada",
                           "/home/deploy",
                           "web01",
                           "10.0.0.7",
                           "x86_64",
                           "Linux 6.1.0",
                           1767323045}}),
      sample(Failure{440, "refused: no", "do this", {"staging", "on web01"}}),
      sample(Done{}),
      sample(Look{{{"/srv/a", Layout::releases, DriftCheck::full, {"*.log"}},
                   {"/srv/b", Layout::inplace, DriftCheck::skip, {}}}}),
      sample(Looked{sample_state()}),
      sample(LockSite{{"/srv/a", Layout::inplace, Adoption::adopt, Durability::none, "r7", "testing", note}}),
      sample(UnlockSite{"/srv/a"}),
      sample(AskHistory{"/srv/a", Layout::releases, 50}),
      sample(HistoryLines{
          true,
          {{"2026-01-02T03:04:05Z", "commit", "r2", "r1", "run1", "ada@laptop", "v2", "testing", "because"},
           {}}}),
      sample(AskDifferences{{"/srv/a", Layout::inplace, "r1", {"*.pyc"}, true, true}}),
      sample(DifferenceLines{
          true, {{DifferenceKind::changed, "a/b", "content"}, {DifferenceKind::added, "c\n", ""}}}),
      sample(MarkRelease{"/srv/a", "r1", Mark::bad, "rolled back"}),
      sample(FreezeSite{"/srv/a", {"production", "sale", "ada@laptop", "2026-01-02T03:04:05Z"}}),
      sample(UnfreezeSite{"/srv/a", "production"}),
      sample(StageBegin{sample_stage(), Identity::with_mtime, 1, digest_of(5)}),
      sample(CompareBegin{{"/srv/a", Layout::releases, DriftCheck::skip, {}}, Identity::content_only, 4}),
      sample(FolderDigests{piece}),
      sample(BaseTree{piece, {digest_of(1), digest_of(1)}, {digest_of(2)}}),
      sample(WantedTree{piece}),
      sample(FilesToCome{true, {0, 1, 300}, {2, 70000}}),
      sample(Batch{{{0, "a"}, {1, ""}, {300, std::string(200, 'x')}}}),
      sample(ContentPiece{5, piece}),
      sample(BlockTablePiece{5, 1U << 30U, piece}),
      sample(Copies{5, true, {{0, 777, 1U << 16U}, {1U << 20U, 1U << 17U, 5000}}}),
      sample(SignaturePiece{6, 1U << 20U, piece}),
      sample(DeltaPiece{7, piece}),
      sample(StageEnd{}),
      sample(StageAbort{}),
      sample(Missing{true, {1, 2, 500}}),
      sample(Staged{{"/srv/a/releases/r2", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}),
      sample(SealStage{"/srv/a", sample_header(), Touched::no}),
      sample(Sealed{sample_header()}),
      sample(Activate{"/srv/a", "r2", "run1", Deletion::unknown}),
      sample(Reseal{"/srv/a", "r2"}),
      sample(Revert{"/srv/a", "r2", "the page is broken"}),
      sample(Commit{"/srv/a", "r2", 5, {"rollback", "testing", "because", LinkMode::hard}}),
      sample(Committed{{{"r0"}, {"could not remove x"}}}),
      sample(Discard{"/srv/a", "r2"}),
      sample(InstallBegin{"/srv/a", "r2", "/etc/x", 0640}),
      sample(AddUndo{"/srv/a", "r2", run}),
      sample(PlaceFiles{"/srv/a", "r2"}),
      sample(Run{run}),
      sample(RunEnded{{-1, 9, "out", "err", true}}),
      sample(AskStat{"/etc/hostname"}),
      sample(StatAnswer{{PathKind::link, 0777, 12, -1, "elsewhere"}}),
      sample(ReadFile{"/etc/hostname", 4096}),
      sample(FileData{piece}),
      sample(WriteBegin{"/etc/x", 0640}),
      sample(WriteData{piece}),
      sample(RemovePath{"/etc/x"}),
      sample(RenamePath{"/etc/x", "/etc/y"}),
      sample(MakeFolder{"/etc/z", 0755}),
      sample(MakeLink{"/etc/l", "z"}),
  };
}

}  // namespace porter::tests
