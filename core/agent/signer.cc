#include "core/agent/signer.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/sync/block_table.h"
#include "core/sync/delta.h"

namespace porter::agent {
namespace {

using base::Error;
using protocol::FileNumber;
using protocol::SignaturePiece;

constexpr std::size_t kPiece = 128U << 10U;
constexpr std::uint64_t kBasisLimit = std::uint64_t{1} << 50U;

}  // namespace

Signer::Signer(Output& output, OpenBasis open, base::CancelToken lost)
    : output_(output), open_(std::move(open)), lost_(std::move(lost)), thread_([this] { serve(); }) {}

Signer::~Signer() {
  {
    const std::lock_guard lock(mutex_);
    stop_.cancel();
  }
  changed_.notify_all();
  thread_.join();
}

void Signer::describe(FileNumber number) {
  add({number, [this, number](const Basis& basis) {
         if (basis.size >= sync::kTableFrom) return send_table(number, basis);
         send_signature(number, {basis.fd.get(), basis.size});
       }});
}

void Signer::sign_rest(FileNumber number, std::vector<sync::Copy> copies, std::uint64_t new_size) {
  add({number, [this, number, new_size, copies = std::move(copies)](const Basis& basis) {
         sync::check_copies(copies, basis.size, new_size);
         send_signature(number, {basis.fd.get(), sync::what_is_left(copies, basis.size, new_size).of_old});
       }});
}

void Signer::add(Task task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void Signer::serve() {
  try {
    while (const auto task = next())
      perform(*task);
  } catch (const std::exception&) {
    // The pipe is gone: the reading thread notices, too.
  }
}

std::optional<Signer::Task> Signer::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return given_up() || !tasks_.empty(); });
  if (given_up()) return std::nullopt;
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  return task;
}

void Signer::perform(const Task& task) {
  try {
    auto basis = open_(task.number);
    if (basis && basis->size <= kBasisLimit) return task.work(*basis);
  } catch (const Error&) {
    // Cannot be read any more, or is another than it was: the whole file will do.
  }
  output_.send(SignaturePiece{task.number, SignaturePiece::kNoBasis, {true, ""}});
}

void Signer::send_table(FileNumber number, const Basis& basis) {
  const std::string all = sync::encode_blocks(sync::make_block_table(basis.fd.get(), basis.size, stop_));
  for (std::string_view left = all; !left.empty(); left.remove_prefix(std::min(left.size(), kPiece))) {
    const std::string_view piece = left.substr(0, kPiece);
    output_.send(
        protocol::BlockTablePiece{number, basis.size, {piece.size() == left.size(), std::string(piece)}});
  }
}

void Signer::send_signature(FileNumber number, const sync::FileRanges& ranges) {
  std::string ready;
  sync::SignatureJob job(ranges);
  const auto flush = [&](bool last) {
    output_.send(SignaturePiece{number, ranges.size(), {last, std::exchange(ready, {})}});
  };
  const auto collect = [&](std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kPiece))) {
      ready += bytes.substr(0, kPiece);
      if (ready.size() >= kPiece) flush(false);
    }
  };
  while (job.step(collect))
    if (given_up()) return;
  flush(true);
}

}  // namespace porter::agent
