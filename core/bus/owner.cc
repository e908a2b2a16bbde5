#include "core/bus/owner.h"

#include <utility>

namespace porter::bus {
namespace {

thread_local const Owner* t_owner = nullptr;

}  // namespace

std::string Owner::describe() const {
  std::string text;
  if (kind == OwnerKind::plugin) text = "plugin ";
  if (kind == OwnerKind::hook) text = "hook ";
  text += name;
  if (!version.empty()) text += " " + version;
  return text;
}

OwnerScope::OwnerScope(Owner owner) : owner_(std::move(owner)), outer_(t_owner) {
  t_owner = &owner_;
}

OwnerScope::~OwnerScope() {
  t_owner = outer_;
}

const Owner& current_owner() {
  static const Owner kProgram;
  return t_owner == nullptr ? kProgram : *t_owner;
}

}  // namespace porter::bus
