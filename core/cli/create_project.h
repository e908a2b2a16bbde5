#pragma once
// `porter-admin create-project NAME`: a small project that deploys at once to this machine.

#include <filesystem>
#include <string>

#include "core/base/world.h"

namespace porter::cli {

// Makes the folder and its files and tells what to type next. Throws Error(usage) when NAME is no good folder
// name, Error(refused) when it exists already; nothing of an existing folder is touched.
void create_project(const std::string& name, const base::World& world);

}  // namespace porter::cli
