// Version files of deployed trees, read on the way to a report. Nothing is thrown.

#include "plugins/sendpickedversions/requirements.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  for (const auto& [name, version] : sendpickedversions::parse_requirements(text).pinned)
    require(!name.empty() && !version.empty(), "a pin has a name and a version");
  for (const auto& [name, version] : sendpickedversions::parse_versions(text))
    require(!name.empty() && !version.empty(), "a pin has a name and a version");
  return 0;
}
