#include "core/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::base {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

// Build tools leave read-only folders behind, whose entries nobody but root can remove.
void open_folders(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
  ::chmod(path.c_str(), 0700);
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(path, unreadable))
    open_folders(entry.path());
}

// A name beside the file for mkostemp(3), also when the file's own name is as long as a name can be.
std::string temporary_beside(const std::filesystem::path& file) {
  constexpr std::size_t kLongest = 255 - 8;  // NAME_MAX less what is added
  const std::string name = file.filename().string();
  return (folder_of(file) / ("." + (name.size() > kLongest ? "porter" : name) + ".XXXXXX")).string();
}

}  // namespace

std::string read_file(const std::filesystem::path& file, std::size_t limit) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) throw Error(Code::missing, "there is no such file").at(file.string());
  if (!fd) throw_errno(file.string());
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode))
    throw Error(Code::bad_value, "is a folder, a file is expected").at(file.string());
  return while_doing("reading " + file.string(), [&] { return read_to_end(fd.get(), limit); });
}

void write_file(const std::filesystem::path& file, std::string_view content, mode_t mode, Durable durable) {
  std::string temporary = temporary_beside(file);
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) throw_errno(file.string());
  try {
    write_all(fd.get(), content);
    if (::fchmod(fd.get(), mode) != 0) throw_errno(file.string());
    if (durable == Durable::yes && ::fsync(fd.get()) != 0) throw_errno(file.string());
    if (::rename(temporary.c_str(), file.c_str()) != 0) throw_errno(file.string());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (durable == Durable::yes) sync_folder(folder_of(file));
}

void sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) throw_errno(folder.string());
}

void make_folders(const std::filesystem::path& folder, mode_t mode) {
  if (folder.empty() || std::filesystem::is_directory(folder)) return;
  make_folders(folder.parent_path(), mode);
  if (::mkdir(folder.c_str(), mode) == 0) return;
  if (errno != EEXIST) throw_errno(folder.string());
  // Somebody else was quicker, or a file is in the way.
  if (!std::filesystem::is_directory(folder)) throw system_error(folder.string(), ENOTDIR);
}

void remove_tree(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::remove_all(path, failure);
  if (!failure) return;
  open_folders(path);
  std::filesystem::remove_all(path, failure);
  if (failure) throw system_error(path.string(), failure.value());
}

TemporaryFolder::TemporaryFolder(std::string_view prefix) {
  std::string pattern = (std::filesystem::temp_directory_path() / (std::string(prefix) + "-XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno(pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // a leftover temporary folder is no reason to end the program
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace porter::base
