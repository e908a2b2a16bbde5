#pragma once
// Whose code a handler is. The bus remembers the owner of every handler; while a plugin's code runs on a
// thread, current_owner() says whose it is, so that what it pushes is pushed in its name.

#include <string>

namespace porter::bus {

enum class OwnerKind {
  program,  // porter-admin's own defaults: may run on several hosts at the same time
  plugin,   // runs one handler at a time over all hosts
  hook,     // a module's deployment.so: as a plugin
};

struct Owner {
  OwnerKind kind = OwnerKind::program;
  std::string name =
      "porter-admin";   // dotted plugin name; for a hook "<module>/deployment.so": unique in a run
  std::string version;  // may be empty

  // "porter-admin", "plugin acme.audit 1.0", "hook root/deployment.so".
  std::string describe() const;
  friend bool operator==(const Owner&, const Owner&) = default;
};

// Names the owner of the code that this thread runs until the end of the scope. Scopes nest.
class OwnerScope {
 public:
  explicit OwnerScope(Owner owner);
  ~OwnerScope();
  OwnerScope(const OwnerScope&) = delete;
  OwnerScope& operator=(const OwnerScope&) = delete;

 private:
  Owner owner_;
  const Owner* outer_;
};

// The innermost scope's owner on this thread; porter-admin when there is none.
const Owner& current_owner();

}  // namespace porter::bus
