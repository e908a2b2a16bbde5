#include "core/agent/undo_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/agent/failpoint.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kKinds[] = {"absent", "file", "link"};

std::int64_t number_of(const Record& record, std::string_view name, std::int64_t otherwise = 0) {
  return base::parse_integer(record.get(name)).value_or(otherwise);
}

void set_occupant(Record& record, const Occupant& occupant) {
  record.set("kind", kKinds[static_cast<std::size_t>(occupant.kind)]);
  record.set("mode", std::to_string(occupant.mode)).set("uid", std::to_string(occupant.uid));
  record.set("gid", std::to_string(occupant.gid)).set("mtime", std::to_string(occupant.mtime_ns));
  record.set("target", occupant.target);
}

Occupant occupant_of(const Record& record) {
  const auto* kind = std::find(std::begin(kKinds), std::end(kKinds), record.get("kind"));
  Occupant occupant;
  if (kind != std::end(kKinds)) occupant.kind = static_cast<OccupantKind>(kind - std::begin(kKinds));
  occupant.mode = static_cast<std::uint32_t>(number_of(record, "mode"));
  occupant.uid = number_of(record, "uid", Occupant::kAnyOwner);
  occupant.gid = number_of(record, "gid", Occupant::kAnyOwner);
  occupant.mtime_ns = number_of(record, "mtime");
  occupant.target = record.get("target");
  return occupant;
}

// What a program can get holds no NUL, so each text ends with one.
void set_texts(Record& record, std::string_view name, const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos)
      throw Error(Code::usage, fmt::format("{} cannot hold a NUL: {}", name, base::printable(text)));
    all.append(text).push_back('\0');
  }
  record.set(name, all);
}

std::vector<std::string> texts_of(const Record& record, std::string_view name) {
  std::vector<std::string> texts = base::split(record.get(name), '\0');
  if (!texts.empty()) texts.pop_back();
  return texts;
}

void set_program(Record& record, const protocol::RunRequest& request) {
  set_texts(record, "arguments", request.arguments);
  set_texts(record, "variables", request.environment);
  record.set("folder", request.directory).set("input", request.input);
  record.set("sudo", request.privilege == protocol::Privilege::sudo ? "1" : "0");
  record.set("deadline", std::to_string(request.deadline_seconds));
  record.set("output", std::to_string(request.output_limit));
}

protocol::RunRequest program_of(const Record& record) {
  protocol::RunRequest request;
  request.arguments = texts_of(record, "arguments");
  request.environment = texts_of(record, "variables");
  request.directory = record.get("folder");
  request.input = record.get("input");
  if (record.get("sudo") == "1") request.privilege = protocol::Privilege::sudo;
  request.deadline_seconds = static_cast<std::uint32_t>(number_of(record, "deadline"));
  request.output_limit = static_cast<std::uint64_t>(number_of(record, "output"));
  return request;
}

UndoStep step_of(const Record& record, unsigned number) {
  UndoStep step;
  step.number = number;
  if (record.get("step") == "program") {
    step.kind = UndoStep::Kind::program;
    step.request = program_of(record);
    return step;
  }
  step.path = record.get("path");
  step.own = record.get("own") == "1";
  step.wanted = occupant_of(record);
  step.emptied_folder = record.get("emptied");
  return step;
}

// How it was when the release was sealed: what was installed since is not wanted any more, and what was
// installed before is where it was prepared. A file that could not be put back is still there, and what it
// replaced is what the next way back wants.
void rewind(UndoSection& section) {
  section.steps.resize(std::min(section.sealed, section.steps.size()));
  for (UndoStep& step : section.steps) {
    const bool stays = step.kind == UndoStep::Kind::file && !step.failure.empty();
    step.undone = false;
    step.failure.clear();
    if (stays) continue;
    step.old.reset();
    step.placed = false;
    step.made_folder.clear();
  }
  section.placing = false;
  section.switched.reset();
}

}  // namespace

UndoList UndoList::read(const SiteFolders& site, const std::string& id) {
  UndoList list(site, id);
  // Notes of what became of the steps come on top of these.
  const std::optional<std::string> text = site.porter.read_small("outside/" + id + "/list", kSealLimit);
  if (!text) return list;
  list.bytes_ = text->size();
  for (const std::string& line : base::split(*text, '\n')) {
    if (const std::optional<Record> record = Record::parse(line)) list.apply(*record);
  }
  return list;
}

