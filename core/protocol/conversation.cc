#include "core/protocol/conversation.h"

#include <fmt/format.h>

namespace porter::protocol {
namespace {

bool is_request(Type type) {
  switch (type) {
    case Type::look:
    case Type::lock:
    case Type::unlock:
    case Type::history:
    case Type::differences:
    case Type::mark:
    case Type::freeze:
    case Type::unfreeze:
    case Type::stage_begin:
    case Type::compare_begin:
    case Type::seal:
    case Type::activate:
    case Type::reseal:
    case Type::revert:
    case Type::commit:
    case Type::discard:
    case Type::install_begin:
    case Type::add_undo:
    case Type::place_files:
    case Type::run:
    case Type::stat:
    case Type::read_file:
    case Type::write_begin:
    case Type::remove:
    case Type::rename:
    case Type::make_folder:
    case Type::make_link:
      return true;
    default:
      return false;
  }
}

bool is_stage_part(Type type) {
  return type >= Type::wanted_tree && type <= Type::copies;
}

}  // namespace

std::string_view name_of(State state) {
  switch (state) {
    case State::greeting:
      return "greeting";
    case State::ready:
      return "ready";
    case State::digests:
      return "digests";
    case State::planning:
      return "planning";
    case State::announcing:
      return "announcing";
    case State::content:
      return "content";
    case State::resend:
      return "resend";
    case State::spoilt:
      return "spoilt";
    case State::writing:
      return "writing";
  }
  return "";
}

bool is_legal(State state, Type type) {
  if (type == Type::beat || type == Type::goodbye) return state != State::greeting;
  switch (state) {
    case State::greeting:
      return type == Type::welcome;
    case State::ready:
      return is_request(type);
    case State::digests:
      return type == Type::folder_digests;
    case State::planning:
      return type == Type::wanted_tree || type == Type::stage_abort;
    case State::announcing:
      return type == Type::files_to_come || type == Type::stage_abort;
    case State::content:
      return type == Type::batch || type == Type::content || type == Type::copies || type == Type::delta ||
             type == Type::stage_end || type == Type::stage_abort;
    case State::resend:
      return type == Type::batch || type == Type::content || type == Type::stage_end ||
             type == Type::stage_abort;
    case State::spoilt:
      return is_stage_part(type);
    case State::writing:
      return type == Type::write_data;
  }
  return false;
}

void check_legal(State state, std::uint8_t type) {
  if (is_legal(state, static_cast<Type>(type))) return;
  const std::string_view name = name_of(static_cast<Type>(type));
  throw base::Error(base::Code::protocol, fmt::format("message {} ({}) is not allowed in state {}", type,
                                                      name.empty() ? "unknown" : name, name_of(state)));
}

}  // namespace porter::protocol
