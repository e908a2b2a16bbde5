#pragma once
// Seals that this process has read or written: a deploy asks for the same few many times, and a large one
// takes long to read. A file that is another by inode, size or time is read anew. One thread.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/agent/beneath.h"
#include "core/sync/manifest.h"

namespace porter::agent {

class SealStore {
 public:
  // Of the file at `path` in `porter`. Nothing when it is not there or damaged; Error(refused) for a newer
  // one.
  std::shared_ptr<const sync::Seal> read(const Beneath& porter, const std::string& path);
  std::optional<sync::SealHeader> read_header(const Beneath& porter, const std::string& path);
  // Writes what it is encoded, durably with `sync`, and keeps it.
  void write(const Beneath& porter, const std::string& path, sync::Seal seal, const std::string& bytes,
             bool sync);

 private:
  struct Known {
    std::string file;
    sync::Stamp stamp;
    sync::SealHeader header;
    std::shared_ptr<const sync::Seal> whole;
  };

  Known* find(const Beneath& porter, const std::string& path);
  void keep(const Beneath& porter, const std::string& path, const std::optional<struct stat>& before,
            sync::SealHeader header, std::shared_ptr<const sync::Seal> whole);

  std::vector<Known> known_;  // used last at the end
};

}  // namespace porter::agent
