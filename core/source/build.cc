#include "core/source/build.h"

#include "core/base/error.h"

namespace porter::source {

void run_build(const Checkout&, const BuildRequest&, const base::CancelToken& cancel) {
  cancel.check();
  throw base::Error(base::Code::unsupported, "builds are not there yet");
}

}  // namespace porter::source
