#include "core/sync/delta.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
using tests::code_of;

namespace {

class File {
 public:
  explicit File(std::string_view content) : size_(content.size()) {
    base::write_file(folder_.path() / "f", content);
    fd_.reset(::open((folder_.path() / "f").c_str(), O_RDONLY | O_CLOEXEC));
  }
  int fd() const { return fd_.get(); }
  std::uint64_t size() const { return size_; }
  std::filesystem::path path() const { return folder_.path() / "f"; }

 private:
  base::TemporaryFolder folder_;
  base::UniqueFd fd_;
  std::uint64_t size_;
};

Output into(std::string& text) {
  return [&text](std::string_view bytes) { text.append(bytes); };
}

std::string signature_of(const File& basis) {
  std::string bytes;
  SignatureJob({basis.fd(), basis.size()}).run(into(bytes));
  return bytes;
}

Signature load(std::string_view bytes, std::uint64_t basis_size, std::size_t piece = 1000) {
  SignatureLoader loader(basis_size);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    loader.feed(bytes.substr(at, piece));
  return loader.finish();
}

std::string delta_of(std::string_view signature, const File& basis, const File& wanted) {
  const Signature loaded = load(signature, basis.size());
  std::string bytes;
  DeltaJob(loaded, {wanted.fd(), wanted.size()}).run(into(bytes));
  return bytes;
}

std::string patch(const File& basis, std::string_view delta, std::uint64_t size, std::size_t piece = 4096) {
  std::string made;
  PatchJob job({basis.fd(), basis.size()}, size, into(made));
  for (std::size_t at = 0; at < delta.size(); at += piece)
    job.feed(delta.substr(at, piece));
  job.finish();
  return made;
}

struct Cost {
  std::size_t signature;
  std::size_t delta;
};

Cost round_trip(std::string_view before, std::string_view after, std::size_t piece = 4096) {
  const File basis(before);
  const File wanted(after);
  const std::string signature = signature_of(basis);
  CHECK(signature.size() == signature_size(before.size(), signature_shape(before.size())));
  const std::string delta = delta_of(signature, basis, wanted);
  const bool equal = patch(basis, delta, after.size(), piece) == after;
  CHECK(equal);
  return {signature.size(), delta.size()};
}

std::string delta_with(const std::function<void(base::ByteWriter&)>& commands) {
  base::ByteWriter writer;
  writer.u32(0x72730236);
  commands(writer);
  return writer.take();
}

// RS_OP_COPY_N8_N8 and RS_OP_LITERAL_N8 of the delta format.
void copy(base::ByteWriter& writer, std::uint64_t position, std::uint64_t length) {
  writer.u8(0x54).u64(position).u64(length);
}
void literal(base::ByteWriter& writer, std::uint64_t length, std::string_view bytes) {
  writer.u8(0x44).u64(length).raw(bytes);
}

}  // namespace

