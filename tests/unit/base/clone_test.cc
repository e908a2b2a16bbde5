#include "core/base/clone.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "core/base/fd.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file.h"

using namespace porter::base;
using porter::tests::file_of;

namespace {

std::string content_of(const UniqueFd& file) {
  REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
  return read_to_end(file.get(), 1U << 20U);
}

}  // namespace

TEST_CASE("a range is copied to where it belongs, and nothing around it is touched", "[clone]") {
  const UniqueFd from = file_of("0123456789");
  const UniqueFd to = file_of("abcdefghij");
  CHECK(copy_range(from.get(), 2, to.get(), 5, 3));
  CHECK(content_of(to) == "abcde234ij");
  CHECK(copy_range(from.get(), 9, to.get(), 12, 1));
  CHECK(content_of(to) == std::string("abcde234ij\0\0", 12) + "9");
  CHECK(copy_range(from.get(), 0, to.get(), 0, 0));
  CHECK_FALSE(copy_range(from.get(), 8, to.get(), 0, 3));
  CHECK_FALSE(copy_range(from.get(), 100, to.get(), 0, 1));
}

TEST_CASE("between file systems a range is copied by hand", "[clone]") {
  // /proc tells of no size and lets nothing be copied within the kernel.
  const UniqueFd from(::open("/proc/version", O_RDONLY | O_CLOEXEC));
  const UniqueFd to = file_of("");
  REQUIRE(from);
  CHECK(copy_range(from.get(), 0, to.get(), 0, 5));
  CHECK(content_of(to) == "Linux");
}
