#pragma once
// The users or the groups of this machine. They are read from /etc/passwd or /etc/group, and asked of
// getent(1) where that file lacks one (LDAP, SSSD): a static program cannot load what the C library would.
// Answers are remembered. Any thread.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace porter::base {

class Accounts {
 public:
  enum class Kind : std::uint8_t { users, groups };
  explicit Accounts(Kind kind) : kind_(kind) {}

  // Nothing when there is none. Throws Error(io), and Error(timeout) for a directory service that does not
  // answer.
  std::optional<std::uint32_t> id_of(const std::string& name);
  std::optional<std::string> name_of(std::uint32_t id);

 private:
  struct Account {
    std::string name;
    std::uint32_t id = 0;
  };
  static std::optional<Account> parse(const std::string& line);
  void read_file();
  std::optional<Account> ask(const std::string& key) const;

  const Kind kind_;
  std::mutex mutex_;
  bool read_ = false;
  std::map<std::string, std::optional<std::uint32_t>> ids_;
  std::map<std::uint32_t, std::optional<std::string>> names_;
};

}  // namespace porter::base
