#include "core/engine/kept_source.h"

#include "core/base/files.h"
#include "core/sync/walk.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::engine;

namespace {

struct Kept {
  Kept() {
    write("page.html", "hello\n");
    write("sub/data.bin", std::string(3'000'000, 'x'));
    tree = sync::walk_folder(source().string(), {});
    composed = sync::Composed(tree, source().string(), {});
  }
  std::filesystem::path source() const { return folder.path() / "source"; }
  std::filesystem::path run() const { return folder.path() / "run"; }
  void write(const std::string& path, const std::string& text) const {
    base::make_folders((source() / path).parent_path());
    base::write_file(source() / path, text);
  }
  base::Digest digest_of(const std::string& path) const { return tree.find(path)->digest; }
  void keep(const std::string& path) const {
    kept().keep_file(digest_of(path), {(source() / path).string(), nullptr}, {});
  }
  KeptSource kept() const { return KeptSource(run()); }
  std::string content(const sync::Composed& of, const std::string& path) const {
    for (std::size_t i = 0; i < of.tree.folders.size(); ++i) {
      for (std::size_t j = 0; j < of.tree.folders[i].entries.size(); ++j) {
        if (sync::join_path(of.tree.folders[i].path, of.tree.folders[i].entries[j].name) == path)
          return base::read_file(of.content_of(i, j).path);
      }
    }
    return "no such path";
  }
  std::size_t files_kept() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(run() / "content"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }

  base::TemporaryFolder folder;
  sync::Tree tree;
  sync::Composed composed;
};

}  // namespace

TEST_CASE("a kept tree comes back as it was, with the bytes of then") {
  const Kept at;
  const std::string name = at.kept().keep_tree(at.tree);
  CHECK(at.kept().keep_tree(at.tree) == name);
  at.keep("page.html");
  at.write("page.html", "changed\n");
  const sync::Composed again = at.kept().load(name, at.source().string());
  CHECK(again.tree == at.tree);
  CHECK(at.content(again, "page.html") == "hello\n");
  // What was not kept is what the source has.
  CHECK(at.content(again, "sub/data.bin") == std::string(3'000'000, 'x'));
}

TEST_CASE("the same bytes are kept once, and later writing into the source does not reach them") {
  const Kept at;
  at.keep("sub/data.bin");
  at.keep("sub/data.bin");
  CHECK(at.files_kept() == 1);
  const auto in_place = std::filesystem::path(at.source() / "sub/data.bin");
  std::filesystem::resize_file(in_place, 5);
  CHECK(base::sha256_of_file(at.run() / "content" / base::to_hex(at.digest_of("sub/data.bin"))) ==
        at.digest_of("sub/data.bin"));
}

TEST_CASE("bytes that are only in memory are written down") {
  const Kept at;
  const std::string text = "made by a handler";
  at.kept().keep_file(base::sha256(text), {"", std::make_shared<const std::string>(text)}, {});
  CHECK(base::read_file(at.run() / "content" / base::to_hex(base::sha256(text))) == text);
}

TEST_CASE("a file that is not what was composed is not kept") {
  const Kept at;
  at.write("page.html", "changed\n");
  const base::Error problem = tests::error_of([&] { at.keep("page.html"); });
  CHECK(problem.code() == base::Code::source);
  CHECK(problem.message().find("page.html") != std::string::npos);
  std::filesystem::remove(at.source() / "page.html");
  CHECK(tests::error_of([&] { at.keep("page.html"); }).code() == base::Code::source);
  CHECK_FALSE(std::filesystem::exists(at.run() / "content" / base::to_hex(at.digest_of("page.html"))));
}

TEST_CASE("kept bytes that a power failure spoiled are kept anew") {
  const Kept at;
  at.keep("page.html");
  const auto file = at.run() / "content" / base::to_hex(at.digest_of("page.html"));
  base::write_file(file, "");
  at.keep("page.html");
  CHECK(base::read_file(file) == "hello\n");
}

TEST_CASE("a kept tree that is cut anywhere, or has any bit flipped, is never taken as valid") {
  const Kept at;
  const std::string name = at.kept().keep_tree(at.tree);
  const auto file = at.run() / "trees" / name;
  const std::string all = base::read_file(file);
  const auto is_noticed = [&](const std::string& text) {
    base::write_file(file, text);
    return tests::error_of([&] { at.kept().load(name, ""); }).code() == base::Code::io;
  };
  for (std::size_t length = 0; length < all.size(); ++length)
    REQUIRE(is_noticed(all.substr(0, length)));
  for (std::size_t bit = 0; bit < all.size() * 8; ++bit) {
    std::string flipped = all;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE(is_noticed(flipped));
  }
}
