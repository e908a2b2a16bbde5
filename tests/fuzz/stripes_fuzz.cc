// libFuzzer target: a stream in stripes, as an agent would put it in order. Each round of the input is a byte
// for the channel (and now and then its end), one for how many bytes come on it, and those. Beyond "no
// crash": nothing comes out that did not go in, what waits is no more than one feed of each channel, and
// channels are only fed as long as they are wanted.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/protocol/stripes.h"

using namespace porter;

namespace {

void merge(std::string_view input) {
  protocol::StripeMerger merger;
  merger.add();
  merger.add();
  std::size_t fed = 0;
  std::string out;
  while (input.size() >= 2 && !merger.stuck()) {
    const auto what = static_cast<unsigned char>(input[0]);
    const std::string_view bytes = input.substr(2, static_cast<unsigned char>(input[1]));
    input.remove_prefix(2 + bytes.size());
    const std::size_t channel = what % merger.channels();
    if (!merger.wants(channel)) continue;
    if (what > 250 && channel != 0) {
      merger.end(channel);
      continue;
    }
    merger.feed(channel, bytes, out);
    fed += bytes.size();
    if (out.size() > fed) std::abort();
  }
}

// Cut as a sender cuts it, and dealt out as the input says.
void there_and_back(std::string_view input) {
  protocol::StripeMerger merger;
  merger.add();
  const std::string_view all = input;
  std::string out;
  std::string later;  // of the second channel, which always comes last
  std::uint64_t number = 0;
  while (!input.empty()) {
    const std::string_view bytes = input.substr(0, static_cast<unsigned char>(input[0]) % 50U + 1U);
    input.remove_prefix(bytes.size());
    const std::string stripe = protocol::stripe_header(bytes.size(), number++) + std::string(bytes);
    if (bytes.size() % 2 == 0) {
      later += stripe;
    } else {
      merger.feed(1, later, out);
      later.clear();
      merger.feed(0, stripe, out);
    }
  }
  merger.feed(1, later, out);
  merger.feed(0, protocol::stripe_header(0, number), out);
  if (!merger.over() || out != all) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  there_and_back(bytes);
  try {
    merge(bytes);
  } catch (const base::Error& error) {
    if (error.code() != base::Code::protocol) std::abort();
  }
  return 0;
}
