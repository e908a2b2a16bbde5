#include "core/base/accounts.h"

#include <stdlib.h>

#include <filesystem>

#include "core/base/files.h"
#include "tests/support/catch.h"

using namespace porter::base;

namespace {

// A directory service that knows ada, and says of everybody else that it is bob.
struct Service {
  Service() {
    write_file(folder.path() / "getent",
               "#!/bin/sh\necho x >> \"$0.asked\"\n"
               "case $2 in ada|70001) echo ada:x:70001:70001::/:/bin/sh;;\n"
               "nobody-at-all) exit 2;; *) echo bob:x:70002:70002;; esac\n");
    std::filesystem::permissions(folder.path() / "getent", std::filesystem::perms(0755));
    path = ::getenv("PATH");
    ::setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1);
  }
  ~Service() { ::setenv("PATH", path.c_str(), 1); }
  std::size_t asked() const { return read_file(folder.path() / "getent.asked").size() / 2; }

  TemporaryFolder folder;
  std::string path;
};

}  // namespace

TEST_CASE("users and groups of the machine's own files are known both ways") {
  Accounts users(Accounts::Kind::users);
  CHECK(users.id_of("root") == 0U);
  CHECK(users.name_of(0) == "root");
  Accounts groups(Accounts::Kind::groups);
  CHECK(groups.id_of("root") == 0U);
  CHECK(groups.name_of(0) == "root");
}

TEST_CASE("others are asked of the directory service, once each, and only exact answers count") {
  const Service service;
  Accounts users(Accounts::Kind::users);
  for (int i = 0; i < 2; ++i) {
    CHECK(users.id_of("ada") == 70001U);
    CHECK(users.name_of(70001) == "ada");
    CHECK(users.id_of("70001") == std::nullopt);  // a number is no name
    CHECK(users.name_of(70003) == std::nullopt);
    CHECK(users.id_of("nobody-at-all") == std::nullopt);
    CHECK(users.id_of("--help") == std::nullopt);
  }
  CHECK(service.asked() == 5);
}

TEST_CASE("without a directory service there are no others") {
  const Service service;
  ::setenv("PATH", "/nowhere", 1);
  CHECK(Accounts(Accounts::Kind::users).id_of("ada") == std::nullopt);
}
