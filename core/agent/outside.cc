#include "core/agent/outside.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "core/agent/command_run.h"
#include "core/agent/failpoint.h"
#include "core/agent/site_parts.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

constexpr const char* kIncoming = "tmp-installed";
constexpr std::size_t kLongestPath = 4095;
constexpr std::size_t kToldOutput = 400;  // bytes of what a failed program said

std::string temporary_of(const UndoList& list, const UndoStep& step) {
  return fmt::format(".porter-{}-{}", list.id(), step.number);
}

bool is_live(const SiteFolders& site, const UndoList& list) {
  return site.live() == list.id();
}

// A committed section goes on while its release is live; a later activation has one of its own.
bool going_on(const SiteFolders& site, const UndoList& list) {
  return !list.closed() && (!list.last().committed || list.last().undoing || is_live(site, list));
}

// --- placing -----------------------------------------------------------------------------------------------

void keep_old(const SiteFolders& site, UndoList& list, const UndoStep& step) {
  const std::uint32_t mode = mode_for(step.path, step.wanted.mode);
  const std::string made = first_missing_folder(step.path);
  const Occupant old = keep_occupant(step.path, list.old_content(step.number), site.durable());
  reach("outside: old kept");
  list.note_kept(step, old, mode, made);
}

void place(const SiteFolders& site, UndoList& list, const UndoStep& step) {
  if (step.kind != UndoStep::Kind::file || step.placed) return;
  base::while_doing("installing " + step.path, [&] {
    if (!step.old) keep_old(site, list, step);
    put_occupant(step.path, step.wanted, list.new_content(step.number), temporary_of(list, step),
                 site.durable());
    if (step.wanted.kind == OccupantKind::absent) remove_made_folders(step.path, step.emptied_folder);
  });
  list.note_placed(step);
}

// --- undoing -----------------------------------------------------------------------------------------------

std::string first_words(const protocol::RunResult& result) {
  const std::string_view said = base::trim(result.errors.empty() ? result.output : result.errors);
  return said.empty() ? "" : ": " + base::printable(said.substr(0, kToldOutput));
}

void run_step(const UndoStep& step, const base::CancelToken& lost) {
  lost.check();
  const protocol::RunResult result = run_program(step.request, lost);
  if (result.status == 0 && result.signal == 0) return;
  const std::string how = result.signal != 0 ? fmt::format("was ended by signal {}", result.signal)
                                             : fmt::format("failed with status {}", result.status);
  throw Error(Code::remote, how + first_words(result));
}

// An earlier attempt may have failed.
KeptContent content_before(const UndoList& list, const UndoStep& step) {
  const KeptContent lost = list.lost_content(step.number);
  return lost.folder.exists(lost.name) ? lost : list.old_content(step.number);
}

void put_back(const SiteFolders& site, const UndoList& list, const UndoStep& step) {
  if (!step.old) return;
  KeptContent before = content_before(list, step);
  const auto put = [&] {
    put_occupant(step.path, *step.old, before, temporary_of(list, step), site.durable());
  };
  if (!if_there_is_room(put)) {
    before.given_up = true;
    put();
  }
  remove_made_folders(step.path, step.made_folder);
}

// Nobody else has the content, so it does not go with the release. Where it is, for people; "" for nothing.
std::string set_aside(const SiteFolders& site, const UndoList& list, const UndoStep& step) {
  const KeptContent old = list.old_content(step.number);
  const KeptContent lost = list.lost_content(step.number);
  if (old.folder.exists(old.name)) {
    old.folder.rename(old.name, lost.name);
    site.sync_folder(".porter/outside");
  }
  return lost.folder.exists(lost.name) ? fmt::format(" (what was there: {})", lost.folder.label(lost.name))
                                       : "";
}

std::string name_of(const UndoStep& step) {
  if (step.kind == UndoStep::Kind::file) return step.path;
  std::string words;
  for (const std::string& argument : step.request.arguments)
    words += (words.empty() ? "" : " ") + base::quote_shell(argument);
  return words;
}

// "" when it is done.
std::string failure_of(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return error.message();
  } catch (const std::filesystem::filesystem_error& error) {
    return error.code().message();
  }
}

