#pragma once
// One channel of an SSH connection, carried to and from one end of a socket pair: a program's stdin, stdout
// and stderr, or a forwarded TCP connection. Lives on its connection's I/O loop; internal to this room.
//
// Back-pressure both ways: no more is read from the socket than the channel's window takes and the line
// needs, and no more from the channel than the socket takes (the window then closes by itself). Each
// direction ends by itself.
//
// sshd counts a program against MaxSessions until it has seen all of its end, which is after we have. So a
// program that is refused soon after another one of the same connection ended is asked for again, for some
// seconds.

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/transport/io_loop.h"
#include "core/transport/ssh_line.h"
#include "core/transport/transport.h"

namespace porter::transport {

// What is asked of the far end: a program, or a connection to host and port.
struct StreamRequest {
  std::string command;  // quoted; empty: forward
  std::string host;
  int port = 0;
};

class SshStream : public IoLoop::Watcher {
 public:
  SshStream(IoLoop& loop, ssh_session session, std::string where, StreamRequest request, base::UniqueFd local,
            std::shared_ptr<ErrorText> errors, std::shared_ptr<Ending> ending, SshLine& line,
            IoLoop::Moment& program_ended, std::function<void()> turn);
  ~SshStream() override;

  // Does what can be done without waiting.
  enum class Progress { idle, more, done };
  Progress advance();
  // The connection is gone.
  void fail(const base::Error& error) { ending_->fail(error); }

  void ready(std::uint32_t epoll_events) override;
  void due() override;

 private:
  enum class State { waiting, opening, requesting, running };

  bool new_channel();
  void drop_channel();
  void open();
  bool try_later();
  void request();
  bool push();
  bool pull();
  void pull_errors();
  std::size_t write(std::string_view bytes);
  std::size_t deliver(std::string_view bytes);
  void refuse(std::string_view what, base::Code code);
  std::size_t room();
  bool writable();
  void update_interest();
  Progress finish();

  static void on_exit_status(ssh_session, ssh_channel, int status, void* self);
  static void on_exit_signal(ssh_session, ssh_channel, const char* name, int, const char*, const char*,
                             void* self);
  static void on_close(ssh_session, ssh_channel, void* self);

  IoLoop& loop_;
  ssh_session session_;
  std::string where_;
  StreamRequest request_;
  base::UniqueFd local_;
  std::shared_ptr<ErrorText> errors_;
  std::shared_ptr<Ending> ending_;
  SshLine& line_;
  IoLoop::Moment& program_ended_;  // the last one of the connection, as we know it; shared by its streams
  IoLoop::Moment began_;           // to open the channel
  std::chrono::milliseconds pause_{2};
  std::function<void()> turn_;
  ssh_channel channel_ = nullptr;
  std::size_t whole_window_ = 0;  // the most that the far end took
  ssh_channel_callbacks_struct callbacks_ = {};

  State state_ = State::opening;
  std::string to_remote_;  // taken from the socket, not yet accepted by the channel
  std::string to_local_;   // taken from the channel, not yet accepted by the socket
  bool local_eof_ = false;
  bool eof_sent_ = false;
  bool hung_up_ = false;  // both directions of the socket are over
  bool deaf_ = false;     // the socket takes no more: output is thrown away
  bool remote_eof_ = false;
  bool output_shut_ = false;
  bool remote_closed_ = false;
  bool refused_ = false;
  std::optional<ExitStatus> exit_;
};

}  // namespace porter::transport
