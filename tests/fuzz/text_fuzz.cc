// The small helpers of text that everything from outside goes through.

#include "core/base/suggest.h"
#include "core/base/text.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  require(!fuzz::has_control(base::printable(text)), "printable text holds no control characters");
  require(base::printable(base::printable(text)) == base::printable(text), "printable text stays as it is");
  require(base::join(base::split(text, ','), ",") == text, "split and join are each other's opposite");
  std::vector<std::string> words;
  fuzz::accepts({base::Code::bad_value}, [&] { words = base::split_words(text); });
  require(base::split_words(base::quote_shell(words)) == words, "quoted words are the same words again");
  if (text.find('\0') == std::string_view::npos)
    require(base::split_words(base::quote_shell(text)) == std::vector<std::string>{std::string(text)},
            "quoted text is one word");
  base::parse_integer(text);
  base::parse_boolean(text);
  base::did_you_mean(text, {"deploy", "plan", "hosts"});
  return 0;
}
