// make_private() of source.h.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "core/base/attributes.h"
#include "core/base/clone.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/source/source.h"
#include "core/sync/extra_reader.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

[[noreturn]] void fail(const std::filesystem::path& path) {
  base::throw_errno(base::printable(path.string()));
}

struct stat look(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) fail(path);
  return status;
}

void keep_times(const std::filesystem::path& path, const struct stat& like) {
  const std::array<timespec, 2> times = {like.st_atim, like.st_mtim};
  if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) fail(path);
}

base::UniqueFd open_folder(const std::filesystem::path& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) fail(path);
  return fd;
}

// What is ours already need not be given to us; the group may be another.
void keep_owner(const std::filesystem::path& path, const struct stat& like) {
  const struct stat now = look(path);
  if (now.st_uid == like.st_uid && now.st_gid == like.st_gid) return;
  if (::lchown(path.c_str(), like.st_uid, like.st_gid) == 0) return;
  throw base::system_error(base::printable(path.string()), errno)
      .hint(
          "with [module] owners a copy to build in takes root: run porter-admin as root, or build elsewhere");
}

// Before the mode, which may forbid it. An access control list is none without its mode.
void keep_attributes(const std::filesystem::path& from, int in, int out) {
  for (const sync::Attribute& attribute : sync::read_attributes({in}, from.string()))
    base::write_attribute({out}, attribute.name, attribute.value, from.string());
}

void copy_file(const std::filesystem::path& from, const std::filesystem::path& to, const struct stat& status,
               Kept kept, const base::CancelToken& cancel) {
  const base::UniqueFd in(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!in) fail(from);
  const base::UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) fail(to);
  base::while_doing("copying " + from.string(), [&] { base::clone_content(in.get(), out.get(), &cancel); });
  if (kept.owners) keep_owner(to, status);
  if (kept.attributes) keep_attributes(from, in.get(), out.get());
  if (::fchmod(out.get(), status.st_mode & 07777) != 0) fail(to);
  keep_times(to, status);
}

void copy_entry(const std::filesystem::path& from, const std::filesystem::path& to, Kept kept,
                const base::CancelToken& cancel);

// The mode comes last: a folder without write permission could not be filled otherwise.
void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                 const struct stat& status, Kept kept, const base::CancelToken& cancel) {
  if (::mkdir(to.c_str(), 0700) != 0) fail(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    copy_entry(entry.path(), to / entry.path().filename(), kept, cancel);
  }
  if (kept.owners) keep_owner(to, status);
  if (kept.attributes) keep_attributes(from, open_folder(from).get(), open_folder(to).get());
  if (::chmod(to.c_str(), status.st_mode & 07777) != 0) fail(to);
  keep_times(to, status);
}

void copy_entry(const std::filesystem::path& from, const std::filesystem::path& to, Kept kept,
                const base::CancelToken& cancel) {
  cancel.check();
  const struct stat status = look(from);
  if (S_ISDIR(status.st_mode)) return copy_folder(from, to, status, kept, cancel);
  if (S_ISREG(status.st_mode)) return copy_file(from, to, status, kept, cancel);
  if (!S_ISLNK(status.st_mode)) return;  // whoever walks the checkout refuses it, if it is not to be left out
  std::filesystem::copy_symlink(from, to);
  if (kept.owners) keep_owner(to, status);
  keep_times(to, status);
}

// A target inside the tree would be copied into itself without end; a tree inside the target would be
// removed.
void check_apart(const std::filesystem::path& tree, const std::filesystem::path& target) {
  const std::filesystem::path a = std::filesystem::weakly_canonical(tree);
  const std::filesystem::path b = std::filesystem::weakly_canonical(target);
  const auto [end_a, end_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (end_a != a.end() && end_b != b.end()) return;
  throw Error(Code::internal, fmt::format("{} and {}: one folder lies within the other",
                                          base::printable(tree.string()), base::printable(target.string())));
}

}  // namespace

Checkout make_private(const Checkout& checkout, const std::filesystem::path& target,
                      const base::CancelToken& cancel, Kept kept) {
  const std::filesystem::path place = target.has_filename() ? target : target.parent_path();
  try {
    if (!checkout.tree.empty()) check_apart(checkout.tree, place);
    base::remove_tree(place);
    base::make_folders(place.parent_path());
    if (checkout.tree.empty()) base::make_folders(place);
    // The tree itself may be named by a symlink, so its status is taken through it.
    if (!checkout.tree.empty()) copy_entry(std::filesystem::canonical(checkout.tree), place, kept, cancel);
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(Code::io, base::printable(error.what()));
  }
  Checkout copy = checkout;
  copy.tree = place;
  copy.is_private_copy = true;
  copy.hold.reset();
  return copy;
}

}  // namespace porter::source
