// The url of [scm]. What git is given holds no option, no control character and no remote helper.

#include "core/source/source_url.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  source::masked_url(text);
  source::SourceUrl url;
  const auto refusals = {base::Code::bad_value, base::Code::unsupported};
  if (!fuzz::accepts(refusals, [&] { url = source::parse_source_url(text, "/srv/module"); })) return 0;
  const bool has_place =
      url.kind == source::SourceUrl::Kind::git || url.kind == source::SourceUrl::Kind::folder;
  require(has_place == !url.location.empty(), "git and folders have a place, and nothing else has one");
  require(!url.location.starts_with('-'), "no option");
  require(!fuzz::has_control(url.location), "no control characters");
  require(!url.location.starts_with("ext::"), "no remote helper");
  if (url.kind == source::SourceUrl::Kind::folder)
    require(url.location.starts_with('/'), "folders are absolute");
  return 0;
}
