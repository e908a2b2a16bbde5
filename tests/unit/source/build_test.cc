#include "core/source/build.h"

#include <sys/types.h>

#include <chrono>
#include <thread>

#include "core/base/text.h"
#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using source::BuildRequest;
using source::Checkout;
using Lines = std::vector<std::string>;

namespace {

struct BuildWorld {
  BuildWorld() {
    std::filesystem::create_directory(folder.path() / "tree");
    checkout.tree = folder.path() / "tree";
    checkout.is_private_copy = true;
  }
  void script(std::string_view text, mode_t mode = 0755) const {
    base::write_file(checkout.tree / "build.sh", "#!/bin/sh\n" + std::string(text), mode);
  }
  void run(BuildRequest request, const base::CancelToken& cancel = {}) {
    request.on_line = [this](std::string_view line) { lines.emplace_back(line); };
    source::run_build(checkout, request, cancel);
  }
  void run(std::vector<std::string> arguments) { run(BuildRequest{std::move(arguments), {}, {}}); }

  base::TemporaryFolder folder{"porter-build-test"};
  Checkout checkout;
  Lines lines;
};

}  // namespace

TEST_CASE("A build runs in the checkout, with its environment and exact arguments") {
  BuildWorld world;
  world.script("pwd\necho \"$PORTER_MODULE|$1|$2\"\necho made > made\n");
  BuildRequest request;
  request.arguments = {"./build.sh", "a b", "$(touch x);*"};
  request.environment = {{"PORTER_MODULE", "my module"}};
  world.run(request);
  CHECK(world.lines ==
        Lines{std::filesystem::canonical(world.checkout.tree).string(), "my module|a b|$(touch x);*"});
  CHECK(base::read_file(world.checkout.tree / "made") == "made\n");
}

TEST_CASE("Output comes line by line, both streams in order, the last one without its end too") {
  BuildWorld world;
  world.script("echo one; echo two >&2; printf 'three\\r\\n\\nfour'");
  world.run({"./build.sh"});
  CHECK(world.lines == Lines{"one", "two", "three", "", "four"});
}

TEST_CASE("A line is handed on while the build still runs") {
  BuildWorld world;
  // The build waits for a file that only the callback makes.
  world.script("echo go\nwhile ! [ -e seen ]; do sleep 0.01; done\n");
  BuildRequest request;
  request.arguments = {"./build.sh"};
  request.deadline = base::Deadline::in(std::chrono::seconds(20));
  request.on_line = [&](std::string_view) { base::write_file(world.checkout.tree / "seen", ""); };
  CHECK_NOTHROW(source::run_build(world.checkout, request, {}));
}

TEST_CASE("A failing build gives its exit and its last twenty lines") {
  BuildWorld world;
  world.script("for i in $(seq 1 25); do echo line $i; done; printf 'bad \\033[31m\\n'; exit 3");
  const base::Error error = test::error_of([&] { world.run({"./build.sh", "x y"}); });
  CHECK(error.code() == base::Code::source);
  CHECK(error.message().starts_with("build ./build.sh 'x y': exit status 3\n  line 7\n"));
  CHECK(error.message().ends_with("\n  line 25\n  bad \\x1b[31m"));
  world.script("kill -9 $$");
  CHECK(test::error_of([&] { world.run({"./build.sh"}); }).message().find("killed by signal 9") !=
        std::string::npos);
}

TEST_CASE("A missing or not executable program is explained") {
  BuildWorld world;
  CHECK(test::error_of([&] { world.run({"./build.sh"}); }).code() == base::Code::missing);
  CHECK(test::error_of([&] { world.run({"no-such-program-at-all"}); }).code() == base::Code::missing);
  world.script("true", 0644);
  const base::Error error = test::error_of([&] { world.run({"./build.sh"}); });
  CHECK(error.code() == base::Code::source);
  CHECK(error.hint_text().find("git update-index --chmod=+x ./build.sh") != std::string::npos);
}

TEST_CASE("What a build leaves running ends with it, even if it keeps the output open") {
  BuildWorld world;
  world.script("sleep 1000 &\necho $!\n");
  BuildRequest request;
  request.arguments = {"./build.sh"};
  request.deadline = base::Deadline::in(std::chrono::seconds(20));
  CHECK_NOTHROW(world.run(request));
  REQUIRE(world.lines.size() == 1);
  const auto left = static_cast<pid_t>(base::parse_integer(world.lines[0]).value());
  // Ended, though perhaps not yet reaped by the process that inherited it.
  const auto state = [&]() -> std::string {
    try {
      const std::string stat = base::read_file("/proc/" + std::to_string(left) + "/stat");
      return stat.substr(stat.rfind(')') + 2, 1);
    } catch (const base::Error&) {
      return "gone";
    }
  };
  const base::Deadline deadline = base::Deadline::in(std::chrono::seconds(10));
  while (state() != "gone" && state() != "Z" && !deadline.passed())
    std::this_thread::yield();
  CHECK_FALSE(deadline.passed());
}

TEST_CASE("A build ends at its deadline and at a cancel") {
  BuildWorld world;
  world.script("echo started\nsleep 1000\n");
  BuildRequest request;
  request.arguments = {"./build.sh"};
  request.deadline = base::Deadline::in(std::chrono::milliseconds(50));
  CHECK(test::error_of([&] { world.run(request); }).code() == base::Code::timeout);

  const base::CancelToken cancel;
  request.deadline = base::Deadline::in(std::chrono::seconds(20));
  request.on_line = [&](std::string_view) { cancel.cancel(); };
  CHECK_THROWS_AS(source::run_build(world.checkout, request, cancel), base::Interrupted);
}

TEST_CASE("A build does not take a repository around the checkout for its own") {
  BuildWorld world;
  const test::TestRepository around(world.folder.path());
  CHECK(test::error_of([&] {
          world.run({"git", "status"});
        })
            .message()
            .find("not a git repository") != std::string::npos);
}

TEST_CASE("A build never runs in a folder that is the user's own") {
  BuildWorld world;
  world.checkout.is_private_copy = false;
  CHECK(test::error_of([&] { world.run({"true"}); }).code() == base::Code::internal);
}
