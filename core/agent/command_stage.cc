#include "core/agent/command_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "core/base/error.h"
#include "core/sync/compare.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;
using protocol::FileNumber;

constexpr std::size_t kPiecesWaiting = 8;  // batches of content, each some 256 KiB
constexpr std::size_t kClonesInPiece = 256;

}  // namespace

// The file that is arriving in pieces, directly or through a patch: one of both, or nothing after a failure;
// the rest of its pieces is dropped then.
struct StageCommand::Incoming {
  FileNumber number = 0;
  std::optional<FileWriter> writer;
  std::shared_ptr<FileRebuild> rebuild;  // the crew's as well
  std::unique_ptr<sync::PatchJob> patch;

  void feed(std::string_view bytes) {
    if (patch) patch->feed(bytes);
    if (writer) writer->write(bytes);
  }
  void give_up() {
    patch.reset();
    rebuild.reset();
    writer.reset();
  }
};

namespace {

// What does not become the wanted content, since an old version is another by now, is asked for again.
template <class Work>
void as_far_as_it_fits(Work work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() != Code::protocol) throw;
  }
}

Take to_take(protocol::LinkMode link) {
  switch (link) {
    case protocol::LinkMode::automatic:
      return Take::automatic;
    case protocol::LinkMode::reflink:
      return Take::reflink;
    case protocol::LinkMode::copy:
      return Take::copy;
    case protocol::LinkMode::hard:
      return Take::hard;
  }
  return Take::automatic;
}

}  // namespace

StageCommand::StageCommand(Output& output, OpenSite& at, const protocol::StageBegin& begin,
                           base::CancelToken lost)
    : output_(output), at_(at), begin_(begin), lost_(std::move(lost)) {
  check_release_id(begin_.request.release_id);
  base_ = base_tree(at_.site, to_identity(begin_.identity), to_keeps(begin_.keeps));
}

StageCommand::~StageCommand() {
  stop_work();
  if (complete_ || !at_.stage) return;
  at_.stage.reset();
  try {
    at_.site.interrupt(begin_.request.release_id);
  } catch (const std::exception&) {
    // The next run that locks this site sees to it.
  }
}

void StageCommand::stop_work() {
  stop_.cancel();
  crew_.reset();
  signer_.reset();
  incoming_.reset();
}

void StageCommand::discard() noexcept {
  stop_work();
  if (!at_.stage) return;
  at_.stage.reset();
  try {
    at_.site.drop_interrupted();
    at_.site.discard(begin_.request.release_id);
  } catch (const std::exception&) {
    // The next run that locks this site removes it.
  }
}

void StageCommand::send_base(const std::string& encoded_digests) {
  interrupted_ = at_.site.interrupted(to_keeps(begin_.keeps), lost_);
  send_base_part(output_, *base_, encoded_digests, interrupted_);
  // What stays where it is, or becomes a second name, is not to be had twice.
  const bool takes_all =
      at_.site.layout() == Layout::releases && begin_.request.link == protocol::LinkMode::automatic;
  if (!takes_all) interrupted_.leave_out(*base_);
}

void StageCommand::wanted_piece(const protocol::Piece& piece) {
  assembler_.feed(piece.bytes);
  if (!piece.last) return;
  sync::Tree wanted = sync::complete_part(assembler_.finish(sync::Completeness::part), *base_);
  wanted.identity = to_identity(begin_.identity);
  if (wanted.root_digest() != begin_.wanted)
    throw Error(Code::protocol, fmt::format("the wanted tree arrived as {}, announced was {}",
                                            base::to_hex(wanted.root_digest()), base::to_hex(begin_.wanted)));
  at_.site.set_generated(generated_rules(begin_.request.generated));
  at_.stage =
      at_.site.begin_stage(begin_.request.release_id, begin_.request.run_id, to_take(begin_.request.link));
  at_.stage->set_wanted(std::move(wanted));
  refs_ = at_.stage->wanted().files();
  origins_.assign(refs_.size(), Origin::local);
}

const sync::Entry& StageCommand::entry(FileNumber number) const {
  return at_.stage->wanted().at(refs_[number]);
}

std::string StageCommand::path(FileNumber number) const {
  return at_.stage->wanted().path_of(refs_[number]);
}

void StageCommand::files_to_come(protocol::FilesToCome more) {
  const auto mark = [&](const std::vector<FileNumber>& numbers, Origin origin) {
    for (const FileNumber number : numbers) {
      if (number >= origins_.size() || origins_[number] != Origin::local)
        throw Error(Code::protocol,
                    fmt::format("file number {} announced, there are {}", number, origins_.size()));
      origins_[number] = origin;
    }
  };
  mark(more.whole, Origin::whole);
  mark(more.delta, Origin::delta);
  deltas_.insert(deltas_.end(), more.delta.begin(), more.delta.end());
  if (!more.last) return;
  std::vector<sync::EntryRef> rebuilt;
  for (const FileNumber number : deltas_)
    rebuilt.push_back(refs_[number]);
  at_.stage->fit_spare(rebuilt);
  check_room_for_all();
  at_.stage->make_folders();
  take_interrupted();
  crew_ = std::make_unique<base::Crew>(base::Crew::usual_threads() + 1, stop_);
  describe_old_versions();
  take_local();
}

