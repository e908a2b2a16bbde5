#pragma once
// No files, only a version: for modules whose handlers install something of that version. See source.h.

#include "core/source/source.h"

namespace porter::source {

class NoneSource : public Source {
 public:
  // Throws Error(bad_value) when the ref is anything but a version.
  explicit NoneSource(const SourceRequest& request);

  std::string pin(const base::CancelToken& cancel) override;
  Checkout checkout(const base::CancelToken& cancel) override;

 private:
  std::string version_;
};

}  // namespace porter::source
