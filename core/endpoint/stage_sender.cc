#include "core/endpoint/stage_sender.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/sync/compare.h"
#include "core/sync/tree_codec.h"

namespace porter::endpoint {
namespace {

using base::Code;
using base::Error;
using namespace std::chrono_literals;

constexpr std::size_t kSmall = 128U << 10U;       // larger files travel in pieces
constexpr std::size_t kBatchBytes = 256U << 10U;  // content in one batch frame, at most one file more
constexpr std::size_t kBatchFiles = 8192;
constexpr std::size_t kPieceBytes = 256U << 10U;
constexpr std::size_t kNumbersInOneMessage = 32768;
constexpr std::size_t kMostLeft = 4U << 20U;  // contents of an interrupted send
constexpr auto kTellEvery = 200ms;

// The bytes of a long stream as messages that hold one Piece each.
template <class Message>
void send_pieces(Wire& wire, std::string_view bytes) {
  do {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    bytes.remove_prefix(piece.size());
    wire.send(Message{{bytes.empty(), std::string(piece)}});
  } while (!bytes.empty());
}

void send_tree(Wire& wire, const sync::Tree& tree) {
  sync::TreeEncoder encoder(tree, sync::Stamps::no);
  std::string piece;
  std::string next;
  bool more = encoder.next(piece);
  while (more) {
    more = encoder.next(next);
    wire.send(protocol::WantedTree{{!more, std::move(piece)}});
    piece = std::exchange(next, {});
  }
}

void take_left(BaseAnswer& answer, const protocol::BaseTree& message) {
  for (const base::Digest& content : message.whole)
    ++answer.whole[content];
  answer.begun.insert(message.begun.begin(), message.begun.end());
  if (answer.whole.size() + answer.begun.size() > kMostLeft)
    throw Error(Code::protocol, "an interrupted send left more files than can be");
}

// Whether one more file of this content was left.
bool is_left(BaseAnswer& base, const base::Digest& content) {
  const auto left = base.whole.find(content);
  if (left == base.whole.end() || left->second == 0) return false;
  --left->second;
  return true;
}

}  // namespace

BaseAnswer exchange_base(Wire& wire, const sync::Tree& wanted) {
  send_pieces<protocol::FolderDigests>(wire, sync::encode_folder_digests(sync::folder_digests(wanted)));
  BaseAnswer answer;
  sync::TreeAssembler assembler;
  for (;;) {
    const auto message = wire.expect<protocol::BaseTree>();
    wire.guard([&] {
      take_left(answer, message);
      assembler.feed(message.piece.bytes);
    });
    if (!message.piece.last) continue;
    answer.tree = wire.guard([&] { return assembler.finish(sync::Completeness::part); });
    return answer;
  }
}

Error not_as_composed(const std::string& file) {
  return Error(Code::source,
               fmt::format("{}: is not what it was when the deploy began", base::printable(file)))
      .hint("deploy again, and let nothing write to the source meanwhile");
}

StageSender::StageSender(Wire& wire, const protocol::StageRequest& request, const sync::Composed& composed,
                         const ProgressSink& progress, ContentStore* store)
    : wire_(wire),
      request_(request),
      composed_(composed),
      progress_(progress),
      store_(store),
      reader_(composed) {}

protocol::StageReport StageSender::send() {
  protocol::StageBegin begin{request_, static_cast<protocol::Identity>(composed_.tree.identity),
                             composed_.tree.keeps.to_byte(), composed_.tree.root_digest()};
  wire_.send(begin);
  BaseAnswer base = exchange_base(wire_, composed_.tree);
  begun_ = true;
  try {
    plan_ = wire_.guard([&] { return sync::make_plan(composed_.tree, base.tree); });
    check_deletions();
    refs_ = composed_.tree.files();
    sort_files(std::move(base));
    wire_.widen(size_of(whole_));
    send_wanted();
    announce();
    expect_contents(whole_);
    expect_contents(delta_);
    send_all(whole_);
    take_descriptions();
    protocol::StageReport report;
    const std::vector<FileNumber> missing = end_round(report);
    if (missing.empty()) return report;
    expect_contents(missing);
    send_all(missing);
    if (!end_round(report).empty()) throw Error(Code::protocol, "the agent asked a third time");
    return report;
  } catch (const Error&) {
    if (begun_) abort();
    throw;
  }
}

// Before anything changed on the target.
void StageSender::check_deletions() const {
  const std::uint64_t removed = plan_.totals.removed;
  const std::uint64_t files = plan_.totals.base_files;
  const bool many = removed > request_.max_delete;
  const bool much = request_.max_delete_percent < 100 && removed * 100 > files * request_.max_delete_percent;
  if (!many && !much) return;
  const std::string allowed =
      many ? fmt::format("{}", request_.max_delete) : fmt::format("{}%", request_.max_delete_percent);
  throw Error(Code::refused, fmt::format("{}: {} of {} files would be deleted, max_delete allows {}",
                                         request_.site, removed, files, allowed))
      .hint(
          "`porter-admin deploy --dry-run` lists them; when that is what you want, raise [module] "
          "max_delete");
}

// plan.files is in the tree's order, as the numbers are.
void StageSender::sort_files(BaseAnswer base) {
  FileNumber number = 0;
  for (const sync::FileStep& step : plan_.files) {
    while (!(refs_[number] == step.wanted))
      ++number;
    const bool sent = step.action == sync::Action::whole || step.action == sync::Action::delta;
    if (!sent) continue;
    if (is_left(base, entry(number).digest)) continue;
    (is_delta(step, base) ? delta_ : whole_).push_back(number);
    ++done_.files_total;
    done_.bytes_total += entry(number).size;
  }
  for (const FileNumber delta : delta_)
    awaited_.try_emplace(delta);
}

// A file that has begun to arrive has an old version as well.
bool StageSender::is_delta(const sync::FileStep& step, const BaseAnswer& base) const {
  const bool begun = base.begun.contains(composed_.tree.at(step.wanted).digest);
  return (begun || step.action == sync::Action::delta) && composed_.content_of(step.wanted).is_file();
}

const sync::Entry& StageSender::entry(FileNumber number) const {
  return composed_.tree.at(refs_[number]);
}

std::uint64_t StageSender::size_of(const std::vector<FileNumber>& numbers) const {
  std::uint64_t bytes = 0;
  for (const FileNumber number : numbers)
    bytes += entry(number).size;
  return bytes;
}

std::string StageSender::path(FileNumber number) const {
  return composed_.tree.path_of(refs_[number]);
}

void StageSender::send_wanted() {
  if (plan_.same_folders.empty()) return send_tree(wire_, composed_.tree);
  send_tree(wire_, sync::part_without(composed_.tree, plan_.same_folders));
}

void StageSender::announce() {
  protocol::FilesToCome message;
  const auto flush = [&](bool last) {
    message.last = last;
    wire_.send(message);
    message = {};
  };
  const auto add = [&](std::vector<FileNumber>& list, FileNumber number) {
    if (message.whole.size() + message.delta.size() == kNumbersInOneMessage) flush(false);
    list.push_back(number);
  };
  for (const FileNumber number : whole_)
    add(message.whole, number);
  for (const FileNumber number : delta_)
    add(message.delta, number);
  flush(true);
}

void StageSender::expect_contents(const std::vector<FileNumber>& numbers) {
  if (store_ == nullptr) return;
  std::vector<sync::EntryRef> files;
  for (const FileNumber number : numbers)
    files.push_back(refs_[number]);
  store_->expect(composed_, files);
}

void StageSender::send_all(const std::vector<FileNumber>& numbers) {
  for (const FileNumber number : numbers) {
    send_whole(number);
    if (batch_.files.empty()) take_arrived();
  }
  flush_batch();
}

void StageSender::send_whole(FileNumber number) {
  if (entry(number).size > kSmall) return send_large(number);
  batch_.files.push_back({number, read_small(number)});
  batch_bytes_ += entry(number).size;
  if (batch_bytes_ >= kBatchBytes || batch_.files.size() >= kBatchFiles) flush_batch();
}

void StageSender::flush_batch() {
  if (batch_.files.empty()) return;
  wire_.send(batch_);
  advance(batch_bytes_, batch_.files.size());
  batch_.files.clear();
  batch_bytes_ = 0;
}

std::string StageSender::read_small(FileNumber number) {
  std::optional<std::string> bytes =
      store_ == nullptr ? reader_.read(refs_[number]) : store_->read(composed_, refs_[number]);
  if (!bytes) throw_changed(number);
  return std::move(*bytes);
}

void StageSender::throw_changed(FileNumber number) const {
  const std::string file = composed_.content_of(refs_[number]).path;
  throw not_as_composed(file.empty() ? path(number) : file);
}

base::UniqueFd StageSender::open(FileNumber number) {
  base::UniqueFd fd = reader_.open(refs_[number]);
  if (!fd) throw_changed(number);
  return fd;
}

base::UniqueFd StageSender::open_to_send(FileNumber number) {
  base::UniqueFd fd = open(number);
  if (store_ != nullptr) store_->keep_large(entry(number), fd.get());
  return fd;
}

void StageSender::send_large(FileNumber number) {
  flush_batch();  // files keep their order on the wire
  const bool held = store_ != nullptr && entry(number).size <= ContentStore::kLargest;
  if (held || !composed_.content_of(refs_[number]).is_file()) return send_in_memory(number);
  const base::UniqueFd fd = open_to_send(number);
  for (std::uint64_t sent = 0; sent < entry(number).size;) {
    std::string bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, entry(number).size - sent)), '\0');
    bytes.resize(base::read_some(fd.get(), std::as_writable_bytes(std::span(bytes))));
    if (bytes.empty()) throw_changed(number);
    sent += bytes.size();
    const bool last = sent == entry(number).size;
    // A file that changed is never completed over there: the last piece is held back.
    if (last && !reader_.is_as_composed(fd.get(), refs_[number])) throw_changed(number);
    advance(bytes.size(), last ? 1 : 0);
    wire_.send(protocol::ContentPiece{number, {last, std::move(bytes)}});
  }
}

