// libFuzzer target: a byte stream as either end would read it, through magic, frames, every decoder and the
// table of states. Built with -DPORTER_FUZZ=ON and clang; run it in a folder with tests/data/protocol as
// seeds. Beyond "no crash": what is accepted has one spelling only, and an agent's state never allows what
// its table forbids.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/protocol/conversation.h"
#include "tests/unit/protocol/samples.h"

using namespace porter;

namespace {

// By type number: a decoder that encodes again.
const tests::Sample* sample_for(std::uint8_t type) {
  static const std::vector<tests::Sample> all = tests::samples();
  for (const tests::Sample& one : all)
    if (one.name == protocol::name_of(static_cast<protocol::Type>(type))) return &one;
  return nullptr;
}

void take(const protocol::Frame& frame) {
  const tests::Sample* sample = sample_for(frame.type);
  if (sample == nullptr) return;
  try {
    if (sample->again(frame.payload) != frame.payload) std::abort();
  } catch (const base::Error& error) {
    if (error.code() != base::Code::protocol) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The first byte says what the rest is: one payload of that type, or a stream cut into pieces.
  take({data[0], std::string(bytes.substr(1))});
  protocol::MagicFinder finder;
  protocol::FrameParser parser;
  const std::size_t step = data[0] + std::size_t{1};
  try {
    finder.feed(std::string(bytes.substr(0, 7)));
    for (std::size_t at = 1; at < size; at += step) {
      parser.feed(bytes.substr(at, step));
      while (const auto frame = parser.next())
        take(*frame);
    }
  } catch (const base::Error& error) {
    if (error.code() != base::Code::protocol && error.code() != base::Code::agent) std::abort();
  }
  return 0;
}
