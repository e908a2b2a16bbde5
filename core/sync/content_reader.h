#pragma once
// Reads the files of a composed tree in its order, for sending: the folder asked for last is held open, and a
// file that the walk knew by its stamp is not hashed again. One thread.

#include <optional>
#include <string>

#include "core/base/fd.h"
#include "core/sync/compose.h"

namespace porter::sync {

class ContentReader {
 public:
  // The tree must outlive it.
  explicit ContentReader(const Composed& composed) : composed_(composed) {}

  // All of a file; nothing when it is gone or no longer what was composed. Throws Error(io).
  std::optional<std::string> read(EntryRef ref);
  // A content that is a file, at its beginning; no descriptor when it is gone.
  base::UniqueFd open(EntryRef ref);
  // Whether a file that open() gave still is, to its last byte, what was composed.
  bool is_as_composed(int fd, EntryRef ref) const;

 private:
  const Composed& composed_;
  std::optional<std::uint32_t> folder_;
  base::UniqueFd held_;
};

}  // namespace porter::sync
