#pragma once
// One stage on its way in: from the folder digests to the last file. The thread that reads the wire calls
// everything here; a crew takes what is there already, writes small files and brings over what large ones
// have from old versions, and one more thread says what these hold (signer.h), so that content goes on
// arriving meanwhile and neither end waits for the other.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/agent/command_base.h"
#include "core/agent/command_sites.h"
#include "core/agent/server_output.h"
#include "core/agent/signer.h"
#include "core/agent/space.h"
#include "core/base/crew.h"
#include "core/protocol/messages.h"
#include "core/sync/delta.h"
#include "core/sync/tree_codec.h"

namespace porter::agent {

class StageCommand {
 public:
  StageCommand(Output& output, OpenSite& at, const protocol::StageBegin& begin, base::CancelToken lost);
  // Ends its threads. Unless the stage was completed it is given up, and what has arrived is kept for the
  // next one.
  ~StageCommand();
  StageCommand(const StageCommand&) = delete;
  StageCommand& operator=(const StageCommand&) = delete;

  void send_base(const std::string& encoded_digests);
  // A further piece of the wanted tree; with the last one the release folder is made.
  void wanted_piece(const protocol::Piece& piece);
  // The last one makes folders, takes what is there already, and has the old versions of large files
  // described. Throws Error(no_space) before that when all of it will not fit.
  void files_to_come(protocol::FilesToCome more);
  void batch(protocol::Batch batch);
  void content(const protocol::ContentPiece& piece);
  void copies(const protocol::Copies& message);
  void delta(const protocol::DeltaPiece& piece);

  // What did not arrive as it should; empty: complete. Ends the first round.
  std::vector<protocol::FileNumber> missing();
  // Links, folders' times, shared paths. The stage is then the site's to seal.
  protocol::StageReport finish();
  // After an error of ours: nothing is kept. Not to be used any more.
  void discard() noexcept;

 private:
  enum class Origin : std::uint8_t { local, whole, delta };
  struct Incoming;
  // From the operator's side, for a file whose delta is still to come.
  struct Told {
    std::vector<sync::Copy> copies;
    bool complete = false;
  };

  const sync::Entry& entry(protocol::FileNumber number) const;
  std::string path(protocol::FileNumber number) const;
  void check_coming(protocol::FileNumber number) const;
  void stop_work();
  bool fits_all() const;
  void check_room_for_all();
  void take_interrupted();
  Need needed(const Space& space) const;
  void take_local();
  void count_local(const std::vector<protocol::FileNumber>& numbers);
  void describe_old_versions();
  void open_incoming(protocol::FileNumber number);
  void open_patch(protocol::FileNumber number);
  void finish_patch();
  void accept(protocol::FileNumber number, const protocol::Piece& piece);
  void give_up_on(const base::Error& error);

  Output& output_;
  OpenSite& at_;
  protocol::StageBegin begin_;
  base::CancelToken lost_;
  base::CancelToken stop_;
  std::shared_ptr<const sync::Tree> base_;
  InterruptedSend interrupted_;
  sync::TreeAssembler assembler_;
  std::vector<sync::EntryRef> refs_;
  std::vector<Origin> origins_;
  std::vector<protocol::FileNumber> deltas_;
  std::map<protocol::FileNumber, Told> told_;
  std::unique_ptr<Incoming> incoming_;
  std::unique_ptr<base::Crew> crew_;
  std::optional<Signer> signer_;
  bool second_round_ = false;
  bool complete_ = false;
  protocol::StageReport report_;
};

}  // namespace porter::agent
