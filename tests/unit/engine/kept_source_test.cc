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
    KeptSource kept(run());
    kept.keep_file(digest_of(path), tree.find(path)->size, {(source() / path).string(), nullptr}, {});
    kept.flush();
  }
  KeptSource kept() const { return KeptSource(run()); }
  std::string content(const sync::Composed& of, const std::string& path) const {
    for (std::size_t i = 0; i < of.tree.folders.size(); ++i) {
      for (std::size_t j = 0; j < of.tree.folders[i].entries.size(); ++j) {
        if (sync::join_path(of.tree.folders[i].path, of.tree.folders[i].entries[j].name) == path)
          return of.content_of(i, j).read(SIZE_MAX);
      }
    }
    return "no such path";
  }
  // What a resume would send, whatever the source has by now.
  std::string kept_bytes(const std::string& path) const {
    const std::string name = kept().keep_tree(tree);
    return content(kept().load(name, "/nowhere"), path);
  }
  std::uintmax_t kept_size() const {
    std::uintmax_t size = 0;
    for (const auto& entry : std::filesystem::directory_iterator(run() / "content"))
      size += entry.path().filename() == "index" ? 0 : entry.file_size();
    return size;
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
  const std::string path = GENERATE(as<std::string>(), "page.html", "sub/data.bin");
  const std::string before = base::read_file(at.source() / path);
  at.keep(path);
  at.keep(path);
  CHECK(at.kept_size() == before.size());
  std::filesystem::resize_file(at.source() / path, 5);
  CHECK(at.kept_bytes(path) == before);
}

TEST_CASE("bytes that are only in memory are written down") {
  const Kept at;
  const std::string text = GENERATE(std::string("made by a handler"), std::string(200'000, 'h'));
  KeptSource kept = at.kept();
  kept.keep_file(base::sha256(text), text.size(), {"", std::make_shared<const std::string>(text)}, {});
  kept.flush();
  const std::string file = text.size() <= KeptSource::kSmall ? "pack" : base::to_hex(base::sha256(text));
  CHECK(base::read_file(at.run() / "content" / file) == text);
}

TEST_CASE("many small files are one, and each comes back") {
  Kept at;
  for (int i = 0; i < 500; ++i)
    at.write("many/" + std::to_string(i),
             std::string(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i % 26)));
  at.tree = sync::walk_folder(at.source().string(), {});
  {
    KeptSource kept = at.kept();
    for (int i = 0; i < 500; ++i) {
      const std::string path = "many/" + std::to_string(i);
      kept.keep_file(at.digest_of(path), at.tree.find(path)->size, {(at.source() / path).string(), nullptr},
                     {});
    }
    kept.flush();
  }
  for (const int i : {0, 1, 250, 499})
    CHECK(at.kept_bytes("many/" + std::to_string(i)) ==
          std::string(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i % 26)));
}

TEST_CASE("a file that is not what was composed is not kept") {
  const Kept at;
  const std::string path = GENERATE(as<std::string>(), "page.html", "sub/data.bin");
  if (GENERATE(true, false))
    at.write(path, "changed\n");
  else
    std::filesystem::remove(at.source() / path);
  const base::Error problem = tests::error_of([&] { at.keep(path); });
  CHECK(problem.code() == base::Code::source);
  CHECK(problem.message().find(path) != std::string::npos);
}

TEST_CASE("kept bytes that a power failure spoiled are kept anew") {
  const Kept at;
  const std::string path = GENERATE(as<std::string>(), "page.html", "sub/data.bin");
  const std::string whole = base::read_file(at.source() / path);
  at.keep(path);
  const bool small = path == "page.html";
  const auto file = at.run() / "content" / (small ? "pack" : base::to_hex(at.digest_of(path)));
  base::write_file(file, GENERATE_COPY(std::string(), whole.substr(0, 3), std::string(whole.size(), 'z')));
  at.keep(path);
  CHECK(at.kept_bytes(path) == whole);
}

TEST_CASE("an index that was cut short tells of what it still holds") {
  const Kept at;
  at.keep("page.html");
  const std::string index = base::read_file(at.run() / "content/index");
  for (std::size_t length = 0; length < index.size(); ++length) {
    base::write_file(at.run() / "content/index", index.substr(0, length));
    const std::string name = at.kept().keep_tree(at.tree);
    CHECK(at.content(at.kept().load(name, at.source().string()), "page.html") == "hello\n");
    at.keep("page.html");
    CHECK(at.kept_bytes("page.html") == "hello\n");
  }
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
