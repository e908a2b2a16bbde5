#include "core/source/none_source.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::source {

NoneSource::NoneSource(const SourceRequest& request) : version_(request.ref) {
  if (request.kind == RefKind::version) return;
  throw base::Error(base::Code::bad_value, fmt::format("module {}: none:// takes a version and nothing else",
                                                       base::printable(request.module_name)))
      .hint("write it into the module's ini: [release:stable] version = 1.0");
}

std::string NoneSource::pin(const base::CancelToken& cancel) {
  cancel.check();
  return "";
}

Checkout NoneSource::checkout(const base::CancelToken& cancel) {
  cancel.check();
  Checkout out;
  out.version = version_;
  return out;
}

}  // namespace porter::source
