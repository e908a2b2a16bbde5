// Signatures and deltas as a hostile peer sends them, and honest ones there and back. The first byte says
// which; the next is the size of the pieces.

#include "core/base/bytes.h"
#include "core/base/fd.h"
#include "core/sync/delta.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/memory_file.h"

using namespace porter;
using fuzz::require;
using tests::file_of;

namespace {

template <class Taker>
void feed_in_pieces(std::string_view bytes, std::size_t piece, Taker& taker) {
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    taker.feed(bytes.substr(at, piece));
}

const std::string& basis() {
  static const std::string bytes = [] {
    std::string made(5000, 'a');
    for (std::size_t i = 0; i < made.size(); ++i)
      made[i] = static_cast<char>(i * i >> 3U);
    return made;
  }();
  return bytes;
}

std::string delta_for(const sync::Signature& signature, std::string_view content) {
  const base::UniqueFd file = file_of(content);
  std::string delta;
  sync::DeltaJob(signature, {file.get(), content.size()}).run([&](std::string_view bytes) {
    delta += bytes;
  });
  return delta;
}

// Everything after the head, which is the only one that is accepted, is the peer's.
void hostile_signature(std::string_view bytes, std::size_t piece) {
  const std::uint64_t size = basis().size();
  const sync::SignatureShape shape = sync::signature_shape(size);
  base::ByteWriter head;
  head.u32(0x72730147).u32(shape.block).u32(shape.strong);  // the magic of RabinKarp with BLAKE2
  std::string whole = head.take().append(bytes);
  whole.resize(sync::signature_size(size, shape));
  sync::SignatureLoader loader(size);
  feed_in_pieces(whole, piece, loader);
  const sync::Signature signature = loader.finish();
  delta_for(signature, basis());
  delta_for(signature, bytes);
}

void junk_signature(std::string_view bytes, std::size_t piece) {
  sync::SignatureLoader loader(bytes.size() * 100);
  feed_in_pieces(bytes, piece, loader);
  loader.finish();
}

void hostile_delta(std::string_view bytes, std::size_t piece) {
  static const base::UniqueFd file = file_of(basis());
  constexpr std::uint64_t kAnnounced = 9000;
  std::uint64_t made = 0;
  sync::PatchJob patch({file.get(), basis().size()}, kAnnounced, [&](std::string_view out) {
    made += out.size();
    require(made <= kAnnounced, "nothing beyond what was announced is handed on");
  });
  feed_in_pieces(bytes, piece, patch);
  patch.finish();
  require(made == kAnnounced, "a finished patch has the announced size");
}

// The input is the new file; the old one is the basis, or a part of the input itself.
void there_and_back(std::string_view bytes, std::size_t piece) {
  const std::string old = basis() + std::string(bytes.substr(bytes.size() / 3));
  const std::string wanted = std::string(bytes) + basis().substr(0, 3000);
  const base::UniqueFd old_file = file_of(old);
  sync::SignatureLoader loader(old.size());
  sync::SignatureJob({old_file.get(), old.size()}).run([&](std::string_view out) { loader.feed(out); });
  const std::string delta = delta_for(loader.finish(), wanted);
  std::string made;
  sync::PatchJob patch({old_file.get(), old.size()}, wanted.size(),
                       [&](std::string_view out) { made += out; });
  feed_in_pieces(delta, piece, patch);
  patch.finish();
  require(made == wanted, "a delta makes the new file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view rest = fuzz::bytes_of(data, size).substr(2);
  const std::size_t piece = data[1] + std::size_t{1};
  fuzz::accepts({base::Code::protocol}, [&] {
    if (data[0] % 4 == 0) hostile_signature(rest, piece);
    if (data[0] % 4 == 1) junk_signature(rest, piece);
    if (data[0] % 4 == 2) hostile_delta(rest, piece);
    if (data[0] % 4 == 3) there_and_back(rest, piece);
  });
  return 0;
}
