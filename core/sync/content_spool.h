#pragma once
// Contents that a walk had to read, kept for whoever sends them: what is new in a source is most likely new
// on a target, and opening a small file a second time costs more than keeping it. In a file that has no name
// before it is wanted, so that it is gone with the process and takes no memory of its own. Any thread.

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/sync/compose.h"

namespace porter::sync {

class ContentSpool {
 public:
  static constexpr std::uint64_t kLargest = 128U << 10U;  // of one content
  static constexpr std::uint64_t kMost = 256U << 20U;     // of all together; more is not kept

  // `folder` is made, private to the user. A spool that cannot be kept there keeps nothing.
  explicit ContentSpool(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void add(const base::Digest& digest, std::string_view bytes);
  // All of it becomes the file `name`, to which nothing is added by the spool any more. Gives its size; 0
  // when there is nothing, or the name is on another file system: it holds nothing then.
  std::uint64_t move_to(const std::filesystem::path& name);
  // Where in that file the bytes are.
  std::optional<Content::Part> find(const base::Digest& digest) const;

 private:
  void open();
  void flush();
  bool give_name(const std::filesystem::path& name) const;

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  bool opened_ = false;
  base::UniqueFd file_;
  std::uint64_t size_ = 0;  // with what waits
  std::string waiting_;     // to be written
  std::unordered_map<base::Digest, Content::Part, base::DigestHash> parts_;
};

}  // namespace porter::sync
