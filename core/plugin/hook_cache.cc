#include "core/plugin/hook_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::plugin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = "record";
constexpr auto kKept = std::chrono::hours(24);  // another run may be about to load an older library

void make_private_folder(const fs::path& folder) {
  base::make_folders(folder.parent_path());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) base::throw_errno(folder.string());
  struct stat status = {};
  if (::lstat(folder.c_str(), &status) != 0) base::throw_errno(folder.string());
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) {
    throw base::Error(base::Code::refused,
                      "it is not a folder of this user; compiled hooks are not kept there")
        .at(folder.string())
        .hint("remove it, or set XDG_CACHE_HOME to a folder of yours");
  }
  if ((status.st_mode & 077U) != 0 && ::chmod(folder.c_str(), 0700) != 0) base::throw_errno(folder.string());
}

std::string digest_of(const fs::path& file) {
  return base::to_hex(base::sha256_of_file(file));
}

bool unchanged(const std::string& line) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string::npos) return false;
  try {
    return digest_of(line.substr(blank + 1)) == line.substr(0, blank);
  } catch (const base::Error&) {
    return false;  // gone or unreadable: no longer what the library was made from
  }
}

}  // namespace

HookCache::HookCache(const fs::path& root, const fs::path& source, const std::string& recipe)
    : recipe_(base::to_hex(base::sha256(recipe))) {
  make_private_folder(root);
  folder_ = root / base::to_hex(base::sha256(source.string())).substr(0, 32);
  make_private_folder(folder_);
}

base::UniqueFd HookCache::lock(base::Deadline deadline, const base::CancelToken& cancel) const {
  const fs::path file = folder_ / "lock";
  base::UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) base::throw_errno(file.string());
  constexpr int kPause = 20;  // flock has no descriptor to wait on
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) base::throw_errno(file.string());
    cancel.check();
    if (deadline.passed())
      throw base::Error(base::Code::timeout, "another run is still compiling this hook").at(file.string());
    ::poll(nullptr, 0, kPause);
  }
  return fd;
}

// The record: the recipe's digest, the library's name, then "digest path" for every file.
std::optional<fs::path> HookCache::fresh() const {
  const fs::path record = folder_ / kRecord;
  if (!fs::exists(record)) return std::nullopt;
  const std::vector<std::string> lines = base::split(base::read_file(record), '\n');
  if (lines.size() < 4 || lines[0] != recipe_) return std::nullopt;
  fs::path library = folder_ / lines[1];
  if (!fs::is_regular_file(library)) return std::nullopt;
  for (std::size_t i = 2; i + 1 < lines.size(); ++i) {
    if (!unchanged(lines[i])) return std::nullopt;
  }
  return library;
}

fs::path HookCache::store(const fs::path& library, const std::vector<fs::path>& dependencies) const {
  std::string files;
  for (const fs::path& file : dependencies) {
    // A name that the record cannot hold would never be compared: such a hook is compiled every time.
    const bool recordable = file.string().find('\n') == std::string::npos;
    files += recordable ? fmt::format("{} {}\n", digest_of(file), file.string()) : "unrecordable\n";
  }
  const std::string key = base::to_hex(base::sha256(recipe_ + "\n" + files)).substr(0, 32);
  const std::string name = fmt::format("deployment-{}.so", key);
  fs::path final_name = folder_ / name;
  if (::chmod(library.c_str(), 0600) != 0) base::throw_errno(library.string());
  fs::rename(library, final_name);
  base::write_file(folder_ / kRecord, fmt::format("{}\n{}\n{}", recipe_, name, files), 0600);
  prune(final_name);
  return final_name;
}

void HookCache::prune(const fs::path& keep) const {
  const auto limit = fs::file_time_type::clock::now() - kKept;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".so" || entry.path() == keep) continue;
    std::error_code ignored;  // another run may have removed it meanwhile
    if (entry.last_write_time(ignored) < limit) fs::remove(entry.path(), ignored);
  }
}

// GNU make's quoting: "\ ", "\#" and "$$" stand for a blank, a hash and a dollar; backslash-newline is blank.
std::vector<fs::path> parse_dependencies(std::string_view rule) {
  std::vector<fs::path> files;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) files.emplace_back(std::exchange(word, ""));
  };
  const std::size_t colon = rule.find(": ");
  for (std::size_t i = colon == std::string_view::npos ? rule.size() : colon + 2; i < rule.size(); ++i) {
    const char next = i + 1 < rule.size() ? rule[i + 1] : '\0';
    const bool escaped = (rule[i] == '\\' && (next == ' ' || next == '#')) || (rule[i] == '$' && next == '$');
    if (escaped) {
      word += rule[++i];
    } else if (rule[i] == ' ' || rule[i] == '\n' || (rule[i] == '\\' && next == '\n')) {
      end_word();
    } else {
      word += rule[i];
    }
  }
  end_word();
  return files;
}

}  // namespace porter::plugin
