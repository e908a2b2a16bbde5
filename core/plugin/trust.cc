#include "core/plugin/trust.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::plugin {
namespace {

namespace fs = std::filesystem;

base::Error refusal(const fs::path& file, const std::string& reason) {
  return base::Error(base::Code::plugin_refused, reason).at(file.string());
}

std::string user_name(uid_t user) {
  const passwd* entry = ::getpwuid(user);
  return entry == nullptr ? fmt::format("user {}", user) : entry->pw_name;
}

// A group that is its owner's alone, as Debian makes them: the same name, the owner's own group, no other
// member.
bool is_private_group(uid_t owner, gid_t group) {
  const passwd* user = ::getpwuid(owner);
  if (user == nullptr || user->pw_gid != group) return false;
  const std::string name = user->pw_name;
  const ::group* entry = ::getgrgid(group);
  if (entry == nullptr || name != entry->gr_name) return false;
  for (char** member = entry->gr_mem; *member != nullptr; ++member) {
    if (name != *member) return false;
  }
  return true;
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto end = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end.first == folder.end() || end.first->empty();
}

bool is_listed(const fs::path& path, const TrustRules& rules) {
  return std::any_of(rules.trusted.begin(), rules.trusted.end(), [&](const fs::path& each) {
    std::error_code missing;
    const fs::path canonical = fs::canonical(each, missing);
    return !missing && is_below(path, canonical);
  });
}

std::string repair(const fs::path& path, const struct stat& status, const TrustRules& rules) {
  const std::string quoted = base::quote_shell(path.string());
  if (status.st_uid != 0 && status.st_uid != rules.self)
    return fmt::format("sudo chown {} {}   (look at what is in it first)", user_name(rules.self), quoted);
  return (status.st_mode & S_IWOTH) != 0 ? "chmod o-w " + quoted : "chmod g-w " + quoted;
}

void check_one(const fs::path& path, const fs::path& file, const TrustRules& rules) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) throw base::system_error(path.string(), errno);
  const std::string fault = fault_of(path, status, rules);
  if (fault.empty()) return;
  const std::string subject = path == file ? "the file " : "the folder " + path.string() + " above it ";
  throw refusal(file, "it is not opened: " + subject + fault).hint(repair(path, status, rules));
}

void check_folders(const fs::path& folder, const fs::path& file, const TrustRules& rules) {
  for (fs::path each = folder;; each = each.parent_path()) {
    check_one(each, file, rules);
    if (each == each.parent_path()) return;
  }
}

}  // namespace

std::string fault_of(const fs::path& path, const struct stat& status, const TrustRules& rules) {
  if (status.st_uid != 0 && status.st_uid != rules.self) {
    return fmt::format("belongs to {}; only root's files and those of {} are trusted",
                       user_name(status.st_uid), user_name(rules.self));
  }
  const bool others_cannot_rename = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if (others_cannot_rename) return "";
  const unsigned mode = status.st_mode & 07777U;
  if ((mode & S_IWOTH) != 0) return fmt::format("is world-writable (mode {:04o})", mode);
  if ((mode & S_IWGRP) == 0 || is_private_group(status.st_uid, status.st_gid) || is_listed(path, rules))
    return "";
  const ::group* group = ::getgrgid(status.st_gid);
  return fmt::format("is writable by the group {} (mode {:04o}), and is not listed in [plugins] trust",
                     group == nullptr ? std::to_string(status.st_gid) : group->gr_name, mode);
}

fs::path check_trusted(const fs::path& file, const TrustRules& rules) {
  if (!file.is_absolute()) throw refusal(file, "its path is not absolute");
  std::error_code failed;
  const fs::path canonical = fs::canonical(file, failed);
  if (failed) throw refusal(file, "it cannot be opened: " + failed.message());
  if (!fs::is_regular_file(canonical, failed)) throw refusal(file, "it is no regular file");
  check_one(canonical, canonical, rules);
  check_folders(canonical.parent_path(), canonical, rules);
  // A link is as trustworthy as the folder it stands in.
  const fs::path as_named = fs::canonical(file.parent_path(), failed);
  if (failed) throw refusal(file, "it cannot be opened: " + failed.message());
  if (as_named != canonical.parent_path()) check_folders(as_named, file, rules);
  return canonical;
}

}  // namespace porter::plugin
