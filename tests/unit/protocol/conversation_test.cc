#include "core/protocol/conversation.h"

#include <set>

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::protocol;

namespace {

std::set<std::string> legal_in(State state) {
  std::set<std::string> names;
  for (int type = 0; type < 256; ++type)
    if (is_legal(state, static_cast<Type>(type))) names.emplace(name_of(static_cast<Type>(type)));
  return names;
}

}  // namespace

TEST_CASE("each state allows what belongs there and nothing else", "[conversation]") {
  using Names = std::set<std::string>;
  CHECK(legal_in(State::greeting) == Names{"welcome"});
  CHECK(legal_in(State::digests) == Names{"beat", "goodbye", "folder_digests"});
  CHECK(legal_in(State::planning) == Names{"beat", "goodbye", "wanted_tree", "stage_abort"});
  CHECK(legal_in(State::announcing) == Names{"beat", "goodbye", "files_to_come", "stage_abort"});
  CHECK(legal_in(State::content) ==
        Names{"beat", "goodbye", "batch", "content", "copies", "delta", "stage_end", "stage_abort"});
  CHECK(legal_in(State::resend) == Names{"beat", "goodbye", "batch", "content", "stage_end", "stage_abort"});
  CHECK(legal_in(State::spoilt) == Names{"beat", "goodbye", "wanted_tree", "files_to_come", "batch",
                                         "content", "copies", "delta", "stage_end", "stage_abort"});
  CHECK(legal_in(State::writing) == Names{"beat", "goodbye", "write_data"});
  const Names ready = legal_in(State::ready);
  CHECK(ready.contains("look"));
  for (const char* no : {"welcome", "write_data", "stage_end", "hello", "done", "failure", "looked"})
    CHECK_FALSE(ready.contains(no));
}

TEST_CASE("an illegal message is named with the state", "[conversation]") {
  try {
    check_legal(State::greeting, static_cast<std::uint8_t>(Type::activate));
    FAIL("accepted");
  } catch (const base::Error& error) {
    CHECK(error.message() == "message 49 (activate) is not allowed in state greeting");
  }
  CHECK_THROWS_AS(check_legal(State::ready, 254), base::Error);
}
