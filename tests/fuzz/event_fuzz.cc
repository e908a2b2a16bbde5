// Events and replies between supervisor and worker. What is accepted is written and read again as the same.

#include "core/event/codec.h"
#include "core/event/reply.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  event::Event event;
  if (fuzz::accepts({base::Code::protocol}, [&] { event = event::decode(text); })) {
    const std::string line = event::encode(event, base::WallTime());
    require(line.find('\n') == std::string::npos, "an event is one line");
    require(event::encode(event::decode(line), base::WallTime()) == line, "an event survives the line");
  }
  event::Reply reply;
  if (fuzz::accepts({base::Code::protocol}, [&] { reply = event::decode_reply(text); })) {
    const std::string line = event::encode(reply);
    require(event::encode(event::decode_reply(line)) == line, "a reply survives the line");
  }
  return 0;
}
