// The one-line records of a site. Only what line() wrote is read, or what says the same.

#include "core/agent/record.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto record = agent::Record::parse(fuzz::bytes_of(data, size));
  if (!record) return 0;
  const std::string line = record->line();
  require(!fuzz::has_control(line), "a record is one printable line");
  const auto again = agent::Record::parse(line);
  require(again && again->line() == line, "a record is read as it was written");
  return 0;
}
