// What a run was asked for, as its folder keeps it. What is accepted is written and read again as the same.

#include "core/engine/request.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  engine::Request request;
  const bool read = fuzz::accepts({base::Code::protocol},
                                  [&] { request = engine::decode_request(fuzz::bytes_of(data, size)); });
  if (!read) return 0;
  const std::string text = engine::encode(request);
  require(engine::encode(engine::decode_request(text)) == text, "a request is read as it was written");
  return 0;
}
