#pragma once
// What a compiler said, as an error that points at the user's line. Used by hook_compiler.cc alone.

#include <filesystem>
#include <string>

#include "core/base/error.h"

namespace porter::plugin {

// `output` is what g++ or clang++ wrote, in English and without colours. The error is plugin_refused, placed
// at the first error's file and line (at the source alone when it was the linker that failed).
base::Error compile_error(const std::filesystem::path& source, const std::string& output,
                          const std::string& ending);

}  // namespace porter::plugin
