#pragma once
// The thread that reads old files for a stage and says what they hold: block tables, signatures. It is the
// only one that a full output holds up. Any thread may ask; it answers in the order in which it is asked.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/agent/server_output.h"
#include "core/agent/stage.h"
#include "core/base/cancel.h"
#include "core/protocol/messages.h"

namespace porter::agent {

class Signer {
 public:
  using FileNumber = protocol::FileNumber;
  // Gives the old version of a file; called on the thread.
  using OpenBasis = std::function<std::optional<Basis>(FileNumber)>;

  // `lost`: nobody is there any more to hear it.
  Signer(Output& output, OpenBasis open, base::CancelToken lost);
  // Drops what is not begun, ends what is, and joins.
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  // A block table of a large old version, a signature of another one.
  void describe(FileNumber number);
  // A signature of what `copies` to a file of `new_size` bytes leave of the old version. When they do not fit
  // that, since it changed meanwhile, the file is asked for whole.
  void sign_rest(FileNumber number, std::vector<sync::Copy> copies, std::uint64_t new_size);

 private:
  using Work = std::function<void(Basis& basis)>;
  struct Task {
    FileNumber number;
    Work work;
  };
  void add(Task task);
  void serve();
  std::optional<Task> next();
  void perform(const Task& task);
  void send_table(FileNumber number, const Basis& basis);
  void send_signature(FileNumber number, const sync::FileRanges& ranges);
  bool given_up() const { return stop_.cancelled() || lost_.cancelled(); }

  Output& output_;
  const OpenBasis open_;
  const base::CancelToken lost_;
  const base::CancelToken stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::thread thread_;
};

}  // namespace porter::agent
