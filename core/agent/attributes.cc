#include "core/agent/attributes.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/base/error.h"
#include "core/sync/extra_reader.h"

namespace porter::agent {
namespace {

using base::Error;
using sync::Attribute;

bool contains(const std::vector<Attribute>& all, const Attribute& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool has_name(const std::vector<Attribute>& all, const std::string& name) {
  return std::any_of(all.begin(), all.end(), [&](const Attribute& one) { return one.name == name; });
}

void open_to_owner(int fd, const std::string& subject) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 ||
      ((info.st_mode & 0600U) != 0600U && ::fchmod(fd, (info.st_mode & 07777U) | 0600U) != 0))
    throw base::system_error(subject, errno);
}

void change(int fd, const std::vector<Attribute>& now, const std::vector<Attribute>& wanted,
            const std::string& subject) {
  for (const Attribute& attribute : now) {
    if (!has_name(wanted, attribute.name)) base::remove_attribute({fd}, attribute.name, subject);
  }
  // "user." first: an access control list may take the right to write them from the owner.
  for (auto attribute = wanted.rbegin(); attribute != wanted.rend(); ++attribute) {
    if (!contains(now, *attribute)) base::write_attribute({fd}, attribute->name, attribute->value, subject);
  }
}

}  // namespace

std::optional<bool> has_attributes(const base::AttributesAt& at, const sync::PackedExtra& extra) {
  try {
    return sync::read_attributes(at, "") == extra.unpack().attributes;
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool set_attributes(int fd, const sync::PackedExtra& extra, const std::string& subject) {
  if (has_attributes({fd}, extra).value_or(false)) return false;
  open_to_owner(fd, subject);
  try {
    change(fd, sync::read_attributes({fd}, subject), extra.unpack().attributes, subject);
  } catch (const Error& error) {
    throw Error(error).hint(
        "[module] become = root may set it, where the file system takes such attributes; "
        "[module] xattrs = no leaves all of them out");
  }
  return true;
}

}  // namespace porter::agent
