// libFuzzer target: packed frames as either end would read them, in a row on one connection. The first byte
// says how the rest is cut: pieces become payloads, or it is a stream of frames. Beyond "no crash": what
// comes out is bounded, and what a Packer made comes back as it was.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/protocol/frame_reader.h"
#include "core/protocol/packer.h"
#include "core/protocol/unpacker.h"

using namespace porter;

namespace {

void unpack_pieces(std::string_view bytes, std::size_t step) {
  protocol::Unpacker unpacker;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size())))
    if (unpacker.unpack(bytes.substr(0, step)).size() > protocol::kMaxUnpacked) std::abort();
}

void read_stream(std::string_view bytes, std::size_t step) {
  protocol::FrameReader reader;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    reader.feed(bytes.substr(0, step));
    while (const auto frame = reader.next())
      if (frame->type == protocol::kPackedType) std::abort();
  }
}

void there_and_back(std::string_view bytes, int level) {
  protocol::Packer packer(protocol::Packer::Stream::continued);
  protocol::FrameReader reader;
  for (int i = 0; i < 2; ++i) {
    reader.feed(packer.pack(protocol::encode_frame(9, bytes), level));
    const auto frame = reader.next();
    if (!frame || frame->payload != bytes) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = data[0] / 3U * 7U + 1U;
  try {
    if (data[0] % 3 == 0) unpack_pieces(bytes, step);
    if (data[0] % 3 == 1) read_stream(bytes, step);
    if (data[0] % 3 == 2) there_and_back(bytes, data[0] / 64 + 1);
  } catch (const base::Error& error) {
    if (error.code() != base::Code::protocol) std::abort();
  }
  return 0;
}
