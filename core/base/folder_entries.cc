#include "core/base/folder_entries.h"

#include <dirent.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace porter::base {
namespace {

constexpr std::size_t kBufferBytes = 32U << 10U;  // glibc's own for a stream

bool is_dot(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

}  // namespace

bool for_each_entry(int fd, const VisitEntry& visit) {
  thread_local std::vector<char> buffer(kBufferBytes);
  if (::lseek(fd, 0, SEEK_SET) != 0) return false;
  for (;;) {
    const ssize_t length = ::getdents64(fd, buffer.data(), buffer.size());
    if (length <= 0) return length == 0;
    for (ssize_t at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      if (!is_dot(entry->d_name)) visit(entry->d_name, entry->d_type);
    }
  }
}

}  // namespace porter::base
