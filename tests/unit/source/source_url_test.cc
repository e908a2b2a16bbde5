#include "core/source/source_url.h"

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using source::SourceUrl;
using Kind = source::SourceUrl::Kind;

namespace {

SourceUrl parse(std::string_view url) {
  return source::parse_source_url(url, "/project/module");
}

struct Reading {
  std::string url;
  Kind kind;
  std::string location;
};

}  // namespace

TEST_CASE("Each form of a source url is read as documented") {
  const auto reading = GENERATE(values<Reading>({
      {"", Kind::module_default, ""},
      {"none://", Kind::none, ""},
      {"file://src", Kind::folder, "/project/module/src"},
      {"file://../shared/", Kind::folder, "/project/shared"},
      {"file:///srv/files", Kind::folder, "/srv/files"},
      {"git@host:repo.git", Kind::git, "git@host:repo.git"},
      {"host:repo.git", Kind::git, "host:repo.git"},
      {"git@[::1]:repo.git", Kind::git, "git@[::1]:repo.git"},
      {"ssh://git@host:2222/repo.git", Kind::git, "ssh://git@host:2222/repo.git"},
      {"https://host/repo.git#x", Kind::git, "https://host/repo.git#x"},
      {"git+https://host/repo", Kind::git, "https://host/repo"},
      {"git+ssh://git@host/repo", Kind::git, "ssh://git@host/repo"},
      {"git+file:///srv/repo.git", Kind::git, "/srv/repo.git"},
      {"git+file://../repo", Kind::git, "/project/repo"},
      {"git://git@host:repo.git", Kind::git, "git@host:repo.git"},
      {"git://git@host:group/repo.git", Kind::git, "git@host:group/repo.git"},
      {"git://host:2024/repo.git", Kind::git, "git://host:2024/repo.git"},
      {"git://host/repo.git", Kind::git, "git://host/repo.git"},
      {"git://https://host/repo.git", Kind::git, "https://host/repo.git"},
      {"git:///srv/repo.git", Kind::git, "/srv/repo.git"},
      {"git://../repo", Kind::git, "/project/repo"},
  }));
  CAPTURE(reading.url);
  const SourceUrl url = parse(reading.url);
  CHECK(url.kind == reading.kind);
  CHECK(url.location == reading.location);
}

TEST_CASE("Urls that could become an option or a program are refused") {
  const auto url = GENERATE(values<std::string>({
      "-oProxyCommand=touch x",
      "--upload-pack=touch x",
      "ext::sh -c touch% x",
      "git://ext::sh -c touch% x",
      "fd::17",
      "ssh://-oProxyCommand=x/repo",
      "ssh://user@-oProxyCommand=x/repo",
      "ssh://-x@host/repo",
      "git@-oProxyCommand=x:repo",
      "-oProxyCommand=x@host:repo",
      "git@host:-repo",
      "git://-oProxyCommand=x/repo",
      "git://git@-x:repo",
      "file://-x",
      "git+file://-x",
      "https://host/a\nb",
      "git://ext://x/y",
      "git+ext://x",
      "https://",
      "https://host",
      "ssh:///repo",
      "none://x",
      "git://",
      "git+file://",
      "file://",
      "git@host:",
  }));
  CAPTURE(url);
  CHECK(test::error_of([&] { parse(url); }).code() == base::Code::bad_value);
}

TEST_CASE("An unknown scheme is an error that lists the known ones and names the nearest") {
  const base::Error error = test::error_of([] { parse("htps://host/repo"); });
  CHECK(error.message() == "source url \"htps://host/repo\": unknown scheme \"htps\"");
  CHECK(error.hint_text().find("did you mean \"https\"?") != std::string::npos);
  CHECK(error.hint_text().find("git+file, file, none") != std::string::npos);
}

TEST_CASE("A path without scheme is told how to be written") {
  const base::Error error = test::error_of([] { parse("../repo"); });
  CHECK(error.hint_text() == "git+file://../repo for a git repository, file://../repo for a plain folder");
}

TEST_CASE("Schemes that are only known by name are not yet supported") {
  for (const char* url : {"ruche://curl", "archive+https://host/x.tar.gz#sha256=00"}) {
    CHECK(test::error_of([&] { parse(url); }).code() == base::Code::unsupported);
  }
}

TEST_CASE("A password in an url is not shown") {
  CHECK(source::masked_url("https://me:secret@host/x") == "https://me:***@host/x");
  CHECK(source::masked_url("git://https://me:se@cret@host/x") == "git://https://me:***@host/x");
  CHECK(source::masked_url("https://me@host:8443/x") == "https://me@host:8443/x");
  CHECK(source::masked_url("git@host:x") == "git@host:x");
  const base::Error error = test::error_of([] { parse("htps://me:secret@host/x"); });
  CHECK(error.message().find("secret") == std::string::npos);
}