void StageSender::send_in_memory(FileNumber number) {
  const std::string bytes = read_small(number);
  for (std::size_t sent = 0; sent < bytes.size(); sent += kPieceBytes) {
    std::string piece = bytes.substr(sent, kPieceBytes);
    const bool last = sent + piece.size() == bytes.size();
    advance(piece.size(), last ? 1 : 0);
    wire_.send(protocol::ContentPiece{number, {last, std::move(piece)}});
  }
}

std::vector<StageSender::FileNumber> StageSender::end_round(protocol::StageReport& report) {
  wire_.send(protocol::StageEnd{});
  std::vector<FileNumber> missing;
  for (;;) {
    const protocol::Frame frame = wire_.receive();
    if (frame.type == static_cast<std::uint8_t>(protocol::Type::missing)) {
      const auto message = wire_.guard([&] { return protocol::expect<protocol::Missing>(frame); });
      missing.insert(missing.end(), message.files.begin(), message.files.end());
      const bool known = missing.empty() || *std::max_element(missing.begin(), missing.end()) < refs_.size();
      if (!known || missing.size() > refs_.size())
        wire_.guard([] { throw Error(Code::protocol, "the agent misses files that were never announced"); });
      if (message.last) return missing;
      continue;
    }
    report = wire_.guard([&] { return protocol::expect<protocol::Staged>(frame).report; });
    begun_ = false;
    const std::uint64_t delta_sizes = size_of(delta_);
    report.bytes_saved = delta_sizes - std::min(delta_sizes, report.bytes_delta);
    done_.bytes_done = done_.bytes_total;
    done_.files_done = done_.files_total;
    if (progress_) progress_(done_);
    return {};
  }
}

void StageSender::abort() noexcept {
  try {
    wire_.send(protocol::StageAbort{});
    // What the agent said before it knew is of no interest any more.
    for (;;) {
      try {
        if (wire_.receive().type == static_cast<std::uint8_t>(protocol::Type::done)) return;
      } catch (const Error& error) {
        if (error.code() == Code::unreachable || error.code() == Code::timeout) return;
      }
    }
  } catch (const std::exception&) {
    // The connection is gone, and the stage with it.
  }
}

void StageSender::advance(std::uint64_t bytes, std::uint64_t files) {
  done_.bytes_done = std::min(done_.bytes_total, done_.bytes_done + bytes);
  done_.files_done = std::min(done_.files_total, done_.files_done + files);
  const auto now = std::chrono::steady_clock::now();
  if (!progress_ || now - told_ < kTellEvery) return;
  told_ = now;
  progress_(done_);
}

}  // namespace porter::endpoint
