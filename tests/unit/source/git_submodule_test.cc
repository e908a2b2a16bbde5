#include "core/source/source.h"
#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using source::Checkout;
using source::RefKind;
using test::listing;
using test::SourceWorld;
using test::TestRepository;
using Names = std::vector<std::string>;

namespace {

// The world's repository with `lib` in it, which itself has `inner` in it, both by relative url.
struct NestedWorld : SourceWorld {
  NestedWorld() {
    inner.commit("deep", "d");
    lib.git({"submodule", "--quiet", "add", "../inner", "inner"});
    lib.commit("code", "1");
    repository.git({"submodule", "--quiet", "add", "../lib", "lib"});
    repository.git({"submodule", "--quiet", "update", "--init", "--recursive"});
    repository.commit("file", "one");
  }
  void advance() {
    lib.commit("code", "2");
    repository.git({"-C", "lib", "pull", "--quiet"});
    repository.commit("file", "two");
  }
  Names names(const std::filesystem::path& tree) const {
    Names out;
    for (const std::string& name : listing(tree)) {
      if (name.find(".gitmodules") == std::string::npos) out.push_back(name);
    }
    return out;
  }
  TestRepository inner{folder.path() / "inner"};
  TestRepository lib{folder.path() / "lib"};
};

}  // namespace

TEST_CASE("Submodules arrive, those of submodules too, and follow the commit") {
  NestedWorld world;
  const Names old = {"file=one", "lib/", "lib/code=1", "lib/inner/", "lib/inner/deep=d"};
  world.repository.git({"tag", "v1"});
  CHECK(world.names(world.checkout().tree) == old);
  world.advance();
  const Names now = {"file=two", "lib/", "lib/code=2", "lib/inner/", "lib/inner/deep=d"};
  CHECK(world.names(world.checkout().tree) == now);
  CHECK(world.names(world.checkout(RefKind::tag, "v1").tree) == old);
}

TEST_CASE("What a run left in a submodule is gone at the next one") {
  const NestedWorld world;
  const Names clean = world.names(world.checkout().tree);
  {
    const Checkout checkout = world.checkout();
    base::write_file(checkout.tree / "lib" / "code", "changed");
    base::write_file(checkout.tree / "lib" / "inner" / "made", "x");
    std::filesystem::remove(checkout.tree / "lib" / "inner" / ".git");
  }
  CHECK(world.names(world.checkout().tree) == clean);
}

TEST_CASE("A submodule that became a folder, or went, leaves nothing") {
  const NestedWorld world;
  world.checkout();
  world.repository.git({"rm", "-q", "-f", "lib"});
  world.repository.commit("lib/own", "x");
  CHECK(world.names(world.checkout().tree) == Names{"file=one", "lib/", "lib/own=x"});
  world.repository.git({"rm", "-q", "-r", "lib"});
  world.repository.commit("file", "two");
  CHECK(world.names(world.checkout().tree) == Names{"file=two"});
}

TEST_CASE("A submodule that names a program is refused and runs nothing") {
  const SourceWorld world;
  const std::filesystem::path mark = world.folder.path() / "mark";
  const std::string id = world.repository.commit("file", "one");
  world.repository.write(".gitmodules",
                         "[submodule \"x\"]\n\tpath = x\n\turl = ext::touch " + mark.string() + "\n");
  world.repository.git({"add", "--all"});
  world.repository.git({"update-index", "--add", "--cacheinfo", "160000," + id + ",x"});
  world.repository.git({"commit", "-q", "-m", "x"});
  CHECK(test::error_of([&] { world.checkout(); }).code() == base::Code::source);
  CHECK_FALSE(std::filesystem::exists(mark));
}
