// ~/.ssh/config: the alias is the first line, the rest is the file.

#include "core/transport/ssh_config.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::bytes_of(data, size);
  const std::size_t end = std::min(bytes.find('\n'), size);
  const std::string_view text = end < size ? bytes.substr(end + 1) : "";
  try {
    const auto found = transport::parse_ssh_config(text, bytes.substr(0, end), "/home/ann", "config");
    require(found.port >= 0 && found.port <= 65535, "a port is one");
  } catch (const base::Error& error) {
    fuzz::check_shown(error);
    require(error.code() == base::Code::bad_value, "only values are refused");
    require(error.where().line >= 1 && static_cast<std::size_t>(error.where().line) <= fuzz::lines_of(text),
            "the line lies within the file");
  }
  return 0;
}
