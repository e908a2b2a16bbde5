// What hides secrets before a report leaves. Hidden text stays hidden, and is hidden once.

#include "core/http/url.h"
#include "core/inventory/mask.h"
#include "core/inventory/payload.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  const std::string redacted = http::redact_urls(text);
  require(http::redact_urls(redacted) == redacted, "a redacted text stays as it is");
  require(!fuzz::has_control(http::redact_url(text)), "a redacted address is one printable line");
  inventory::mask_text(text);
  inventory::mask_value(text.substr(0, size / 2), text.substr(size / 2));
  http::scheme_of(text);
  http::percent_encode(text);
  inventory::PickedVersions report;
  report.buildout_config = {{std::string(text.substr(0, size / 2)), std::string(text.substr(size / 2))}};
  inventory::picked_versions_json(report, inventory::JsonStyle::compact);
  return 0;
}
