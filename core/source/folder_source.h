#pragma once
// A module's files from a plain folder, taken where they are. See source.h for the contract.

#include <filesystem>

#include "core/source/source.h"

namespace porter::source {

class FolderSource : public Source {
 public:
  // `folder` is absolute. Throws Error(bad_value) for a branch, tag or commit.
  FolderSource(SourceRequest request, std::filesystem::path folder);

  std::string pin(const base::CancelToken& cancel) override;
  Checkout checkout(const base::CancelToken& cancel) override;

 private:
  SourceRequest request_;
  std::filesystem::path folder_;
};

// The module's src/ folder, or else its repo/ folder. Throws Error(missing).
std::filesystem::path default_folder(const SourceRequest& request);

}  // namespace porter::source
