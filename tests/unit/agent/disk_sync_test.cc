#include "core/agent/disk_sync.h"

#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::agent;

TEST_CASE("what waits to be written is read from what the kernel says") {
  CHECK(unwritten_bytes("MemFree:        100 kB\nDirty:             13284 kB\nWriteback:          16 kB\n"
                        "WritebackTmp:      7 kB\n") == 13300 * 1024);
  CHECK(unwritten_bytes("") == 0);
  CHECK(unwritten_bytes("Dirty: kB\nWriteback:\n") == 0);
  CHECK(base::read_file("/proc/meminfo", 64U << 10U).find("\nDirty:") != std::string::npos);
}

TEST_CASE("a few paths are synced one by one, and very many never") {
  CHECK(is_sooner_singly(0));
  CHECK(is_sooner_singly(64));
  CHECK_FALSE(is_sooner_singly(kSyncSingly + 1));
}

TEST_CASE("paths are synced one by one as long as they may be opened") {
  const base::TemporaryFolder folder;
  base::write_file(folder.path() / "file", "x", 0600);
  const Beneath tree = Beneath::open(folder.path().string());
  CHECK(sync_singly(tree, {"file", ""}));
  CHECK(tests::code_of([&] { sync_singly(tree, {"file", "absent"}); }) == base::Code::io);
}