std::string UndoList::file(unsigned number, const char* kind) const {
  return fmt::format("outside/{}/{}.{}", id_, number, kind);
}

// No release has such an id, so nothing takes it for one's folder.
KeptContent UndoList::lost_content(unsigned number) const {
  return {site_->porter, fmt::format("outside/{}:{}.old", id_, number)};
}

void UndoList::append(const Record& record) {
  reach("outside: before a line");
  site_->append_line("outside/" + id_ + "/list", record.line());
  reach("outside: line written");
  apply(record);
}

void UndoList::apply(const Record& record) {
  const std::string& what = record.get("step");
  if (what == "begun") {
    sections_.emplace_back();
    return;
  }
  if (sections_.empty()) return;
  UndoSection& section = sections_.back();
  if (what == "sealed") section.sealed = section.steps.size();
  if (what == "placing") section.placing = true;
  if (what == "committed") section.committed = true;
  if (what == "undoing") section.undoing = true;
  if (what == "over") section.over = true;
  if (what == "rewound") rewind(section);
  if (what == "switched") {
    section.switched = section.steps.size();
    section.run_id = record.get("run");
  }
  apply_to_step(what, record);
}

void UndoList::apply_to_step(const std::string& what, const Record& record) {
  const auto number = static_cast<unsigned>(number_of(record, "number"));
  std::vector<UndoStep>& steps = sections_.back().steps;
  if (what == "file" || what == "program") {
    steps.push_back(step_of(record, number));
    next_ = std::max(next_, number + 1);
    ++steps_;
    return;
  }
  const auto step =
      std::find_if(steps.begin(), steps.end(), [&](const UndoStep& one) { return one.number == number; });
  if (step == steps.end()) return;
  if (what == "kept") {
    step->old = occupant_of(record);
    step->wanted.mode = static_cast<std::uint32_t>(number_of(record, "new-mode"));
    step->made_folder = record.get("made");
  }
  if (what == "placed") step->placed = true;
  if (what == "undone") {
    step->undone = true;
    step->failure = record.get("failure");
  }
}

void UndoList::begin() {
  site_->porter.make_folders("outside/" + id_, 0700);
  if (site_->durable()) site_->porter.sync_folder("outside");
  reach("outside: folder made");
  append(Record().set("step", "begun"));
}

void UndoList::add(Record record) {
  record.set("number", std::to_string(next_));
  const std::size_t length = record.line().size();
  if (length > kLongestLine)
    throw Error(Code::usage,
                fmt::format("an undo step of {} bytes: at most {} are kept", length, kLongestLine))
        .hint("upload a file, and let the program read that");
  if (steps_ >= kMostSteps || bytes_ + length > kLongestList)
    throw Error(Code::refused,
                fmt::format("release {} has {} undo steps and files outside of the tree, with {} "
                            "bytes: that is the most",
                            id_, steps_, bytes_))
        .hint("make one program or archive of them");
  bytes_ += length;
  append(record);
}

void UndoList::add_file(const std::string& path, const Occupant& wanted, bool own,
                        const std::string& emptied) {
  Record record;
  record.set("step", "file").set("path", path).set("own", own ? "1" : "0");
  if (!emptied.empty()) record.set("emptied", emptied);
  set_occupant(record, wanted);
  add(record);
}

void UndoList::add_program(const protocol::RunRequest& request) {
  Record record;
  record.set("step", "program");
  set_program(record, request);
  add(record);
}

void UndoList::note_kept(const UndoStep& step, const Occupant& old, std::uint32_t mode,
                         const std::string& made) {
  Record record;
  record.set("step", "kept").set("number", std::to_string(step.number));
  set_occupant(record, old);
  record.set("new-mode", std::to_string(mode)).set("made", made);
  append(record);
}

void UndoList::note_placed(const UndoStep& step) {
  append(Record().set("step", "placed").set("number", std::to_string(step.number)));
}

void UndoList::note_switched(const std::string& run_id) {
  append(Record().set("step", "switched").set("run", run_id));
}

void UndoList::note_undone(const UndoStep& step, const std::string& failure) {
  Record record;
  record.set("step", "undone").set("number", std::to_string(step.number)).set("failure", failure);
  append(record);
}

void UndoList::note(const std::string& what) {
  append(Record().set("step", what));
}

}  // namespace porter::agent
