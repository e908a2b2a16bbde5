#pragma once
// Where stage() takes the contents of files from, when they are not simply read: read once for many hosts,
// and kept; and the deltas of large ones, made once for all hosts that have the same old version. Used by
// several endpoints at once, each on the thread that called its stage().

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/made_once.h"
#include "core/sync/block_match.h"
#include "core/sync/compose.h"

namespace porter::endpoint {

// For a file of the operator's side.
base::Error not_as_composed(const std::string& file);

// What was found out about new versions of large files.
struct SharedDeltas {
  // A larger rest of a file, and what is made of it, is not kept in memory.
  static constexpr std::uint64_t kLargestRest = 8U << 20U;

  base::MadeOnce<std::vector<sync::Copy>> copies{64U << 20U};
  base::MadeOnce<std::string> deltas{64U << 20U};
};

class ContentStore {
 public:
  // Contents up to this size come from here; larger ones are read by who sends them.
  static constexpr std::uint64_t kLargest = 8U << 20U;

  virtual ~ContentStore() = default;
  ContentStore(const ContentStore&) = delete;
  ContentStore& operator=(const ContentStore&) = delete;

  // Will be read, mostly in this order. Before read() of any of them.
  virtual void expect(const sync::Composed& composed, const std::vector<sync::EntryRef>& files) = 0;
  // Waits until it is there. Nothing when the file is not what was composed any more. Throws base::Error and
  // Interrupted.
  virtual std::optional<std::string> read(const sync::Composed& composed, sync::EntryRef file) = 0;
  // A larger one, open to be sent: kept, where that costs nothing.
  virtual void keep_large(const sync::Entry& entry, int fd) = 0;
  SharedDeltas& shared() { return shared_; }

 protected:
  ContentStore() = default;

 private:
  SharedDeltas shared_;
};

}  // namespace porter::endpoint
