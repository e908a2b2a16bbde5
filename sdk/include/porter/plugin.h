#pragma once
// How a plugin presents itself. In one source file of the shared object:
//
//   class Crontab : public porter::Plugin { … };
//   PORTER_PLUGIN(Crontab, "acme.crontab", "1.0", "keeps the crontab in step")
//   PORTER_OPTION("file", text, "", "the file in the module's crontab folder")
//   PORTER_ARGUMENT("update-crontab", flag, "install the crontab on this deploy")
//
// and, for a module's hook, deployment.cpp:
//
//   PORTER_DEPLOYMENT { module.push_signal_handler(porter::SIG_SOURCE_POST_SEND, &post_send); }

#include <cstdint>
#include <exception>
#include <string_view>

#include <porter/abi.h>
#include <porter/module.h>
#include <porter/services.h>

namespace porter {

// The table of virtual functions is frozen.
class Plugin {
 public:
  virtual ~Plugin() = default;
  // Called once per module that names the plugin and host, before any signal. [serial per plugin]
  virtual void register_signal_handlers(Module& module) = 0;
  // A later ability by its versioned id, or null.
  virtual void* extension(std::string_view) { return nullptr; }
};

// The types an option may have; the values in the ini are checked before any plugin is loaded.
enum class OptionType { text, boolean, integer, list, path, url, secret, duration };
// A flag is set or not; an argument of type text takes a value.
enum class ArgumentType { flag, text };

// For PORTER_ENTRY: why a plugin's constructor failed, as text that crosses the doorway.
inline void write_reason(const char* text, char* reason, std::uint32_t room) noexcept {
  if (room == 0) return;
  std::uint32_t at = 0;
  for (; text != nullptr && text[at] != '\0' && at + 1 < room; ++at)
    reason[at] = text[at];
  reason[at] = '\0';
}

}  // namespace porter

// Text for the section that is read before loading. `retain` keeps the linker's garbage collection away.
#define PORTER_JOIN_(a, b) a##b
#define PORTER_JOIN(a, b) PORTER_JOIN_(a, b)
#define PORTER_NOTE(text)                                                                 \
  __attribute__((section(".porter.plugin"), used, retain)) static const char PORTER_JOIN( \
      porter_note_, __COUNTER__)[] = text;

#define PORTER_ENTRY(kind, Class, name, version, summary)                                        \
  PORTER_NOTE("kind=" kind)                                                                      \
  PORTER_NOTE("name=" name)                                                                      \
  PORTER_NOTE("version=" version)                                                                \
  PORTER_NOTE("summary=" summary)                                                                \
  PORTER_NOTE("sdk=" PORTER_SDK_VERSION)                                                         \
  PORTER_NOTE("fingerprint=" PORTER_FINGERPRINT)                                                 \
  namespace {                                                                                    \
  void* porter_create_plugin(char* reason, std::uint32_t room) noexcept {                        \
    try {                                                                                        \
      return static_cast<::porter::Plugin*>(new Class());                                        \
    } catch (const std::exception& error) {                                                      \
      ::porter::write_reason(error.what(), reason, room);                                        \
    } catch (...) {                                                                              \
      ::porter::write_reason("threw something that is no std::exception", reason, room);         \
    }                                                                                            \
    return nullptr;                                                                              \
  }                                                                                              \
  void porter_destroy_plugin(void* plugin) noexcept {                                            \
    delete static_cast<::porter::Plugin*>(plugin);                                               \
  }                                                                                              \
  }                                                                                              \
  extern "C" PORTER_EXPORT const porter_plugin_entry_v1 porter_plugin_entry;                     \
  extern "C" const porter_plugin_entry_v1 porter_plugin_entry = {sizeof(porter_plugin_entry_v1), \
                                                                 PORTER_SDK_ABI,                 \
                                                                 PORTER_FINGERPRINT,             \
                                                                 kind,                           \
                                                                 name,                           \
                                                                 version,                        \
                                                                 summary,                        \
                                                                 &porter_create_plugin,          \
                                                                 &porter_destroy_plugin};

// PORTER_PLUGIN(Class, "dotted.name", "version", "one line on what it does"): once per shared object.
#define PORTER_PLUGIN(Class, name, version, summary) PORTER_ENTRY("plugin", Class, name, version, summary)

// PORTER_OPTION("name", type, "default", "help"): an option of [plugin:NAME]; type is a porter::OptionType.
// Fields are separated by the unit separator, which no help text holds.
#define PORTER_OPTION(option, type, default_text, help)                                            \
  static_assert(::porter::OptionType::type == ::porter::OptionType::type, "a porter::OptionType"); \
  PORTER_NOTE("option=" option "\x1f" #type "\x1f" default_text "\x1f" help)

// PORTER_ARGUMENT("flag-name", type, "help"): an argument of `porter-admin deploy`; type is a
// porter::ArgumentType.
#define PORTER_ARGUMENT(argument, type, help)                                                            \
  static_assert(::porter::ArgumentType::type == ::porter::ArgumentType::type, "a porter::ArgumentType"); \
  PORTER_NOTE("argument=" argument "\x1f" #type "\x1f" help)

// PORTER_NEEDS("porter.Target/1"): refused by a host program that lacks this service, before loading.
#define PORTER_NEEDS(service_id) PORTER_NOTE("needs=" service_id)

// PORTER_DEPLOYMENT { … }: the hook of one module; the body is register_signal_handlers(porter::Module&
// module).
#define PORTER_DEPLOYMENT                                                               \
  namespace {                                                                           \
  class PorterDeployment : public ::porter::Plugin {                                    \
   public:                                                                              \
    void register_signal_handlers(::porter::Module& module) override;                   \
  };                                                                                    \
  }                                                                                     \
  PORTER_ENTRY("deployment", PorterDeployment, "deployment", "0", "hook of one module") \
  void PorterDeployment::register_signal_handlers([[maybe_unused]] ::porter::Module& module)
