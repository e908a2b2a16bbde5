#include "core/base/holes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <string>

#include "core/base/clone.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "tests/support/catch.h"

using namespace porter::base;

namespace {

constexpr std::size_t kMiB = 1U << 20U;

struct Files {
  TemporaryFolder home;
  UniqueFd make(const std::string& name, std::size_t size) const {
    UniqueFd fd(::open((home.path() / name).c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
    return fd;
  }
  std::string content(const std::string& name) const { return read_file(home.path() / name); }
  // Of this file system; 0 where it does not make holes.
  static std::size_t room(int fd) {
    struct stat info {};
    REQUIRE(::fstat(fd, &info) == 0);
    return static_cast<std::size_t>(info.st_blocks) * 512;
  }
};

// Zeros and other bytes in runs of random length.
std::string patchwork(std::mt19937& random, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const std::size_t run = random() % 40'000 + 1;
    if (random() % 2 == 0)
      bytes.append(run, '\0');
    else
      for (std::size_t i = 0; i < run; ++i)
        bytes.push_back(static_cast<char>(random()));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

TEST_CASE("what is written with holes is the same, in pieces of any size") {
  const Files files;
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    const std::string bytes = patchwork(random, random() % kMiB);
    const UniqueFd fd = files.make("f", bytes.size());
    for (std::size_t done = 0; done < bytes.size();) {
      const std::string piece = bytes.substr(done, random() % 100'000 + 1);
      write_with_holes(fd.get(), std::as_bytes(std::span(piece)), done);
      done += piece.size();
    }
    REQUIRE(files.content("f") == bytes);
  }
}

TEST_CASE("blocks of zeros take no room, written, copied or copied in part") {
  const Files files;
  std::string bytes(4 * kMiB, '\0');
  bytes.replace(kMiB + 5, 3, "abc");
  const UniqueFd fd = files.make("written", bytes.size());
  write_with_holes(fd.get(), std::as_bytes(std::span(bytes)), 0);
  CHECK(files.content("written") == bytes);
  CHECK(Files::room(fd.get()) <= 64 * 1024);
  const UniqueFd copy = files.make("copied", 0);
  copy_content(fd.get(), copy.get());
  CHECK(files.content("copied") == bytes);
  CHECK(Files::room(copy.get()) <= 64 * 1024);
  const UniqueFd part = files.make("part", kMiB + 10);
  CHECK(copy_range(fd.get(), kMiB - 5, part.get(), 5, kMiB + 5));
  CHECK(files.content("part").substr(15, 3) == "abc");
  CHECK(Files::room(part.get()) <= 64 * 1024);
  CHECK_FALSE(copy_range(fd.get(), 4 * kMiB - 1, part.get(), 0, 2));
}

TEST_CASE("data is found between holes, and all of a file without any") {
  const Files files;
  const UniqueFd fd = files.make("f", 3 * kMiB);
  write_at(fd.get(), std::as_bytes(std::span("x", 1)), kMiB);
  const auto data = next_data(fd.get(), 0, 3 * kMiB);
  REQUIRE(data);
  CHECK(data->offset <= kMiB);
  CHECK(data->offset + data->size > kMiB);
  CHECK(next_data(fd.get(), kMiB, kMiB + 1)->size == 1);
  CHECK_FALSE(next_data(fd.get(), 2 * kMiB, 3 * kMiB));
  CHECK_FALSE(next_data(fd.get(), kMiB, kMiB));
}
