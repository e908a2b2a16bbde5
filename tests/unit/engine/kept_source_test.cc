#include "core/engine/kept_source.h"

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/engine/content_pack.h"
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
  sync::EntryRef ref(const std::string& path) const { return tree.find_ref(path).value(); }
  // As a run does that sends it. Nothing when it is not what was composed.
  std::optional<std::string> keep(const std::string& path) const { return keep_all({path}).front(); }
  std::vector<std::optional<std::string>> keep_all(const std::vector<std::string>& paths) const {
    KeptSource kept(run());
    ContentPack pack(kept, nullptr, {});
    std::vector<sync::EntryRef> refs;
    for (const std::string& path : paths)
      refs.push_back(ref(path));
    pack.expect(composed, refs);
    std::vector<std::optional<std::string>> found;
    for (const sync::EntryRef one : refs)
      found.push_back(pack.read(composed, one));
    return found;
  }
  KeptSource kept() const { return KeptSource(run()); }
  std::string content(const sync::Composed& of, const std::string& path) const {
    const auto ref = of.tree.find_ref(path);
    return ref ? of.content_of(*ref).read(SIZE_MAX) : "no such path";
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
  Kept at;
  const std::string text = GENERATE(std::string("made by a handler"), std::string(200'000, 'h'));
  sync::Composer composer(at.tree, at.source().string(), {});
  composer.add_bytes("made", std::make_shared<const std::string>(text), 0644, sync::Layer::handlers, "p");
  at.composed = composer.finish();
  at.tree = at.composed.tree;
  CHECK(at.keep("made") == text);
  CHECK(base::read_file(at.run() / "content/pack") == text);
}

TEST_CASE("many small files are one, and each comes back") {
  Kept at;
  for (int i = 0; i < 500; ++i)
    at.write("many/" + std::to_string(i),
             std::string(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i % 26)));
  at.tree = sync::walk_folder(at.source().string(), {});
  at.composed = sync::Composed(at.tree, at.source().string(), {});
  std::vector<std::string> paths;
  for (int i = 0; i < 500; ++i)
    paths.push_back("many/" + std::to_string(i));
  const auto found = at.keep_all(paths);
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == base::read_file(at.source() / paths[i]));
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
  CHECK_FALSE(at.keep(path));
  CHECK_FALSE(std::filesystem::exists(at.run() / "content"));
}

TEST_CASE("what a walk has read begins the pack and is not read again, and a resume has it") {
  const Kept at;
  const auto spool = std::make_shared<sync::ContentSpool>(at.folder.path() / "spool");
  spool->add(at.digest_of("page.html"), "hello\n");
  at.write("page.html", "changed\n");
  {
    KeptSource kept(at.run());
    ContentPack pack(kept, spool, {});
    pack.expect(at.composed, {at.ref("page.html"), at.ref("sub/data.bin")});
    CHECK(pack.read(at.composed, at.ref("page.html")) == "hello\n");
    CHECK(pack.read(at.composed, at.ref("sub/data.bin")) == std::string(3'000'000, 'x'));
  }
  CHECK(at.kept_bytes("page.html") == "hello\n");
  CHECK(at.kept_bytes("sub/data.bin") == std::string(3'000'000, 'x'));
}

TEST_CASE("whoever waits for a content hears of a full disk, and of a stop") {
  const Kept at;
  KeptSource kept(at.run());
  SECTION("a disk that cannot be written to") {
    base::make_folders(at.run());
    base::write_file(at.run() / "content", "in the way");
    ContentPack pack(kept, nullptr, {});
    pack.expect(at.composed, {at.ref("page.html")});
    CHECK(tests::error_of([&] { pack.read(at.composed, at.ref("page.html")); }).code() == base::Code::io);
  }
  SECTION("a stop") {
    const base::CancelToken stop;
    stop.cancel();
    ContentPack pack(kept, nullptr, stop);
    pack.expect(at.composed, {at.ref("page.html")});
    CHECK_THROWS_AS(pack.read(at.composed, at.ref("page.html")), base::Interrupted);
  }
}

TEST_CASE("kept bytes that a power failure spoiled are kept anew") {
  const Kept at;
  const std::string path = GENERATE(as<std::string>(), "page.html", "sub/data.bin");
  const std::string whole = base::read_file(at.source() / path);
  at.keep(path);
  base::write_file(at.run() / "content/pack",
                   GENERATE_COPY(std::string(), whole.substr(0, 3), std::string(whole.size(), 'z')));
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
