// Repositories of other machines, with a stand-in for ssh that runs the remote command here.
#include <algorithm>
#include <cstdlib>

#include "core/source/source.h"
#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using test::listing;
using test::SourceWorld;
using Names = std::vector<std::string>;

namespace {

struct RemoteWorld : SourceWorld {
  RemoteWorld() {
    const std::filesystem::path ssh = folder.path() / "ssh";
    base::write_file(ssh,
                     "#!/bin/sh\nprintf '%s\\n' \"$@\" $SSH_ASKPASS_REQUIRE >>'" + calls().string() +
                         "'\nfor last; do :; done\nexec sh -c \"$last\"\n",
                     0755);
    ::setenv("GIT_SSH_COMMAND", ssh.c_str(), 1);
  }
  ~RemoteWorld() { ::unsetenv("GIT_SSH_COMMAND"); }
  std::filesystem::path calls() const { return folder.path() / "calls"; }
  std::string ssh_url() const { return "git@host.example:" + repository.folder().string(); }
  source::Checkout checkout_url(std::string url) const {
    source::SourceRequest asked = request();
    asked.url = std::move(url);
    return source::make_source(asked)->checkout({});
  }
};

}  // namespace

TEST_CASE("A repository behind ssh is deployed, and ssh never asks on the terminal") {
  const RemoteWorld world;
  world.repository.commit("file", "one");
  for (const std::string& url : {world.ssh_url(), "git://" + world.ssh_url(),
                                 "ssh://git@host.example:2222" + world.repository.folder().string()}) {
    CAPTURE(url);
    std::filesystem::remove(world.calls());
    CHECK(listing(world.checkout_url(url).tree) == Names{"file=one"});
    const std::string calls = base::read_file(world.calls());
    CHECK(calls.find("git@host.example\n") != std::string::npos);
    CHECK(calls.ends_with("\nforce\n"));
  }
}

TEST_CASE("An unchanged remote costs one connection") {
  const RemoteWorld world;
  world.repository.commit("file", "one");
  const std::string id = world.checkout_url(world.ssh_url()).commit;
  std::filesystem::remove(world.calls());
  CHECK(world.checkout_url(world.ssh_url()).commit == id);
  const std::string calls = base::read_file(world.calls());
  CHECK(calls.find("git-upload-pack") == calls.rfind("git-upload-pack"));
}

TEST_CASE("Submodules of a remote repository come by relative url from there") {
  const RemoteWorld world;
  const test::TestRepository lib(world.folder.path() / "lib");
  lib.commit("code", "1");
  world.repository.git({"submodule", "--quiet", "add", "../lib", "lib"});
  world.repository.commit("file", "one");
  const Names names = listing(world.checkout_url(world.ssh_url()).tree);
  CHECK(std::find(names.begin(), names.end(), "lib/code=1") != names.end());
  CHECK(base::read_file(world.calls()).find("lib'") != std::string::npos);
}

TEST_CASE("A remote repository cannot pull folders of this machine in as submodules") {
  const RemoteWorld world;
  const test::TestRepository secret(world.folder.path() / "secret");
  secret.commit("key", "secret");
  world.repository.git({"submodule", "--quiet", "add", secret.folder().string(), "x"});
  world.repository.commit("file", "one");
  const base::Error error = test::error_of([&] { world.checkout_url(world.ssh_url()); });
  CHECK(error.code() == base::Code::source);
  CHECK(error.message().find("transport 'file' not allowed") != std::string::npos);
}

TEST_CASE("A remote that cannot be reached is reported without the url's password") {
  const SourceWorld world;
  source::SourceRequest request = world.request();
  request.url = "http://me:hidden-word@127.0.0.1:1/repo.git";  // nobody listens on port 1
  const base::Error error = test::error_of([&] { source::make_source(request)->pin({}); });
  CHECK(error.code() == base::Code::source);
  CHECK(base::format_error(error).find("http://me:***@127.0.0.1:1/repo.git") != std::string::npos);
  CHECK(base::format_error(error).find("hidden-word") == std::string::npos);
}
