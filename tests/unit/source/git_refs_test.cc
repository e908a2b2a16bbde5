#include "core/source/git_refs.h"

#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using source::RefKind;

namespace {

std::string id(char digit) {
  return std::string(40, digit);
}

source::RemoteRefs some_refs() {
  return source::parse_remote_refs("ref: refs/heads/main\tHEAD\n" + id('a') + "\tHEAD\n" + id('a') +
                                   "\trefs/heads/main\n" + id('b') + "\trefs/heads/release/0.1\n" + id('c') +
                                   "\trefs/tags/v1.0\n" + id('d') + "\trefs/tags/v1.0^{}\n" + id('e') +
                                   "\trefs/tags/1.1\n");
}

}  // namespace

TEST_CASE("A remote's listing gives branches, tags and the default branch") {
  const source::RemoteRefs refs = some_refs();
  CHECK(refs.head_branch == "main");
  CHECK(source::find_ref(refs, RefKind::default_ref, "")->commit == id('a'));
  CHECK(source::find_ref(refs, RefKind::branch, "release/0.1")->label == "branch release/0.1");
  CHECK_FALSE(source::find_ref(refs, RefKind::branch, "v1.0"));
}

TEST_CASE("An annotated tag means the commit it points to") {
  CHECK(source::find_ref(some_refs(), RefKind::tag, "v1.0")->commit == id('d'));
}

TEST_CASE("A version is the tag of that name, or else the one with a v before it") {
  CHECK(source::find_ref(some_refs(), RefKind::version, "1.1")->label == "tag 1.1");
  CHECK(source::find_ref(some_refs(), RefKind::version, "1.0")->label == "tag v1.0");
  CHECK_FALSE(source::find_ref(some_refs(), RefKind::version, "2.0"));
}

TEST_CASE("A listing that is none is an error, not an empty repository") {
  CHECK(test::error_of([] { source::parse_remote_refs("Welcome to the git server!\n"); }).code() ==
        base::Code::source);
}

TEST_CASE("An unknown ref that exists as the other kind says so") {
  const base::Error error = source::unknown_ref(some_refs(), RefKind::branch, "v1.0", "repo");
  CHECK(error.message() == "repo: there is no branch \"v1.0\"");
  CHECK(error.hint_text() == "\"v1.0\" is a tag\nbranches: main, release/0.1\ntags: 1.1, v1.0");
}
