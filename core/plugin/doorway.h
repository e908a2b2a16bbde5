#pragma once
// What a plugin and this program must agree on before its code may run.

#include <string>
#include <vector>

#include "core/plugin/note.h"

namespace porter::plugin {

// What the caller expects of the file.
struct Expectation {
  std::string kind = "plugin";             // "plugin" or "deployment"
  std::string name = "";                   // the name it was asked for by; empty: any
  std::vector<std::string> services = {};  // ids this program offers, held against PORTER_NEEDS
};

// The ids of every service in sdk/include/porter/services.h.
std::vector<std::string> sdk_services();

// Throws base::Error(plugin_refused) with the path as location: another fingerprint (a table of field, plugin
// and porter-admin), wrong kind, another name than asked for, a needed service that is not offered.
void check_note(const PluginNote& note, const Expectation& expectation);

// Two plugins that declare the same command line argument, named with both files. Throws
// base::Error(plugin_refused).
void check_arguments(const std::vector<PluginNote>& notes);

}  // namespace porter::plugin
