#include "core/cli/culprits.h"

#include "tests/support/catch.h"

using namespace porter;

namespace {

event::SignalStarted started(const std::string& plugin, const std::string& host = "one") {
  return {"SIG_ACTIVATE", "web", host, plugin, "plugin " + plugin + " 1.0"};
}

event::SignalFired fired(const std::string& plugin, const std::string& host = "one") {
  return {"SIG_ACTIVATE", "web", host, plugin, 0.1};
}

}  // namespace

TEST_CASE("who has started and not ended is named", "[culprits]") {
  cli::Culprits culprits;
  CHECK(culprits.none());
  CHECK(culprits.describe().empty());
  culprits.handle(started("a"));
  culprits.handle(started("b"));
  culprits.handle(fired("porter-admin"));  // was never announced
  CHECK(
      culprits.describe() ==
      "plugin a 1.0 handled SIG_ACTIVATE of web on one and plugin b 1.0 handled SIG_ACTIVATE of web on one");
  culprits.handle(fired("a"));
  CHECK(culprits.describe() == "plugin b 1.0 handled SIG_ACTIVATE of web on one");
  culprits.handle(fired("b"));
  CHECK(culprits.none());
}

TEST_CASE("the same handler on two hosts, and one inside itself, are two", "[culprits]") {
  cli::Culprits culprits;
  culprits.handle(started("a", "one"));
  culprits.handle(started("a", "two"));
  culprits.handle(started("a", "two"));
  culprits.handle(fired("a", "two"));
  culprits.handle(fired("a", "one"));
  CHECK(culprits.describe() == "plugin a 1.0 handled SIG_ACTIVATE of web on two");
}

TEST_CASE("a module-scope signal has no host, and a fleet is not listed whole", "[culprits]") {
  cli::Culprits culprits;
  culprits.handle(started("a", ""));
  CHECK(culprits.describe() == "plugin a 1.0 handled SIG_ACTIVATE of web");
  for (int i = 0; i < 9; ++i)
    culprits.handle(started("b"));
  CHECK(culprits.describe().ends_with(" on one and 2 more"));
}
