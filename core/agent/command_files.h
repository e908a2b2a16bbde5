#pragma once
// The agent's work on single paths that handlers ask for: absolute paths, as the user that the agent runs as,
// links in them followed as the user made them. (Sites go through Beneath instead.) One thread.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/agent/receiver.h"
#include "core/base/fd.h"
#include "core/protocol/values.h"

namespace porter::agent {

protocol::PathState path_state(const std::string& path);

// The content in pieces; the last call has `last` set, also for an empty file. Throws Error(missing), or
// Error(refused) for anything but a regular file and beyond `limit` bytes.
void read_in_pieces(const std::string& path, std::uint64_t limit,
                    const std::function<void(std::string bytes, bool last)>& give);

void remove_path(const std::string& path);
void rename_path(const std::string& from, const std::string& to);
void make_folder(const std::string& path, std::uint32_t mode);
void make_link(const std::string& path, const std::string& target);

// A file on its way: a temporary file beside it, renamed over it at the end. Without finish() nothing is
// left.
class FileReplacement : public Receiver {
 public:
  // mode 0 keeps the mode of what is there, 0644 for a new file. Folders above are made.
  FileReplacement(std::string path, std::uint32_t mode);
  ~FileReplacement() override;
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;
  void write(std::string_view bytes) override;
  void finish() override;

 private:
  std::string path_;
  std::string temporary_;
  std::uint32_t mode_;
  base::UniqueFd fd_;
};

}  // namespace porter::agent
