#include "core/agent/space.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <memory>

#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kMargin = 1U << 20U;  // for the seal, the journal, the history, and folders
constexpr std::uint64_t kSpareInodes = 16;    // for the same
constexpr std::size_t kMountinfoLimit = 16U << 20U;

// What statfs(2) says of the kinds that we can count on; others may compress, share or be somewhere else.
constexpr std::array<long, 2> kNeverShare = {0xEF53 /* ext2, ext3, ext4 */, 0x01021994 /* tmpfs */};
constexpr std::array<long, 3> kNeverCompress = {0xEF53, 0x01021994, 0x58465342 /* XFS */};

template <std::size_t N>
bool among(const std::array<long, N>& kinds, long kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

// "/mnt\040point": blanks and the like are octal there.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
      out += static_cast<char>(code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string mount_point_at(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "";
  try {
    std::string point =
        mount_point_of(base::read_file("/proc/self/mountinfo", kMountinfoLimit), real_path(path),
                       fmt::format("{}:{}", major(info.st_dev), minor(info.st_dev)));
    return point.empty() ? "/" : point;  // in a chroot the root itself may not be listed
  } catch (const Error&) {
    return "";  // no /proc: the message does without
  }
}

std::uint64_t whole_blocks(std::uint64_t size) {
  return (size + kBlock - 1) / kBlock * kBlock;
}

std::string inodes_text(std::uint64_t count) {
  return count == Space::kNoLimit ? "any number of" : fmt::format("{}", count);
}

}  // namespace

Space space_at(std::string path) {
  Space space;
  struct statvfs info {};
  while (::statvfs(path.c_str(), &info) != 0) {
    if (path == "/" || (errno != ENOENT && errno != EACCES)) return space;
    path = parent_of(path);
  }
  // Root may use what is held back for it.
  const auto blocks = static_cast<std::uint64_t>(::geteuid() == 0 ? info.f_bfree : info.f_bavail);
  space.free_bytes = blocks * info.f_frsize;
  space.free_inodes = info.f_files == 0 ? Space::kNoLimit : info.f_favail;
  struct statfs kind {};
  if (::statfs(path.c_str(), &kind) == 0) {
    space.sizes_tell = among(kNeverCompress, kind.f_type);
    space.copies_cost = among(kNeverShare, kind.f_type);
  }
  space.mount_point = mount_point_at(path);
  return space;
}

std::string mount_point_of(std::string_view mountinfo, std::string_view path, std::string_view device) {
  std::string best;
  bool best_fits = false;
  for (const std::string& line : base::split(mountinfo, '\n')) {
    // 36 35 98:0 /root /mount\040point rw,noatime …
    const std::vector<std::string> fields = base::split(line, ' ');
    if (fields.size() < 5) continue;
    std::string point = unescaped(fields[4]);
    const bool fits = fields[2] == device;
    if (!sync::is_at_or_below(path, point == "/" ? "" : point) || (best_fits && !fits)) continue;
    if (fits == best_fits && point.size() < best.size()) continue;
    best = std::move(point);
    best_fits = fits;
  }
  return best;
}

Need need_of(const sync::Tree& wanted, const std::vector<Coming>& files, Layout layout, Take take,
             const Space& space) {
  Need need;
  std::size_t number = 0;
  for (const sync::Folder& folder : wanted.folders) {
    for (const sync::Entry& entry : folder.entries) {
      if (entry.kind == sync::Kind::hard_link) continue;
      const bool file = entry.kind == sync::Kind::file;
      const Coming coming = file ? files.at(number++) : Coming::sent;
      if (coming == Coming::there) continue;
      const bool comes = file && coming == Coming::sent;
      // Of an inplace tree only what changes is staged.
      if (!comes && layout == Layout::inplace) continue;
      if (!comes && file && take == Take::hard) continue;
      ++need.inodes;
      if (file && space.sizes_tell && (comes || space.copies_cost)) need.bytes += whole_blocks(entry.size);
    }
  }
  return need;
}

bool fits(const Need& need, const Space& space) {
  const bool bytes = !space.sizes_tell || need.bytes + kMargin <= space.free_bytes;
  const bool inodes = space.free_inodes == Space::kNoLimit || need.inodes + kSpareInodes <= space.free_inodes;
  return bytes && inodes;
}

void check_room(const Need& need, const Space& space, const std::string& site) {
  if (fits(need, space)) return;
  throw Error(Code::no_space,
              fmt::format("{}: the new release does not fit: it needs {} and {} inodes, free are {} and {}",
                          site, base::format_bytes(need.bytes + kMargin), need.inodes + kSpareInodes,
                          base::format_bytes(space.free_bytes), inodes_text(space.free_inodes)));
}

std::string space_hint(const Space& space, const std::string& releases) {
  // What failed may have given something back by now.
  const bool inodes = space.free_inodes < kSpareInodes;
  std::string text = fmt::format(
      "the file system{} has no {} left for this: {} and {} inodes are free; remove what is not needed there",
      space.mount_point.empty() ? "" : " at " + space.mount_point,
      inodes ? "inodes (each file takes one)" : "space, or you no quota,",
      base::format_bytes(space.free_bytes), inodes_text(space.free_inodes));
  if (!releases.empty())
    text += fmt::format(
        ", such as old releases: those in {} that `current` does not lead to ([module] "
        "keep_releases says how many stay)",
        releases);
  return text;
}

Error with_space_hint(Error error, const std::string& place) {
  if (error.code() != Code::no_space || place.empty()) return error;
  const std::string releases = place + "/releases";
  struct stat info {};
  const bool site = ::stat(releases.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  return std::move(error).hint(space_hint(space_at(place), site ? releases : ""));
}

}  // namespace porter::agent