bool StageCommand::fits_all() const {
  const Space space = space_at(at_.site.path());
  return fits(needed(space), space);
}

// What is only convenient goes before a release does not fit.
void StageCommand::check_room_for_all() {
  if (fits_all()) return;
  at_.stage->drop_bases();
  if (fits_all()) return;
  interrupted_ = {};
  at_.site.drop_interrupted();
  const Space space = space_at(at_.site.path());
  check_room(needed(space), space, at_.site.path());
}

// All of it before anything arrives, so that there is never more than one send's worth.
void StageCommand::take_interrupted() {
  if (!interrupted_.any()) return;
  std::vector<sync::EntryRef> files;
  std::unordered_set<base::Digest, base::DigestHash> begun;
  for (FileNumber number = 0; number < refs_.size(); ++number) {
    if (origins_[number] == Origin::local) files.push_back(refs_[number]);
    if (origins_[number] == Origin::delta) begun.insert(entry(number).digest);
  }
  report_.bytes_resumed += at_.stage->take_interrupted(interrupted_, files);
  interrupted_.drop_all_but(begun);
}

Need StageCommand::needed(const Space& space) const {
  std::vector<Coming> coming;
  for (FileNumber number = 0; number < refs_.size(); ++number) {
    const bool local = origins_[number] == Origin::local;
    const bool here = at_.stage->has(refs_[number]) || (local && interrupted_.has(entry(number).digest));
    coming.push_back(here ? Coming::there : local ? Coming::cloned : Coming::sent);
  }
  return need_of(at_.stage->wanted(), coming, at_.site.layout(), to_take(begin_.request.link), space);
}

// In pieces, so that several are at work.
void StageCommand::take_local() {
  std::vector<FileNumber> numbers;
  for (FileNumber number = 0; number < refs_.size(); ++number) {
    if (origins_[number] == Origin::local) numbers.push_back(number);
  }
  count_local(numbers);
  std::vector<sync::EntryRef> piece;
  const auto hand_over = [&] {
    crew_->add_bounded([this, files = std::exchange(piece, {})] { at_.stage->clone_same(files); },
                       kPiecesWaiting);
  };
  for (const FileNumber number : numbers) {
    if (at_.stage->has(refs_[number])) continue;
    piece.push_back(refs_[number]);
    if (piece.size() == kClonesInPiece) hand_over();
  }
  if (!piece.empty()) hand_over();
}

// For the report: what stays at its path and what comes from another.
void StageCommand::count_local(const std::vector<FileNumber>& numbers) {
  const sync::Folder* known = nullptr;
  std::uint32_t known_index = 0;
  bool looked = false;
  for (const FileNumber number : numbers) {
    const std::uint32_t index = refs_[number].folder;
    if (!looked || index != known_index) known = base_->find_folder(at_.stage->wanted().folders[index].path);
    looked = true;
    known_index = index;
    const sync::Entry* before =
        known == nullptr ? nullptr : known->find_near(refs_[number].entry, entry(number).name);
    const bool kept =
        before != nullptr && before->kind == sync::Kind::file && before->digest == entry(number).digest;
    ++(kept ? report_.files_kept : report_.files_cloned);
  }
}

void StageCommand::describe_old_versions() {
  if (deltas_.empty()) return;
  signer_.emplace(
      output_, [this](FileNumber number) { return at_.stage->open_basis(refs_[number]); }, lost_);
  for (const FileNumber number : deltas_)
    signer_->describe(number);
}

void StageCommand::check_coming(FileNumber number) const {
  if (number >= origins_.size() || origins_[number] == Origin::local)
    throw Error(Code::protocol, fmt::format("content for file number {}, which was not due", number));
}

void StageCommand::batch(protocol::Batch batch) {
  for (const protocol::Batch::File& file : batch.files) {
    check_coming(file.number);
    report_.bytes_whole += file.bytes.size();
  }
  crew_->add_bounded(
      [this, batch = std::make_shared<protocol::Batch>(std::move(batch))] {
        std::vector<Stage::Whole> files;
        for (const protocol::Batch::File& file : batch->files)
          files.push_back({refs_[file.number], file.bytes});
        at_.stage->put_files(files);  // of other content than announced: asked for again
      },
      kPiecesWaiting);
}

void StageCommand::open_incoming(FileNumber number) {
  check_coming(number);
  incoming_ = std::make_unique<Incoming>();
  incoming_->number = number;
  incoming_->writer.emplace(at_.stage->begin_file(refs_[number]));
}

