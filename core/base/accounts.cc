#include "core/base/accounts.h"

#include <chrono>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/base/text.h"

namespace porter::base {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);
constexpr std::int64_t kLargestId = 0xFFFF'FFFE;

}  // namespace

// "name:password:id:…" in both files; nothing for other lines ("+::::::" of NIS).
std::optional<Accounts::Account> Accounts::parse(const std::string& line) {
  const std::vector<std::string> fields = split(line, ':');
  if (fields.size() < 3 || fields[0].empty()) return std::nullopt;
  const std::optional<std::int64_t> id = parse_integer(fields[2]);
  if (!id || *id < 0 || *id > kLargestId) return std::nullopt;
  return Account{fields[0], static_cast<std::uint32_t>(*id)};
}

// The first line of a name or number counts, as it does for the C library.
void Accounts::read_file() {
  if (read_) return;
  try {
    const char* file = kind_ == Kind::users ? "/etc/passwd" : "/etc/group";
    for (const std::string& line : split(base::read_file(file), '\n')) {
      const std::optional<Account> account = parse(line);
      if (!account) continue;
      ids_.try_emplace(account->name, account->id);
      names_.try_emplace(account->id, account->name);
    }
  } catch (const Error&) {
    // All of them may live elsewhere.
  }
  read_ = true;
}

std::optional<Accounts::Account> Accounts::ask(const std::string& key) const {
  Command command;
  command.arguments = {"getent", kind_ == Kind::users ? "passwd" : "group", key};
  try {
    const CommandResult result = run_command(command, Deadline::in(kPatience), {});
    return result.ok() ? parse(result.output) : std::nullopt;
  } catch (const Error& error) {
    if (error.code() != Code::missing) throw;
    return std::nullopt;
  }
}

std::optional<std::uint32_t> Accounts::id_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  read_file();
  const auto [known, is_new] = ids_.try_emplace(name);
  if (!is_new || name.starts_with('-')) return known->second;
  const std::optional<Account> found = ask(name);
  if (found && found->name == name) known->second = found->id;
  return known->second;
}

std::optional<std::string> Accounts::name_of(std::uint32_t id) {
  const std::lock_guard lock(mutex_);
  read_file();
  const auto [known, is_new] = names_.try_emplace(id);
  if (!is_new) return known->second;
  const std::optional<Account> found = ask(std::to_string(id));
  if (found && found->id == id) known->second = found->name;
  return known->second;
}

}  // namespace porter::base
