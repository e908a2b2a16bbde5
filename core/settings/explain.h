#pragma once
// `porter-admin explain KEY` and the reference in docs/configuration.md: both say what the schema says.

#include <string>

#include "core/settings/project.h"

namespace porter::settings {

// What a key or a section means, and inside a project (else null) which value holds and which line says so.
// `key`: "keep_releases", "module.keep_releases", "module", "plugin:NAME", "plugin:NAME.option". Throws
// base::Error(unknown_key) with a suggestion.
std::string explain_key(const Project* project, const std::string& key);

// The tables of docs/configuration.md, made from the schema.
std::string reference_markdown();

}  // namespace porter::settings
