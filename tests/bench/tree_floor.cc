// What machine and file system ask of anybody who brings a tree to where nothing is: it is read and written
// by as many threads as there are cores, with modes and times, and with nothing else: no connection, no
// digest, no message, no second look. Whoever sends it does all of this and more, so no contestant can be
// quicker.
//
//   tree_floor [--sync] SOURCE TARGET        TARGET is an empty folder; --sync: on disk before it ends
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string path;  // below the source
  std::vector<std::string> files;
};

struct Fd {
  explicit Fd(int number, const fs::path& what) : fd(number) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), what.string());
  }
  ~Fd() { ::close(fd); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  const int fd;
};

void check(int result, const fs::path& what) {
  if (result != 0) throw std::system_error(errno, std::generic_category(), what.string());
}

void keep_times(int folder, const fs::path& path, const struct stat& status) {
  const timespec times[2] = {status.st_mtim, status.st_mtim};
  check(::utimensat(folder, path.c_str(), times, AT_SYMLINK_NOFOLLOW), path);
}

void copy_link(const fs::path& from, const fs::path& to) {
  struct stat status {};
  check(::lstat(from.c_str(), &status), from);
  fs::copy_symlink(from, to);
  keep_times(AT_FDCWD, to, status);
}

// Makes folders and links, and tells of the files.
std::vector<Folder> make_folders(const fs::path& source, const fs::path& target) {
  std::vector<Folder> folders{{".", {}}};
  for (std::size_t i = 0; i < folders.size(); ++i) {
    for (const fs::directory_entry& entry : fs::directory_iterator(source / folders[i].path)) {
      const std::string name = entry.path().filename().string();
      const std::string path = folders[i].path + "/" + name;
      if (entry.is_symlink()) {
        copy_link(entry.path(), target / path);
      } else if (entry.is_directory()) {
        check(::mkdir((target / path).c_str(), 0700), target / path);
        folders.push_back({path, {}});
      } else {
        folders[i].files.push_back(name);
      }
    }
  }
  return folders;
}

void copy_file(const Fd& from, const Fd& to, const std::string& name, std::vector<char>& space) {
  const Fd in(::openat(from.fd, name.c_str(), O_RDONLY | O_CLOEXEC), name);
  struct stat status {};
  check(::fstat(in.fd, &status), name);
  const Fd out(
      ::openat(to.fd, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 07777U), name);
  for (;;) {
    const ssize_t got = ::read(in.fd, space.data(), space.size());
    if (got < 0 || (got > 0 && ::write(out.fd, space.data(), static_cast<std::size_t>(got)) != got))
      throw std::system_error(errno, std::generic_category(), name);
    if (static_cast<std::size_t>(got) < space.size()) break;
  }
  const timespec times[2] = {status.st_mtim, status.st_mtim};
  check(::futimens(out.fd, times), name);
}

void copy_files(const fs::path& source, const fs::path& target, const std::vector<Folder>& folders,
                std::atomic<std::size_t>& next) {
  std::vector<char> space(1U << 20U);
  for (std::size_t i = next++; i < folders.size(); i = next++) {
    const fs::path path = folders[i].path;
    const Fd from(::open((source / path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
    const Fd to(::open((target / path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
    for (const std::string& file : folders[i].files)
      copy_file(from, to, file, space);
  }
}

// Folders are done last, since what is made in them changes their times.
void settle_folders(const fs::path& source, const fs::path& target, const std::vector<Folder>& folders) {
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    struct stat status {};
    const fs::path path = target / folder->path;
    check(::stat((source / folder->path).c_str(), &status), path);
    check(::chmod(path.c_str(), status.st_mode & 07777U), path);
    keep_times(AT_FDCWD, path, status);
  }
}

void run(const fs::path& source, const fs::path& target, bool durable) {
  ::umask(0);
  const std::vector<Folder> folders = make_folders(source, target);
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> failures(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<std::thread> threads;
  for (std::exception_ptr& mine : failures)
    threads.emplace_back([&] {
      try {
        copy_files(source, target, folders, next);
      } catch (...) {
        mine = std::current_exception();
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  for (const std::exception_ptr& one : failures)
    if (one) std::rethrow_exception(one);
  settle_folders(source, target, folders);
  const Fd root(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), target);
  if (durable) check(::syncfs(root.fd), target);
}

}  // namespace

int main(int count, char** words) {
  const bool durable = count == 4 && std::string(words[1]) == "--sync";
  if (count != 3 && !durable) {
    std::fputs("usage: tree_floor [--sync] SOURCE TARGET\n", stderr);
    return 2;
  }
  try {
    run(words[count - 2], words[count - 1], durable);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tree_floor: %s\n", error.what());
    return 1;
  }
}
