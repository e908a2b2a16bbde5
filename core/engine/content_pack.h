#pragma once
// The contents of a deploy, read once for all hosts and kept while they are sent: one thread reads ahead of
// the slowest line into the run's pack (kept_source.h), and whoever sends takes them from there. Once it has
// read all, a resume needs the source no more.

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/cancel.h"
#include "core/endpoint/content_store.h"
#include "core/engine/kept_source.h"
#include "core/sync/content_reader.h"
#include "core/sync/content_spool.h"

namespace porter::engine {

class ContentPack : public endpoint::ContentStore {
 public:
  // `kept` must outlive it, and so must every tree that contents are asked of. What `spool` (may be null)
  // brings into the pack is not read again. `cancel` ends all waiting.
  ContentPack(KeptSource& kept, std::shared_ptr<sync::ContentSpool> spool, base::CancelToken cancel);
  // Ends the reading, wherever it is.
  ~ContentPack() override;

  void expect(const sync::Composed& composed, const std::vector<sync::EntryRef>& files) override;
  std::optional<std::string> read(const sync::Composed& composed, sync::EntryRef file) override;
  void keep_large(const sync::Entry& entry, int fd) override;
  // Waits until all that is expected was read. Throws Error(source) that names a file which is not what was
  // composed any more.
  void read_all();

 private:
  enum class State : std::uint8_t { waiting, written, kept, changed };
  struct Known {
    State state = State::waiting;
    sync::Content::Part part;
  };
  struct Wish {
    const sync::Composed* composed;
    sync::EntryRef file;
    Known* known;
  };

  void read_ahead();
  std::optional<Wish> next_wish();
  std::optional<sync::Content::Part> in_spool(const base::Digest& digest) const;
  void take(sync::ContentReader& reader, const Wish& wish);
  void publish();

  KeptSource& kept_;
  const std::shared_ptr<sync::ContentSpool> spool_;
  const base::CancelToken cancel_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Wish> wishes_;
  std::unordered_map<base::Digest, Known, base::DigestHash> known_;  // its elements stay where they are
  std::string not_as_composed_;                                      // the first such file
  std::vector<Known*> written_;  // not published yet; the reading thread's own
  std::exception_ptr failure_;   // of the run's folder
  bool busy_ = false;            // with a content, or with giving out what was read
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace porter::engine
