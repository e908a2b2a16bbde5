#include "core/source/source.h"

#include "core/base/error.h"

namespace porter::source {

std::unique_ptr<Source> make_source(const SourceRequest& request) {
  throw base::Error(base::Code::unsupported, request.module_name + ": sources are not there yet");
}

Checkout make_private(const Checkout& checkout, const std::filesystem::path& target,
                      const base::CancelToken& cancel) {
  cancel.check();
  Checkout copy = checkout;
  copy.tree = target;
  throw base::Error(base::Code::unsupported, "private copies are not there yet");
}

}  // namespace porter::source