TEST_CASE("deltas give the new file back, whatever was edited") {
  std::mt19937 random(41);
  const std::string base = random_bytes(random, 700'001);
  CHECK(round_trip(base, base).delta < 200);
  CHECK(round_trip(base, base + "tail").delta < 3000);
  CHECK(round_trip(base, "head" + base).delta < 3000);
  std::string middle = base;
  middle.replace(300'000, 10, "other");
  CHECK(round_trip(base, middle).delta < 4000);
  CHECK(round_trip(base, base.substr(350'000) + base.substr(0, 350'000)).delta < 5000);
  CHECK(round_trip(base, base.substr(1000, 500)).delta < 600);
  const std::string foreign = random_bytes(random, 500'000);
  CHECK(round_trip(base, foreign).delta < foreign.size() + 1000);
  round_trip(base, "");
  round_trip("", base);
  round_trip("x", "y");
  round_trip(std::string(300'000, 'a'), std::string(310'000, 'a'));
}

TEST_CASE("random edits survive, fed in pieces of any size") {
  std::mt19937 random(42);
  for (int i = 0; i < 60; ++i) {
    const std::string before = random_bytes(random, random() % 40'000);
    std::string after = before;
    for (auto edits = random() % 8; edits > 0; --edits) {
      const std::size_t at = random() % (after.size() + 1);
      after.replace(at, random() % 300, random_bytes(random, random() % 300));
    }
    round_trip(before, after, 1 + random() % 700);
  }
}

TEST_CASE("a large random file with 1 KiB appended or put in front costs far below 1 MiB") {
  // 100 MiB on demand; the smaller size shows the same in a second.
  const std::size_t mebibytes = std::getenv("PORTER_TEST_FULL_SIZE") != nullptr ? 100 : 32;
  std::mt19937 random(43);
  const std::string base = random_bytes(random, mebibytes << 20U);
  const std::string kibibyte = random_bytes(random, 1024);
  for (const bool front : {false, true}) {
    const Cost cost = round_trip(base, front ? kibibyte + base : base + kibibyte, 64U << 10U);
    std::cout << fmt::format("{} MiB, 1 KiB {}: signature {} B, delta {} B\n", mebibytes,
                             front ? "in front" : "appended", cost.signature, cost.delta);
    CHECK(cost.signature + cost.delta < (256U << 10U));
  }
}

TEST_CASE("the shape of signatures follows the size by the documented rule") {
  CHECK(signature_shape(0) == SignatureShape{1024, 8});
  CHECK(signature_shape(70'000) == SignatureShape{1024, 8});
  CHECK(signature_shape(100U << 20U) == SignatureShape{10240, 9});
  CHECK(signature_shape(1ULL << 40U) == SignatureShape{1U << 20U, 11});
  CHECK(signature_shape(~0ULL).block == 1U << 20U);
  CHECK(signature_size(70'000, {1024, 8}) == 12 + 69 * 12);
}

TEST_CASE("a signature that is not exactly what the file's size asks for is refused") {
  std::mt19937 random(44);
  const File basis(random_bytes(random, 100'000));
  const std::string good = signature_of(basis);
  const auto refused = [&](std::string_view bytes) {
    CHECK(code_of([&] { load(bytes, basis.size(), 50); }) == base::Code::protocol);
  };
  CHECK_NOTHROW(load(good, basis.size(), 1));
  for (std::size_t length = 0; length < good.size(); ++length)
    refused(std::string_view(good).substr(0, length));
  refused(good + "x");
  for (std::size_t at = 0; at < 12; ++at) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    refused(flipped);
  }
  std::string zero_block = good;
  zero_block.replace(4, 4, std::string(4, '\0'));
  refused(zero_block);
  std::string zero_strong = good;
  zero_strong.replace(8, 4, std::string(4, '\0'));
  refused(zero_strong);
  std::string huge_strong = good;
  huge_strong.replace(8, 4, std::string("\x80\0\0\0", 4));
  refused(huge_strong);
  refused(random_bytes(random, good.size()));
  CHECK(code_of([] { SignatureLoader(~0ULL); }) == base::Code::protocol);
}

TEST_CASE("a signature of many blocks with one weak sum is refused, one of equal blocks is not") {
  std::mt19937 random(45);
  const std::uint64_t size = 4U << 20U;
  const SignatureShape shape = signature_shape(size);
  base::ByteWriter hostile;
  hostile.u32(0x72730147).u32(shape.block).u32(shape.strong);
  for (std::uint64_t i = 0; i < size / shape.block; ++i)
    hostile.u32(7).raw(random_bytes(random, shape.strong));
  CHECK(size / shape.block > 1024);
  CHECK(code_of([&] { load(hostile.data(), size); }) == base::Code::protocol);
  const File zeros(std::string(size, '\0'));
  CHECK_NOTHROW(load(signature_of(zeros), size));
}

TEST_CASE("a junk signature body gives a useless delta, not a wrong file") {
  std::mt19937 random(46);
  const std::string content = random_bytes(random, 200'000);
  const File basis(content);
  std::string signature = signature_of(basis);
  for (std::size_t at = 12; at < signature.size(); ++at)
    signature[at] = static_cast<char>(random());
  const File wanted(content + "x");
  const std::string delta = delta_of(signature, basis, wanted);
  CHECK(patch(basis, delta, wanted.size()) == content + "x");
}

TEST_CASE("hostile deltas are errors, with output bounded by what was announced") {
  const File basis(std::string(5000, 'b'));
  const auto refused = [&](const std::string& delta, std::uint64_t announced) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1} << 20U}) {
      std::string made;
      const base::Code code = code_of([&] {
        PatchJob job({basis.fd(), basis.size()}, announced, into(made));
        for (std::size_t at = 0; at < delta.size(); at += piece)
          job.feed(std::string_view(delta).substr(at, piece));
        job.finish();
      });
      CHECK(code == base::Code::protocol);
      CHECK(made.size() <= announced);
    }
  };
  const auto end = [](base::ByteWriter& w) { w.u8(0); };
  CHECK(patch(basis, delta_with([&](auto& w) {
                copy(w, 1000, 4000);
                literal(w, 2, "xy");
                end(w);
              }),
              4002) == std::string(4000, 'b') + "xy");
  refused(delta_with([&](auto& w) {
            copy(w, 1001, 4000);
            end(w);
          }),
          4000);
  refused(delta_with([&](auto& w) {
            copy(w, 5000, 1);
            end(w);
          }),
          1);
  refused(delta_with([&](auto& w) {
            copy(w, 9000, 1);
            end(w);
          }),
          1);
  refused(delta_with([&](auto& w) {
            copy(w, 1ULL << 63U, 1);
            end(w);
          }),
          1);
  refused(delta_with([&](auto& w) {
            copy(w, 0, 1ULL << 63U);
            end(w);
          }),
          5000);
  refused(delta_with([&](auto& w) {
            copy(w, ~0ULL, ~0ULL);
            end(w);
          }),
          5000);
  refused(delta_with([&](auto& w) {
            copy(w, 0, 0);
            copy(w, 5000, 0);
            end(w);
          }),
          1);
  refused(delta_with([&](auto& w) {
            literal(w, 0, "");
            end(w);
          }),
          1);
  refused(delta_with([&](auto& w) {
            literal(w, 1ULL << 40U, "xy");
            end(w);
          }),
          1ULL << 40U);
  refused(delta_with([&](auto& w) {
            literal(w, ~0ULL, "xy");
            end(w);
          }),
          2);
  refused(delta_with([&](auto& w) {
            copy(w, 0, 5000);
            end(w);
          }),
          4999);
  refused(delta_with([&](auto& w) {
            copy(w, 0, 5000);
            end(w);
          }),
          5001);
  refused(delta_with([&](auto& w) {
            for (int i = 0; i < 1000; ++i)
              copy(w, 0, 5000);
            end(w);
          }),
          5000);
  refused(delta_with([&](auto& w) { copy(w, 0, 5000); }), 5000);
  refused(delta_with([&](auto& w) {
            copy(w, 0, 5000);
            end(w);
            w.raw("more");
          }),
          5000);
  refused(delta_with([&](auto& w) { w.u8(0xFF); }), 5000);
  refused("junk", 4);
  refused("", 4);
  refused("", 0);
}

TEST_CASE("truncated and mutated deltas never crash, hang or exceed the announced size") {
  std::mt19937 random(47);
  const std::string before = random_bytes(random, 20'000);
  std::string after = before;
  after.insert(7000, "inserted");
  const File basis(before);
  const File wanted(after);
  const std::string delta = delta_of(signature_of(basis), basis, wanted);
  for (std::size_t length = 0; length < delta.size(); length += 3)
    CHECK(code_of([&] { patch(basis, delta.substr(0, length), after.size()); }) == base::Code::protocol);
  for (int i = 0; i < 3000; ++i) {
    std::string spoiled = delta;
    for (auto changes = 1 + random() % 3; changes > 0; --changes)
      spoiled[4 + random() % (spoiled.size() - 4)] = static_cast<char>(random());
    std::string made;
    const base::Code code = code_of([&] {
      PatchJob job({basis.fd(), basis.size()}, after.size(), into(made));
      job.feed(spoiled);
      job.finish();
    });
    CHECK((code == base::Code::protocol || code == base::Code::internal));  // or accepted
    CHECK(made.size() <= after.size());
  }
}

TEST_CASE("a file that became shorter meanwhile is an error of its own") {
  std::mt19937 random(48);
  const std::string content = random_bytes(random, 300'000);
  const File basis(content);
  const std::string signature = signature_of(basis);
  const std::string delta = delta_of(signature, basis, basis);
  std::filesystem::resize_file(basis.path(), 1000);
  std::string ignored;
  CHECK(code_of([&] { SignatureJob({basis.fd(), basis.size()}).run(into(ignored)); }) == base::Code::io);
  CHECK(code_of([&] { patch(basis, delta, content.size()); }) == base::Code::io);
}

TEST_CASE("what an output throws passes through the job") {
  const File basis("content");
  struct Stop {};
  CHECK_THROWS_AS(SignatureJob({basis.fd(), basis.size()}).run([](std::string_view) { throw Stop(); }), Stop);
}

TEST_CASE("ranges of a file are read as one") {
  const File file("0123456789");
  const FileRanges ranges(file.fd(), {{7, 2}, {3, 0}, {1, 3}});
  CHECK(ranges.size() == 5);
  const auto read = [&](std::size_t length, std::uint64_t position) {
    std::string bytes(length, '\0');
    bytes.resize(ranges.read(std::as_writable_bytes(std::span(bytes)), position, "ranges"));
    return bytes;
  };
  CHECK(read(5, 0) == "78123");
  CHECK(read(100, 0) == "78123");
  CHECK(read(2, 1) == "81");
  CHECK(read(2, 2) == "12");
  CHECK(read(1, 4) == "3");
  CHECK(read(1, 5).empty());
  CHECK(read(1, ~0ULL).empty());
  CHECK(FileRanges(file.fd(), 0).size() == 0);
  std::filesystem::resize_file(file.path(), 2);
  CHECK(read(5, 2) == "1");
}
