#include "core/agent/held_folder.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/crew.h"
#include "core/sync/tree.h"

namespace porter::agent {
namespace {

constexpr std::size_t kMostHeld = 16;
constexpr std::size_t kFoldersAtOnce = 32;  // in one piece of work

}  // namespace

const Beneath* HeldFolder::folder(const std::string& path) {
  if (path.empty()) return &tree_;
  while (!held_.empty() && !sync::is_at_or_below(path, held_.back().path))
    held_.pop_back();
  if (!held_.empty() && held_.back().path == path) return &held_.back().folder;
  const Beneath& above = held_.empty() ? tree_ : held_.back().folder;
  const std::size_t known = held_.empty() ? 0 : held_.back().path.size() + 1;
  std::optional<Beneath> found = above.try_folder(std::string_view(path).substr(known));
  if (!found) return nullptr;
  if (held_.size() == kMostHeld) held_.erase(held_.begin());
  held_.push_back({path, std::move(*found)});
  return &held_.back().folder;
}

int HeldFolder::descriptor(const std::string& path) {
  const Beneath* found = folder(path);
  return found == nullptr ? -1 : found->descriptor();
}

void on_folders(const Beneath& tree, std::span<const std::uint32_t> folders,
                const std::function<void(HeldFolder& held, std::uint32_t folder)>& work) {
  const std::size_t pieces = (folders.size() + kFoldersAtOnce - 1) / kFoldersAtOnce;
  base::on_all_cores(pieces, {}, [&](std::size_t piece) {
    HeldFolder held(tree);
    const std::size_t first = piece * kFoldersAtOnce;
    for (const std::uint32_t folder :
         folders.subspan(first, std::min(kFoldersAtOnce, folders.size() - first)))
      work(held, folder);
  });
}

}  // namespace porter::agent
