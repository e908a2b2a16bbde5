#pragma once
// The lock of a site: two kernel locks that belong to open file descriptions of this process. They end with
// the process, so there is nothing to unlock and no stale lock.
//   .porter        flock(2) on the folder: it keeps others out, even when somebody deletes the lock file
//   .porter/lock   an open file description lock (fcntl F_OFD_SETLK) and a note of the holder: it can be
//   asked
//                  about without being taken, so looking at a site never disturbs a deploy that begins at the
//                  same moment. We never delete it.
// Where a file system cannot lock folders (NFS), the file alone has to do. One thread at a time.

#include <optional>
#include <string>

#include "core/agent/beneath.h"

namespace porter::agent {

// Who holds a lock, for people. `since` is an ISO time. Any field may be empty.
struct Holder {
  std::string run_id;
  std::string who;
  std::string host;
  std::string since;
  std::string message;
};

class Lock {
 public:
  // Takes the lock of the `.porter` folder and writes the note into it. Nothing: it is ours now. A Holder: it
  // is somebody else's, and nothing changed. Taking a lock that this object holds renews the note.
  std::optional<Holder> try_take(const Beneath& porter, const Holder& self);
  bool held() const { return fd_.valid(); }
  // For hosts that are locked together and let go together; otherwise the end of the process does it.
  void release() {
    fd_.reset();
    folder_.reset();
  }

 private:
  base::UniqueFd folder_;
  base::UniqueFd fd_;
};

// The holder of the lock when another open description (another process, or another Lock) has it. Changes
// nothing.
std::optional<Holder> lock_holder(const Beneath& porter);

}  // namespace porter::agent
