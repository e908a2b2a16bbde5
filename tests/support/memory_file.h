#pragma once
// A file that is nowhere but in memory.

#include <sys/mman.h>

#include <string_view>

#include "core/base/fd.h"

namespace porter::tests {

// With this content, open to be read and written, at its end.
inline base::UniqueFd file_of(std::string_view content) {
  base::UniqueFd file(::memfd_create("porter-test", MFD_CLOEXEC));
  base::write_all(file.get(), content);
  return file;
}

}  // namespace porter::tests
