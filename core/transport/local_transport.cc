#include "core/transport/local_transport.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "core/base/subprocess.h"
#include "core/base/text.h"

namespace porter::transport {
namespace {

using namespace std::chrono_literals;

// How long a child whose stream was closed may take to end by itself.
constexpr auto grace = 2s;

// One child and the thread that reads its stderr, reaps it and publishes its end. Destroying it gives the
// child up.
class LocalProcess {
 public:
  LocalProcess(base::Child child, base::UniqueFd stderr_end, std::shared_ptr<ErrorText> errors,
               std::shared_ptr<Ending> ending)
      : child_(std::move(child)),
        exit_(static_cast<int>(::syscall(SYS_pidfd_open, child_.pid(), 0))),
        errors_from_(std::move(stderr_end)),
        errors_(std::move(errors)),
        ending_(std::move(ending)),
        given_up_(base::make_pipe()) {
    if (!exit_) base::throw_errno("pidfd_open");
    base::set_nonblocking(errors_from_.get());
    thread_ = std::thread([this] { watch(); });
  }

  ~LocalProcess() {
    given_up_.second.reset();
    thread_.join();
  }

 private:
  void watch() {
    try {
      follow(base::Deadline::never());
      drain();  // a grandchild may still hold the pipe: what is there now counts
      const base::CommandResult result = child_.wait();
      ending_->finish({result.status, result.signal});
    } catch (const base::Error& error) {
      ending_->fail(error);
    }
  }

  // Until the child has ended; kills it when it outlives its grace.
  void follow(base::Deadline deadline) {
    for (;;) {
      std::array<pollfd, 3> fds = {pollfd{exit_.get(), POLLIN, 0}, pollfd{errors_from_.get(), POLLIN, 0},
                                   pollfd{given_up_.first.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), deadline.poll_timeout()) < 0 && errno != EINTR)
        base::throw_errno("poll");
      if (fds[0].revents != 0) return;
      if (fds[1].revents != 0 && drain() == Pipe::ended) errors_from_.reset();
      if (fds[2].revents != 0) {
        given_up_.first.reset();
        deadline = base::Deadline::in(grace);
      }
      if (deadline.passed()) child_.signal_group(SIGKILL);
    }
  }

  enum class Pipe { open, ended };
  Pipe drain() {
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t got = errors_from_ ? ::read(errors_from_.get(), buffer.data(), buffer.size()) : 0;
      if (got > 0) {
        errors_->add({buffer.data(), static_cast<std::size_t>(got)});
      } else if (got == 0 || errno != EINTR) {
        return got == 0 ? Pipe::ended : Pipe::open;
      }
    }
  }

  base::Child child_;
  base::UniqueFd exit_;
  base::UniqueFd errors_from_;
  std::shared_ptr<ErrorText> errors_;
  std::shared_ptr<Ending> ending_;
  base::FdPair given_up_;
  std::thread thread_;
};

class LocalTransport : public Transport {
 public:
  explicit LocalTransport(std::string name) : name_(std::move(name)) {}

  Process start(const std::vector<std::string>& arguments) override {
    base::FdPair stream = base::make_socket_pair();
    base::FdPair errors = base::make_pipe();
    base::Command command;
    command.arguments = arguments;
    const int child_end = stream.second.get();
    base::Child child = base::Child::start(command, {child_end, child_end, errors.second.get(), {}});
    Process process;
    process.errors = std::make_shared<ErrorText>();
    process.ending = std::make_shared<Ending>();
    process.keeper = std::make_shared<LocalProcess>(std::move(child), std::move(errors.first), process.errors,
                                                    process.ending);
    process.stream = std::move(stream.first);
    return process;
  }

  std::string describe() const override { return fmt::format("{} (local)", base::printable(name_)); }
  TrafficCount traffic() const override { return {}; }  // nothing travels

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Transport> make_local_transport(std::string name) {
  return std::make_unique<LocalTransport>(std::move(name));
}

}  // namespace porter::transport
