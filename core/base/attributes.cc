#include "core/base/attributes.h"

#include <fmt/format.h>
#include <limits.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::base {
namespace {

bool is_open(const AttributesAt& at) {
  return *at.name == '\0';
}

// The name that the kernel gives a descriptor leads to exactly that folder.
std::string path_of(const AttributesAt& at) {
  return fmt::format("/proc/self/fd/{}/{}", at.fd, at.name);
}

ssize_t list_into(const AttributesAt& at, char* buffer, std::size_t size) {
  return is_open(at) ? ::flistxattr(at.fd, buffer, size) : ::llistxattr(path_of(at).c_str(), buffer, size);
}

[[noreturn]] void fail(const std::string& subject, const std::string& attribute) {
  const int reason = errno;  // what formats the message may set another
  throw system_error(fmt::format("{}: attribute {}", subject, printable(attribute)), reason);
}

}  // namespace

std::vector<std::string> list_attributes(const AttributesAt& at, const std::string& subject) {
  std::array<char, XATTR_LIST_MAX> buffer{};
  const ssize_t length = list_into(at, buffer.data(), buffer.size());
  if (length < 0 && errno == ENOTSUP) return {};
  if (length < 0) throw_errno(subject);
  std::vector<std::string> names;
  for (std::string_view rest(buffer.data(), static_cast<std::size_t>(length)); !rest.empty();) {
    names.emplace_back(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(rest.size(), names.back().size() + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> read_attribute(const AttributesAt& at, const std::string& attribute,
                                          const std::string& subject) {
  std::string value(XATTR_SIZE_MAX, '\0');
  const ssize_t length =
      is_open(at) ? ::fgetxattr(at.fd, attribute.c_str(), value.data(), value.size())
                  : ::lgetxattr(path_of(at).c_str(), attribute.c_str(), value.data(), value.size());
  if (length < 0 && (errno == ENODATA || errno == ENOTSUP)) return std::nullopt;
  if (length < 0) fail(subject, attribute);
  value.resize(static_cast<std::size_t>(length));
  value.shrink_to_fit();
  return value;
}

void write_attribute(const AttributesAt& at, const std::string& attribute, const std::string& value,
                     const std::string& subject) {
  const int done = is_open(at)
                       ? ::fsetxattr(at.fd, attribute.c_str(), value.data(), value.size(), 0)
                       : ::lsetxattr(path_of(at).c_str(), attribute.c_str(), value.data(), value.size(), 0);
  if (done != 0) fail(subject, attribute);
}

void remove_attribute(const AttributesAt& at, const std::string& attribute, const std::string& subject) {
  const int done = is_open(at) ? ::fremovexattr(at.fd, attribute.c_str())
                               : ::lremovexattr(path_of(at).c_str(), attribute.c_str());
  if (done != 0 && errno != ENODATA && errno != ENOTSUP) fail(subject, attribute);
}

}  // namespace porter::base
