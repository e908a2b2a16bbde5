#include "core/agent/held_folder.h"

namespace porter::agent {

int HeldFolder::descriptor(const std::string& path) {
  if (path.empty()) return tree_.descriptor();
  if (path_ != path) {
    folder_ = tree_.try_folder(path);
    path_ = path;
  }
  return folder_ ? folder_->descriptor() : -1;
}

}  // namespace porter::agent
