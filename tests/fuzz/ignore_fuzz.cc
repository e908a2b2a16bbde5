// Ignore rules (up to the first NUL byte) and paths (NUL between them). What is ignored by itself is also
// ignored when asked for alone.

#include "core/base/text.h"
#include "core/sync/ignore.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::string> parts = base::split(fuzz::bytes_of(data, size), '\0');
  sync::IgnoreRules rules = sync::IgnoreRules::standard();
  fuzz::accepts({base::Code::bad_value}, [&] { rules.add_file(parts.front(), ".porterignore"); });
  for (std::size_t i = 1; i < parts.size() && i < 20; ++i) {
    for (const sync::Kind kind : {sync::Kind::folder, sync::Kind::file, sync::Kind::link}) {
      const bool alone = rules.ignores_or_above(parts[i], kind);
      fuzz::require(!rules.ignores(parts[i], kind) || alone,
                    "an ignored entry is ignored when asked for alone");
    }
  }
  return 0;
}
