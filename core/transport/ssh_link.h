#pragma once
// One SSH connection, pinned to one I/O loop. It begins at rest: the thread that connects drives it step by
// step (each step runs on the loop, or here where a step may block), and reads its session directly in
// between. After serve() the session belongs to the loop: streams, keepalive and the idle deadline. Internal
// to this room.

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/transport/io_loop.h"
#include "core/transport/ssh_line.h"
#include "core/transport/ssh_session.h"
#include "core/transport/ssh_stream.h"
#include "core/transport/transport.h"

namespace porter::transport {

struct LinkTimes {
  std::chrono::milliseconds keepalive;
  std::chrono::milliseconds idle;
};

class SshLink : public std::enable_shared_from_this<SshLink>, private IoLoop::Watcher {
 public:
  // Takes the connected descriptor. `way` is the stream through a jump host, and keeps that connection.
  SshLink(std::shared_ptr<IoLoop> loop, SessionPtr session, base::UniqueFd socket, std::string where,
          LinkTimes times, std::shared_ptr<SshLink> via, Process way);
  ~SshLink() override;

  // --- At rest ---
  using Step = std::function<int(ssh_session)>;
  // Repeats a non-blocking call of the library while it answers `again`; on the loop, or on the calling
  // thread. Throws Error(timeout) and Interrupted, after which the link is good for nothing but its end.
  int drive(const Step& step, int again, base::Deadline deadline, const base::CancelToken& cancel);
  // The same for a request whose answer costs the far end nothing: how long it takes is noted.
  int drive_timed(const Step& step, int again, base::Deadline deadline, const base::CancelToken& cancel);
  int drive_here(const Step& step, int again, base::Deadline deadline, const base::CancelToken& cancel);
  ssh_session session() const { return session_.get(); }
  // Why the way through the jump host ended, if that is what happened.
  std::optional<base::Error> failure_on_the_way() const;
  void serve();

  // --- In service; any thread ---
  Process start(StreamRequest request);
  TrafficCount traffic() const { return {bytes_in_, bytes_out_}; }
  const std::string& where() const { return where_; }

  // Ends the connection, its streams, and those it goes through. Any thread; idempotent.
  void close();

 private:
  struct Operation;
  struct Keeper;

  void ready(std::uint32_t epoll_events) override;
  void due() override;
  void step();
  void turn();
  bool pump();
  bool advance_streams();
  void adopt(int id, StreamRequest request, base::UniqueFd local, const std::shared_ptr<ErrorText>& errors,
             const std::shared_ptr<Ending>& ending);
  void break_off(const base::Error& error);
  void quicken() const;
  void update_interest();
  void turn_soon();
  void shut_down();

  std::shared_ptr<IoLoop> loop_;
  SessionPtr session_;
  ssh_event event_ = nullptr;
  int fd_;  // the session closes it
  std::string where_;
  LinkTimes times_;
  std::shared_ptr<SshLink> via_;
  std::shared_ptr<SshLine> line_;
  Process way_;

  std::shared_ptr<Operation> operation_;  // loop thread
  IoLoop::Moment program_ended_;
  std::map<int, std::unique_ptr<SshStream>> streams_;
  std::optional<base::Error> broken_;
  ssh_counter_struct counter_ = {};
  IoLoop::Moment last_heard_;
  std::uint64_t heard_bytes_ = 0;
  bool in_turn_ = false;
  bool turn_posted_ = false;
  bool serving_ = false;

  std::atomic<int> next_id_ = 1;
  std::atomic<std::uint64_t> bytes_in_ = 0;
  std::atomic<std::uint64_t> bytes_out_ = 0;
  std::atomic<bool> closed_ = false;
};

}  // namespace porter::transport
