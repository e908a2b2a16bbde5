// The file of `plan --out`: only a plan as it was written is one.

#include "core/base/files.h"
#include "core/engine/plan_file.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const base::TemporaryFolder folder;
  engine::Request request;
  request.directory = folder.path();
  request.plan_file = "plan.json";
  base::write_file(folder.path() / "plan.json", fuzz::bytes_of(data, size));
  fuzz::accepts({base::Code::bad_value}, [&] { engine::read_plan(request); });
  return 0;
}
