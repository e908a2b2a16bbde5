// Changed large files: what the agent says of their old versions, and what has to be sent of the new ones.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/endpoint/stage_sender.h"

namespace porter::endpoint {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kDeltaPiece = 128U << 10U;
constexpr std::size_t kCopiesInOneMessage = 16384;

// What copies depend on, and what a delta does.
base::Digest key_of_copies(const sync::BlockTable& old, const sync::Entry& wanted) {
  return base::sha256(base::ByteWriter().digest(wanted.digest).raw(sync::encode_blocks(old)).data());
}

base::Digest key_of_delta(const sync::Signature& old, const sync::Entry& wanted, const sync::Rest& rest) {
  base::ByteWriter key;
  key.digest(wanted.digest).digest(old.digest());
  for (const sync::Range& range : rest.of_new)
    key.varint(range.offset).varint(range.size);
  return base::sha256(key.data());
}

}  // namespace

// Signatures that have come meanwhile; asked for where something went out.
void StageSender::take_arrived() {
  while (const auto frame = wire_.receive_now())
    take_description(*frame);
}

void StageSender::take_descriptions() {
  while (!awaited_.empty())
    take_description(wire_.receive());
}

void StageSender::take_description(const protocol::Frame& frame) {
  if (frame.type == static_cast<std::uint8_t>(protocol::Type::block_table))
    return take_table(wire_.guard([&] { return protocol::expect<protocol::BlockTablePiece>(frame); }));
  take_signature(wire_.guard([&] { return protocol::expect<protocol::SignaturePiece>(frame); }));
}

StageSender::Awaited& StageSender::awaited(FileNumber number) {
  const auto at = awaited_.find(number);
  if (at == awaited_.end())
    wire_.guard([&] {
      throw Error(Code::protocol, fmt::format("what file number {} was, which was not asked for", number));
    });
  return at->second;
}

void StageSender::take_table(const protocol::BlockTablePiece& message) {
  Awaited& file = awaited(message.number);
  const auto table = wire_.guard([&]() -> std::optional<sync::BlockTable> {
    if (file.rest || file.signature) throw Error(Code::protocol, "a block table where none was due");
    if (!file.table) file.table.emplace(message.basis_size);
    file.table->feed(message.piece.bytes);
    if (!message.piece.last) return std::nullopt;
    return file.table->finish();
  });
  if (!table) return;
  file.table.reset();
  match(message.number, *table);
}

void StageSender::match(FileNumber number, const sync::BlockTable& table) {
  const auto find = [&] {
    const base::UniqueFd fd = open(number);
    return sync::match_blocks(table, fd.get(), entry(number).size, wire_.cancel());
  };
  if (store_ == nullptr) return send_copies(number, find(), table.size);
  const auto copies = store_->shared().copies.get(key_of_copies(table, entry(number)), wire_.cancel(), find);
  send_copies(number, *copies, table.size);
}

void StageSender::send_copies(FileNumber number, const std::vector<sync::Copy>& copies,
                              std::uint64_t old_size) {
  protocol::Copies message{number, false, {}};
  for (const sync::Copy& copy : copies) {
    if (message.copies.size() == kCopiesInOneMessage) {
      wire_.send(message);
      message.copies.clear();
    }
    message.copies.push_back({copy.from, copy.to, copy.size});
  }
  message.last = true;
  wire_.send(message);
  awaited(number).rest = sync::what_is_left(copies, old_size, entry(number).size);
}

void StageSender::take_signature(const protocol::SignaturePiece& message) {
  const FileNumber number = message.number;
  Awaited& file = awaited(number);
  if (message.basis_size == protocol::SignaturePiece::kNoBasis) {
    awaited_.erase(number);
    send_whole(number);
    return flush_batch();
  }
  // Without a table before, of all of it.
  if (!file.rest) file.rest = sync::what_is_left({}, message.basis_size, entry(number).size);
  const auto signature = wire_.guard([&]() -> std::optional<sync::Signature> {
    if (message.basis_size != sync::total_size(file.rest->of_old))
      throw Error(Code::protocol, "a signature of something else than was asked for");
    if (!file.signature) file.signature.emplace(message.basis_size);
    file.signature->feed(message.piece.bytes);
    if (!message.piece.last) return std::nullopt;
    return file.signature->finish();
  });
  if (!signature) return;
  send_delta(number, *signature);
  awaited_.erase(number);
}

void StageSender::make_delta(FileNumber number, const sync::Signature& signature,
                             const sync::Output& output) {
  const base::UniqueFd fd = open_to_send(number);
  sync::DeltaJob(signature, {fd.get(), awaited(number).rest->of_new}).run(output);
}

void StageSender::send_delta(FileNumber number, const sync::Signature& signature) {
  flush_batch();
  const sync::Rest& rest = *awaited(number).rest;
  std::string ready;
  const auto send = [&](std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kDeltaPiece))) {
      ready += bytes.substr(0, kDeltaPiece);
      if (ready.size() >= kDeltaPiece)
        wire_.send(protocol::DeltaPiece{number, {false, std::exchange(ready, {})}});
    }
  };
  if (store_ == nullptr || sync::total_size(rest.of_new) > SharedDeltas::kLargestRest) {
    make_delta(number, signature, send);
  } else {
    const base::Digest key = key_of_delta(signature, entry(number), rest);
    send(*store_->shared().deltas.get(key, wire_.cancel(), [&] {
      std::string all;
      make_delta(number, signature, [&all](std::string_view bytes) { all += bytes; });
      return all;
    }));
  }
  wire_.send(protocol::DeltaPiece{number, {true, std::move(ready)}});
  advance(entry(number).size, 1);
}

}  // namespace porter::endpoint
