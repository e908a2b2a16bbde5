#include "core/base/clock.h"

#include <stdlib.h>
#include <time.h>

#include "tests/support/catch.h"

using namespace porter::base;
using namespace std::chrono_literals;

namespace {

// 2026-11-21 07:05:09 UTC
WallTime moment(std::chrono::microseconds past = 0us) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(1795244709s + past));
}

// The process's time zone while it lives.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* was = ::getenv("TZ")) before_ = was;
    set(name);
  }
  ~Zone() { set(before_.c_str()); }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  static void set(const char* name) {
    *name != '\0' ? ::setenv("TZ", name, 1) : ::unsetenv("TZ");
    ::tzset();
  }
  std::string before_;
};

}  // namespace

TEST_CASE("moments are written in UTC with all their digits", "[clock]") {
  const Zone zone("Etc/GMT-5");
  CHECK(format_iso(moment(123456us)) == "2026-11-21T07:05:09.123456Z");
  CHECK(format_iso(moment(7us)) == "2026-11-21T07:05:09.000007Z");
  CHECK(format_compact(moment(999999us)) == "20261121T070509Z");
}

TEST_CASE("local moments have no zone", "[clock]") {
  const Zone zone("XXX-5");  // five hours east of Greenwich, without a zone database
  CHECK(format_local(moment(42us)) == "2026-11-21T12:05:09.000042");
}

TEST_CASE("moments before 1970 are moments, too", "[clock]") {
  CHECK(format_iso(WallTime(std::chrono::duration_cast<WallTime::duration>(-1us))) ==
        "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a deadline passes when its time has come", "[clock]") {
  CHECK(Deadline::in(0ms).passed());
  CHECK(Deadline::in(-5ms).poll_timeout() == 0);
  CHECK_FALSE(Deadline::in(1h).passed());
  CHECK_FALSE(Deadline::never().passed());
  CHECK(Deadline::never().poll_timeout() == -1);
  CHECK(Deadline::never().is_never());
}

TEST_CASE("the time to wait is rounded up and never overflows", "[clock]") {
  const int left = Deadline::in(10s).poll_timeout();
  CHECK(left > 9'000);
  CHECK(left <= 10'000);
  CHECK(Deadline::in(std::chrono::hours(24 * 365)).poll_timeout() == 2147483647);
}

TEST_CASE("times beyond what nanoseconds can say are the nearest that they can") {
  CHECK(nanoseconds({0, 1}) == 1);
  CHECK(nanoseconds({-1, 999'999'999}) == -1);
  CHECK(nanoseconds({9'223'372'036, 854'775'807}) == INT64_MAX);
  CHECK(nanoseconds({9'223'372'036, 854'775'808}) == INT64_MAX);
  CHECK(nanoseconds({14'000'000'000, 0}) == INT64_MAX);
  CHECK(nanoseconds({-9'223'372'036, 0}) == -9'223'372'036'000'000'000);
  CHECK(nanoseconds({-14'000'000'000, 0}) == INT64_MIN);
}