// "" when it is undone.
std::string try_undo(const SiteFolders& site, const UndoList& list, const UndoStep& step,
                     const base::CancelToken& lost) {
  const bool file = step.kind == UndoStep::Kind::file;
  const std::string failure = failure_of([&] { file ? put_back(site, list, step) : run_step(step, lost); });
  if (failure.empty()) {
    if (file) site.porter.remove_file(list.lost_content(step.number).name);
    return "";
  }
  return fmt::format("{}: {}{}", shortened(name_of(step)), failure, file ? set_aside(site, list, step) : "");
}

class WayBack {
 public:
  WayBack(const SiteFolders& site, UndoList& list, const base::CancelToken& lost)
      : site_(site), list_(list), lost_(lost) {}

  // Programs among the first `spared` steps are not run.
  std::vector<std::string> go(std::size_t spared, const std::function<void()>& switch_back) {
    const UndoSection& section = list_.last();
    const std::size_t switched = section.switched.value_or(section.steps.size());
    for (std::size_t i = section.steps.size();; --i) {
      if (i == switched) switch_back();
      if (i == 0) return std::move(failures_);
      undo(section.steps[i - 1], i <= spared || section.committed);
    }
  }

 private:
  void undo(const UndoStep& step, bool spare_program) {
    if (step.kind == UndoStep::Kind::program && spare_program) return;
    if (!step.undone) {
      reach("outside: before undoing");
      const std::string failure = try_undo(site_, list_, step, lost_);
      reach("outside: undone");
      if (!failure.empty()) failures_.push_back(failure);
      // What cannot be noted is done again by the next one that looks: better than not at all.
      if_there_is_room([&] { list_.note_undone(step, failure); });
      return;
    }
    if (!step.failure.empty()) failures_.push_back(step.failure);
  }

  const SiteFolders& site_;
  UndoList& list_;
  const base::CancelToken& lost_;
  std::vector<std::string> failures_;
};

// --- coming ------------------------------------------------------------------------------------------------

class Incoming : public Receiver {
 public:
  Incoming(std::shared_ptr<const SiteFolders> site, std::string id, std::string path, std::uint32_t mode)
      : site_(std::move(site)), id_(std::move(id)), path_(std::move(path)), mode_(mode) {
    site_->porter.remove_file(kIncoming);
    fd_ = site_->porter.create_file(kIncoming);
    reach("outside: content begun");
  }
  ~Incoming() override {
    try {
      if (fd_) site_->porter.remove_file(kIncoming);
    } catch (const std::exception&) {
      // The next one that takes the lock removes it.
    }
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  void write(std::string_view bytes) override {
    base::while_doing("keeping the new " + path_, [&] { base::write_all(fd_.get(), bytes); });
  }

  void finish() override {
    if (site_->durable() && ::fsync(fd_.get()) != 0) base::throw_errno(site_->porter.label(kIncoming));
    UndoList list = open_list(*site_, id_);
    site_->porter.rename(kIncoming, list.new_content(list.next_number()).name);
    fd_.reset();
    if (site_->durable()) site_->porter.sync_folder("outside/" + id_);
    reach("outside: content kept");
    Occupant wanted;
    wanted.kind = OccupantKind::file;
    wanted.mode = mode_;
    list.add_file(path_, wanted, true);
    if (list.last().placing || is_live(*site_, list)) place(*site_, list, list.last().steps.back());
  }

 private:
  std::shared_ptr<const SiteFolders> site_;
  std::string id_;
  std::string path_;
  std::uint32_t mode_;
  base::UniqueFd fd_;
};

bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const std::string relative = path.lexically_relative(folder).string();
  return relative == "." || (!relative.empty() && relative.substr(0, 2) != "..");
}

}  // namespace

UndoList open_list(const SiteFolders& site, const std::string& id) {
  UndoList list = UndoList::read(site, id);
  if (going_on(site, list)) return list;
  list.begin();
  if (!is_live(site, list)) return list;
  const std::optional<Journal> journal = read_journal(site.porter);
  const bool last = journal && journal->id == id;
  list.note_switched(last ? journal->run_id : "");
  // What comes after the commit is never run.
  if (!last || journal->state == JournalState::committed) list.note("committed");
  return list;
}

