#include "core/agent/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/record.h"
#include "core/base/error.h"

namespace porter::agent {
namespace {

using base::UniqueFd;

constexpr const char* kName = "lock";
constexpr std::size_t kNoteLimit = 64U << 10U;

struct flock whole_file(short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return range;
}

UniqueFd open_lock_file(const Beneath& porter) {
  UniqueFd fd(::openat(porter.descriptor(), kName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw base::system_error(porter.label(kName), errno);
  return fd;
}

// The folder itself, which nobody can replace while its files come and go. Nothing: somebody else has it. An
// invalid descriptor: this file system locks files only (NFS).
std::optional<UniqueFd> lock_folder(const Beneath& porter) {
  UniqueFd fd(::openat(porter.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw base::system_error(porter.label(), errno);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) return UniqueFd();
  }
  return fd;
}

// Whether the name still leads to what we hold.
bool same_file(const Beneath& porter, int fd) {
  struct stat held {};
  if (::fstat(fd, &held) != 0) throw base::system_error(porter.label(kName), errno);
  const std::optional<struct stat> named = porter.look(kName);
  return named && named->st_dev == held.st_dev && named->st_ino == held.st_ino;
}

void write_note(const Beneath& porter, int fd, const Holder& self) {
  Record note;
  note.set("run", self.run_id).set("who", shortened(self.who)).set("host", shortened(self.host));
  note.set("since", shortened(self.since)).set("message", shortened(self.message));
  if (::ftruncate(fd, 0) != 0 || ::lseek(fd, 0, SEEK_SET) != 0)
    throw base::system_error(porter.label(kName), errno);
  base::write_all(fd, note.line() + "\n");
}

Holder read_note(int fd) {
  if (::lseek(fd, 0, SEEK_SET) != 0) return {};
  const std::string text = base::read_to_end(fd, kNoteLimit);
  // Being written right now, or never: somebody, but we cannot say who.
  const std::optional<Record> note = Record::parse(std::string_view(text).substr(0, text.find('\n')));
  if (!note) return {};
  return {note->get("run"), note->get("who"), note->get("host"), note->get("since"), note->get("message")};
}

}  // namespace

std::optional<Holder> Lock::try_take(const Beneath& porter, const Holder& self) {
  if (!held()) {
    std::optional<UniqueFd> folder = lock_folder(porter);
    if (!folder) return lock_holder(porter).value_or(Holder());
    folder_ = std::move(*folder);
  }
  while (!fd_ || !same_file(porter, fd_.get())) {
    UniqueFd fd = open_lock_file(porter);
    struct flock range = whole_file(F_WRLCK);
    if (::fcntl(fd.get(), F_OFD_SETLK, &range) != 0) {
      if (errno == EAGAIN || errno == EACCES) {
        release();
        return read_note(fd.get());
      }
      if (errno == EINTR) continue;
      throw base::system_error(porter.label(kName), errno);
    }
    fd_ = std::move(fd);
  }
  write_note(porter, fd_.get(), self);
  return std::nullopt;
}

std::optional<Holder> lock_holder(const Beneath& porter) {
  const std::optional<UniqueFd> fd = porter.try_open_file(kName);
  if (!fd) return std::nullopt;
  struct flock range = whole_file(F_WRLCK);
  if (::fcntl(fd->get(), F_OFD_GETLK, &range) != 0) throw base::system_error(porter.label(kName), errno);
  if (range.l_type == F_UNLCK) return std::nullopt;
  return read_note(fd->get());
}

}  // namespace porter::agent
