#pragma once
// Files on the operator's side, by path. (The agent's work on a target goes through held descriptors instead:
// core/agent.) All functions throw Error(io) with the path in the message.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace porter::base {

// The whole file. Throws Error(missing) for none, (bad_value) for a folder, (refused) beyond `limit` bytes.
std::string read_file(const std::filesystem::path& file, std::size_t limit = 64U << 20U);

// Replaces the file in one step: a temporary file beside it, then rename. With Durable::yes the data and the
// folder are on disk before it returns.
enum class Durable { no, yes };
void write_file(const std::filesystem::path& file, std::string_view content, mode_t mode = 0644,
                Durable durable = Durable::no);

// The names in the folder are on disk when it returns.
void sync_folder(const std::filesystem::path& folder);

void make_folders(const std::filesystem::path& folder, mode_t mode = 0755);

// Removes a file or a folder with all that is in it, also folders of ours without write permission; symlinks
// are not followed. Nothing there is no error.
void remove_tree(const std::filesystem::path& path);

// A fresh private folder under TMPDIR, removed with all that is in it.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::string_view prefix = "porter");
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace porter::base
