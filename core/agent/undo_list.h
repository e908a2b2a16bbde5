#pragma once
// Of one release: what has to be undone when it is taken back, as a list that only grows, each line durable
// before what it announces is done.
//
//   .porter/outside/<id>/list     lines as Record writes them; torn ones do not count
//   .porter/outside/<id>/<n>.new  content that step n puts in place
//   .porter/outside/<id>/<n>.old  content that it found
//   .porter/outside/<id>:<n>.old  the same, when it could not be put back; only people remove it
//
// A list has a section for each time that the release was activated or was about to be: the deploy, then each
// rollback to it. Used by outside.cc; needs the site's lock for all but reading. One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/agent/occupant.h"
#include "core/agent/site_folders.h"
#include "core/protocol/values.h"

namespace porter::agent {

// More would be no undo steps but a second way to deploy.
inline constexpr std::size_t kMostSteps = 10'000;
inline constexpr std::size_t kLongestLine = 1U << 20U;
inline constexpr std::size_t kLongestList = 64U << 20U;

struct UndoStep {
  enum class Kind : std::uint8_t { file, program };
  Kind kind = Kind::file;
  unsigned number = 0;
  // Of files:
  std::string path;
  bool own = true;  // false: put back by a rollback, because the release that it left had installed it
  Occupant wanted;  // mode 0 until it is placed
  std::optional<Occupant> old;  // once it is kept
  std::string made_folder;      // the topmost folder that is made for it, "" for none
  bool placed = false;
  std::string emptied_folder;  // where nothing is wanted: the topmost folder that goes with it, if empty
  // Of programs:
  protocol::RunRequest request;

  bool undone = false;
  std::string failure;  // why it could not be undone
};

struct UndoSection {
  std::vector<UndoStep> steps;
  std::size_t sealed = 0;               // so many steps came before the seal
  bool placing = false;                 // files that come now are placed at once
  std::optional<std::size_t> switched;  // so many steps came before the release became live
  std::string run_id;                   // of the switch
  bool committed = false;               // programs are forgotten
  bool undoing = false;                 // going back has begun, and is to be ended
  bool over = false;                    // nothing is left to be undone
};

class UndoList {
 public:
  // Empty when there is none.
  static UndoList read(const SiteFolders& site, const std::string& id);

  const std::string& id() const { return id_; }
  const std::vector<UndoSection>& sections() const { return sections_; }
  // Nothing, or nothing that is going on.
  bool closed() const { return sections_.empty() || sections_.back().over; }
  const UndoSection& last() const { return sections_.back(); }
  unsigned next_number() const { return next_; }
  KeptContent new_content(unsigned number) const { return {site_->porter, file(number, "new")}; }
  KeptContent old_content(unsigned number) const { return {site_->porter, file(number, "old")}; }
  // Where old content goes that could not be put back; it outlives the list.
  KeptContent lost_content(unsigned number) const;

  // Each is on disk when it returns. begin() makes the folder; all others are of the last section.
  void begin();
  void add_file(const std::string& path, const Occupant& wanted, bool own, const std::string& emptied = "");
  void add_program(const protocol::RunRequest& request);
  void note_kept(const UndoStep& step, const Occupant& old, std::uint32_t mode, const std::string& made);
  void note_placed(const UndoStep& step);
  void note_switched(const std::string& run_id);
  void note_undone(const UndoStep& step, const std::string& failure);
  // "sealed", "placing", "committed", "undoing", "over", or "rewound": back to how it was when it was sealed.
  void note(const std::string& what);

 private:
  UndoList(const SiteFolders& site, std::string id) : site_(&site), id_(std::move(id)) {}
  std::string file(unsigned number, const char* kind) const;
  void append(const Record& record);
  void add(Record record);
  void apply(const Record& record);
  void apply_to_step(const std::string& what, const Record& record);

  const SiteFolders* site_;
  std::string id_;
  std::vector<UndoSection> sections_;
  unsigned next_ = 1;
  std::size_t bytes_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace porter::agent