void check_outside(const SiteFolders& site, const std::string& path) {
  const std::filesystem::path file(path);
  bool plain = !path.empty() && path.front() == '/' && path.back() != '/' && path.size() <= kLongestPath &&
               path.find('\0') == std::string::npos;
  for (const auto& name : file)
    plain = plain && name != "." && name != "..";
  if (!plain)
    throw Error(Code::usage,
                fmt::format("{}: a file outside of the tree has an absolute path without \".\" and \"..\"",
                            base::printable(path)));
  std::error_code unknown;
  const auto real = std::filesystem::weakly_canonical(file.parent_path(), unknown);
  const auto root = std::filesystem::canonical(site.root.label(), unknown);
  if (is_below(file.lexically_normal(), site.root.label()) || (!unknown && is_below(real, root)))
    throw Error(Code::usage, fmt::format("{}: is inside of the site {}", path, site.root.label()))
        .hint("write what belongs to the release into its tree; install_file is for files elsewhere");
  static_cast<void>(look_at(path));
}

std::unique_ptr<Receiver> receive_outside(std::shared_ptr<const SiteFolders> site, const std::string& id,
                                          const std::string& path, std::uint32_t mode) {
  check_outside(*site, path);
  return std::make_unique<Incoming>(std::move(site), id, path, mode);
}

void place_outside(const SiteFolders& site, UndoList& list) {
  if (!list.last().placing) list.note("placing");
  for (const UndoStep& step : list.last().steps)
    place(site, list, step);
}

void place_rest(const SiteFolders& site, const std::string& id) {
  UndoList list = UndoList::read(site, id);
  if (list.closed()) return;
  for (const UndoStep& step : list.last().steps) {
    try {
      place(site, list, step);
    } catch (const Error&) {
    }
  }
}

void note_sealed(const SiteFolders& site, const std::string& id) {
  UndoList list = UndoList::read(site, id);
  if (going_on(site, list)) list.note("sealed");
}

void note_switching(const SiteFolders& site, const std::string& id, const std::string& run_id) {
  UndoList list = UndoList::read(site, id);
  if (list.sections().empty()) return;
  if (!going_on(site, list)) list.begin();
  place_outside(site, list);
  if (!list.last().switched) list.note_switched(run_id);
}

void note_committed(const SiteFolders& site, const std::string& id) {
  UndoList list = UndoList::read(site, id);
  if (!list.closed() && !list.last().committed) list.note("committed");
}

bool undo_begun(const SiteFolders& site, const std::string& id) {
  const UndoList list = UndoList::read(site, id);
  return !list.closed() && list.last().undoing;
}

bool undo_waits(const SiteFolders& site, const std::string& id) {
  const UndoList list = UndoList::read(site, id);
  return going_on(site, list) && !is_live(site, list);
}

std::vector<std::string> take_back(const SiteFolders& site, const std::string& id,
                                   const std::function<void()>& switch_back, const base::CancelToken& lost) {
  UndoList list = UndoList::read(site, id);
  if (!going_on(site, list)) {
    switch_back();
    return {};
  }
  WayBack way(site, list, lost);
  if (!list.last().undoing) if_there_is_room([&] { list.note("undoing"); });
  std::vector<std::string> failures = way.go(0, switch_back);
  if_there_is_room([&] { list.note("over"); });
  return failures;
}

std::vector<std::string> rewind_to_seal(const SiteFolders& site, const std::string& id,
                                        const std::function<void()>& switch_back,
                                        const base::CancelToken& lost) {
  UndoList list = UndoList::read(site, id);
  const bool begun = going_on(site, list) && (list.last().placing || list.last().switched ||
                                              list.last().steps.size() > list.last().sealed);
  if (!begun) {
    switch_back();
    return {};
  }
  WayBack way(site, list, lost);
  std::vector<std::string> failures = way.go(list.last().sealed, switch_back);
  list.note("rewound");
  return failures;
}

void throw_failures(const SiteFolders& site, const std::vector<std::string>& failures) {
  if (failures.empty()) return;
  std::string text;
  for (const std::string& failure : failures)
    text += (text.empty() ? "" : "; ") + failure;
  throw Error(Code::remote, fmt::format("{}: is back, but {} undo step{} failed: {}", site.root.label(),
                                        failures.size(), failures.size() == 1 ? "" : "s", text))
      .hint("do these by hand: run the programs, put the files right");
}

}  // namespace porter::agent
