#include "core/base/content_digest.h"

#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <string>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "tests/support/catch.h"

using namespace porter::base;

namespace {

constexpr std::size_t kLeaf = kLeafBytes;
constexpr std::size_t kFrom = kLeavesFrom;

std::string random_bytes(std::size_t size) {
  std::mt19937_64 numbers(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes)
    byte = static_cast<char>(numbers());
  return bytes;
}

UniqueFd file_of(std::string_view content) {
  UniqueFd file(::memfd_create("digest", MFD_CLOEXEC));
  write_all(file.get(), content);
  return file;
}

// As content_digest.h documents it, in one go.
std::string preimage(std::string_view content) {
  ByteWriter writer;
  writer.raw("porter leaves\n").u64(content.size());
  for (std::size_t at = 0; at < content.size(); at += kLeaf)
    writer.digest(sha256(content.substr(at, kLeaf)));
  return writer.take();
}

Digest documented(std::string_view content) {
  if (content.size() < kFrom) return sha256(content);
  Digest digest = sha256(preimage(content));
  for (std::uint8_t& byte : digest)
    byte ^= 0xA5;
  return digest;
}

}  // namespace

TEST_CASE("the digest of a content is the documented one, however the content comes", "[content_digest]") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{300'000}, kFrom - 1, kFrom,
                                 kFrom + 1, 5 * kLeaf, 9 * kLeaf + 77}) {
    CAPTURE(size);
    const std::string content = random_bytes(size);
    const Digest digest = documented(content);
    CHECK(content_digest(content) == digest);
    const UniqueFd file = file_of(content);
    CHECK(content_digest(file.get(), size) == digest);
    CHECK(::lseek(file.get(), 0, SEEK_CUR) == static_cast<off_t>(size));  // as file_of left it
    ContentHash hash(size);
    for (std::size_t at = 0; at < size; at += 123'457)
      hash.update(std::as_bytes(std::span(content).subspan(at, std::min<std::size_t>(123'457, size - at))));
    CHECK(hash.finish() == digest);
  }
}

TEST_CASE("the digest of the documents", "[content_digest]") {
  // docs/formats.md: change both, or neither, and then every format that holds digests.
  CHECK(to_hex(content_digest(std::string(kFrom, '\0'))) ==
        "61cda009a0ba81a6f71fb36ab74d528eed76f46e76ca8194536fabc9d6c7a7ef");
}

TEST_CASE("each byte of a large file counts", "[content_digest]") {
  std::string content = random_bytes(kFrom + 100);
  const Digest digest = content_digest(content);
  for (const std::size_t at : {std::size_t{0}, kLeaf - 1, kLeaf, kFrom - 1, kFrom + 99}) {
    content[at] = static_cast<char>(content[at] ^ 1);
    CHECK(content_digest(content) != digest);
    content[at] = static_cast<char>(content[at] ^ 1);
  }
  CHECK(content_digest(content + '\0') != digest);
}

TEST_CASE("a small file that holds what a large one's digest is made of has another", "[content_digest]") {
  const std::string large = random_bytes(kFrom);
  CHECK(content_digest(preimage(large)) != content_digest(large));
}

TEST_CASE("a file that ends early has no digest, one that goes on has that of its beginning",
          "[content_digest]") {
  const std::string content = random_bytes(kFrom + 10);
  const UniqueFd file = file_of(content);
  CHECK_FALSE(content_digest(file.get(), content.size() + 1).has_value());
  CHECK(content_digest(file.get(), kFrom) == content_digest(std::string_view(content).substr(0, kFrom)));
  CHECK(content_digest(file.get(), 5) == sha256(content.substr(0, 5)));
  const UniqueFd small = file_of("12345");
  CHECK_FALSE(content_digest(small.get(), 6).has_value());
}

TEST_CASE("a cancel ends the reading of a large file", "[content_digest]") {
  const UniqueFd file = file_of(random_bytes(kFrom));
  const CancelToken cancel;
  cancel.cancel();
  CHECK_THROWS_AS(content_digest(file.get(), kFrom, &cancel), Interrupted);
  CHECK_THROWS_AS(content_digest(-1, kFrom), Error);
}

TEST_CASE("leaves may be read in any order, and before all of the file is there", "[content_digest]") {
  const std::string content = random_bytes(kFrom + 100);
  const UniqueFd file = file_of(std::string_view(content).substr(0, 2 * kLeaf));
  LeafDigests leaves(content.size());
  CHECK(leaves.count() == 5);
  leaves.read(file.get(), 1);
  leaves.read(file.get(), 0);
  CHECK_FALSE(LeafDigests(leaves).finish(file.get()).has_value());
  write_at(file.get(), std::as_bytes(std::span(content)), 0);
  CHECK(leaves.finish(file.get()) == content_digest(content));
  CHECK(LeafDigests(kFrom - 1).count() == 0);
}