void StageCommand::open_patch(FileNumber number) {
  check_coming(number);
  incoming_ = std::make_unique<Incoming>();
  incoming_->number = number;
  auto basis = at_.stage->open_basis(refs_[number]);
  std::vector<sync::Copy> copies = std::move(told_[number].copies);
  told_.erase(number);
  if (!basis) return;
  auto rebuild =
      std::make_shared<FileRebuild>(at_.stage->rebuild(refs_[number], std::move(*basis), std::move(copies)));
  crew_->add_bounded([rebuild, stop = stop_] { as_far_as_it_fits([&] { rebuild->copy(stop); }); },
                     kPiecesWaiting);
  incoming_->patch = std::make_unique<sync::PatchJob>(
      sync::FileRanges(rebuild->basis(), rebuild->rest().of_old), sync::total_size(rebuild->rest().of_new),
      [rebuild](std::string_view bytes) { rebuild->write(bytes); });
  if (interrupted_.begun().contains(entry(number).digest))
    report_.bytes_resumed += entry(number).size - sync::total_size(rebuild->rest().of_new);
  incoming_->rebuild = std::move(rebuild);
}

void StageCommand::finish_patch() {
  incoming_->patch->finish();
  crew_->add_bounded([rebuild = std::move(incoming_->rebuild),
                      stop = stop_] { as_far_as_it_fits([&] { rebuild->finish(stop); }); },
                     kPiecesWaiting);
}

void StageCommand::accept(FileNumber number, const protocol::Piece& piece) {
  if (incoming_->number != number)
    throw Error(Code::protocol,
                fmt::format("pieces of files {} and {} are interleaved", incoming_->number, number));
  try {
    incoming_->feed(piece.bytes);
    if (piece.last && incoming_->patch) finish_patch();
    if (piece.last && incoming_->writer) incoming_->writer->finish();
  } catch (const Error& error) {
    give_up_on(error);
  }
  if (piece.last) incoming_.reset();
}

// A delta against a file that is another by now, or a file that changed while it was sent.
void StageCommand::give_up_on(const Error& error) {
  if (error.code() != Code::protocol) throw Error(error);
  incoming_->give_up();
}

void StageCommand::content(const protocol::ContentPiece& piece) {
  if (!incoming_) open_incoming(piece.number);
  report_.bytes_whole += piece.piece.bytes.size();
  accept(piece.number, piece.piece);
}

void StageCommand::copies(const protocol::Copies& message) {
  check_coming(message.number);
  Told& told = told_[message.number];
  if (told.complete || origins_[message.number] != Origin::delta)
    throw Error(Code::protocol, fmt::format("copies to file number {}, which were not due", message.number));
  for (const protocol::Copies::Copy& copy : message.copies)
    told.copies.push_back({copy.from, copy.to, copy.size});
  if (told.copies.size() > entry(message.number).size / sync::kLeastCopy)
    throw Error(Code::protocol, fmt::format("{}: more copies than fit into it", path(message.number)));
  told.complete = message.last;
  if (message.last) signer_->sign_rest(message.number, told.copies, entry(message.number).size);
}

void StageCommand::delta(const protocol::DeltaPiece& piece) {
  report_.bytes_delta += piece.piece.bytes.size();
  try {
    if (!incoming_) open_patch(piece.number);
  } catch (const Error& error) {
    if (!incoming_) throw;
    give_up_on(error);
  }
  accept(piece.number, piece.piece);
}

std::vector<FileNumber> StageCommand::missing() {
  if (incoming_)
    throw Error(Code::protocol, fmt::format("{}: its end was never sent", path(incoming_->number)));
  signer_.reset();
  crew_->finish();
  std::vector<FileNumber> out;
  for (FileNumber number = 0; number < refs_.size(); ++number) {
    if (at_.stage->has(refs_[number])) continue;
    origins_[number] = Origin::whole;
    out.push_back(number);
  }
  if (second_round_ && !out.empty())
    throw Error(Code::io, fmt::format("{}: did not arrive as announced, twice ({} files in all)",
                                      path(out.front()), out.size()))
        .hint("does something change the source while it is deployed?");
  second_round_ = true;
  report_.resent += out.size();
  return out;
}

protocol::StageReport StageCommand::finish() {
  Stage& stage = *at_.stage;
  stage.make_hard_links();
  stage.make_links();
  stage.finish();
  at_.site.prepare_shared(begin_.request.shared);
  for (std::string shared : begin_.request.shared) {
    if (shared.ends_with('/')) shared.pop_back();
    const sync::Entry* there = stage.wanted().find(shared);
    if (there != nullptr && there->kind != sync::Kind::link) stage.seed_shared(shared);
  }
  at_.site.drop_interrupted();
  for (const Origin origin : origins_) {
    if (origin == Origin::whole) ++report_.files_whole;
    if (origin == Origin::delta) ++report_.files_delta;
  }
  report_.destination = stage.path();
  report_.files_deleted = stage.deletions();
  complete_ = true;
  return report_;
}

}  // namespace porter::agent
