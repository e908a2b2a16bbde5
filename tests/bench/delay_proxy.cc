// A link that is slow, for the benchmark: a TCP proxy on 127.0.0.1 that delivers every byte N microseconds
// after it came, each way, and, if asked, not faster than a rate that all connections share (each direction
// has its own).
//
//   delay_proxy --to PORT --delay-us N [--bits-per-second N]
//
// Prints the port that it listens to, and ends when its standard input does. One thread, epoll.
//
// What it models: round-trip time, the bottleneck's rate, and a bottleneck's queue of one bandwidth-delay
// product; when that is full, nothing more is read, and TCP holds the sender back. Without a rate, what is on
// its way is bounded by kInFlight a direction. What it does not model: a TCP handshake's round trip
// (connections are accepted here), slow start, loss and jitter. Kernel buffers of up to kSocketBuffer lie
// before and behind it.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using std::chrono::nanoseconds;

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kInFlight = 32 * 1024 * 1024;
constexpr int kSocketBuffer = 1024 * 1024;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

// One direction of the link: when what is sent now arrives, and how long a byte that comes now has to queue.
class Lane {
 public:
  Lane(nanoseconds delay, std::uint64_t bits_per_second) : delay_(delay), rate_(bits_per_second) {}

  Time arrival(Time now, std::size_t bytes) {
    if (rate_ == 0) return now + delay_;
    free_ = std::max(free_, now) + nanoseconds(bytes * 8 * 1'000'000'000ULL / rate_);
    return free_ + delay_;
  }
  // The bottleneck's queue holds one bandwidth-delay product, that is, what it sends within a round trip.
  Time room_at() const { return rate_ == 0 ? Time{} : free_ - 2 * delay_; }

 private:
  nanoseconds delay_;
  std::uint64_t rate_;
  Time free_{};
};

struct Chunk {
  Time due;
  std::string bytes;  // none: the sender's end
  std::size_t written = 0;
};

// What goes from one socket to the other.
class Flow {
 public:
  Flow(int from, int to, Lane& lane) : from_(from), to_(to), lane_(lane) {}

  bool wants_input(Time now) const { return !ended_ && in_flight_ < kInFlight && lane_.room_at() <= now; }
  bool wants_output(Time now) const { return blocked_ && !queue_.empty() && queue_.front().due <= now; }
  bool finished() const { return ended_ && queue_.empty(); }

  void read(Time now) {
    ssize_t count = ::recv(from_, scratch(), kChunk, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) throw std::system_error(errno, std::generic_category(), "recv");
    ended_ = count == 0;
    auto size = static_cast<std::size_t>(count);
    in_flight_ += size;
    queue_.push_back({lane_.arrival(now, size), std::string(scratch(), size)});
  }

  void write(Time now) {
    blocked_ = false;
    while (!queue_.empty() && queue_.front().due <= now) {
      if (!write_chunk(queue_.front())) return;
      queue_.pop_front();
    }
  }

  // When there is something to do that no socket tells of.
  Time next(Time now) const {
    Time wake = Time::max();
    if (!queue_.empty() && !blocked_) wake = queue_.front().due;
    if (!ended_ && in_flight_ < kInFlight && lane_.room_at() > now) wake = std::min(wake, lane_.room_at());
    return wake;
  }

 private:
  static char* scratch() {
    static std::vector<char> bytes(kChunk);
    return bytes.data();
  }

  bool write_chunk(Chunk& chunk) {
    if (chunk.bytes.empty()) ::shutdown(to_, SHUT_WR);
    while (chunk.written < chunk.bytes.size()) {
      ssize_t count =
          ::send(to_, chunk.bytes.data() + chunk.written, chunk.bytes.size() - chunk.written, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) {
        blocked_ = true;
        return false;
      }
      if (count < 0) throw std::system_error(errno, std::generic_category(), "send");
      chunk.written += static_cast<std::size_t>(count);
      in_flight_ -= static_cast<std::size_t>(count);
    }
    return true;
  }

  int from_, to_;
  Lane& lane_;
  std::deque<Chunk> queue_;
  std::size_t in_flight_ = 0;
  bool ended_ = false, blocked_ = false;
};

int new_socket() {
  return checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set_option(int fd, int level, int option, int value) {
  checked(::setsockopt(fd, level, option, &value, sizeof value), "setsockopt");
}

void set_nonblocking(int fd) {
  checked(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK), "fcntl");
}

int connect_to(std::uint16_t port) {
  int fd = new_socket();
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kSocketBuffer);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kSocketBuffer);
  sockaddr_in address = loopback(port);
  // On this machine a connection is made at once, or refused at once.
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    ::close(fd);
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  return fd;
}

// Two sockets and the two flows between them.
class Pair {
 public:
  Pair(int client, int server, Lane& up, Lane& down)
      : client_(client), server_(server), up_(client, server, up), down_(server, client, down) {
    for (int fd : {client, server}) {
      set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
      set_nonblocking(fd);
    }
  }

  bool finished() const { return up_.finished() && down_.finished(); }
  Time next(Time now) const { return std::min(up_.next(now), down_.next(now)); }

  void deliver(Time now) {
    up_.write(now);
    down_.write(now);
  }
  void read(int fd, Time now) {
    Flow& flow = fd == client_.get() ? up_ : down_;
    if (flow.wants_input(now)) flow.read(now);
  }

  // Asks epoll for what can be done with each socket now.
  void watch(int epoll, Time now) {
    watch_one(epoll, client_.get(), up_.wants_input(now), down_.wants_output(now), asked_[0]);
    watch_one(epoll, server_.get(), down_.wants_input(now), up_.wants_output(now), asked_[1]);
  }

 private:
  void watch_one(int epoll, int fd, bool in, bool out, std::uint32_t& asked) {
    std::uint32_t wanted = (in ? EPOLLIN : 0U) | (out ? EPOLLOUT : 0U);
    if (wanted == asked) return;
    epoll_event event{};
    event.events = wanted;
    event.data.fd = fd;
    // A socket of which nothing is wanted leaves epoll: otherwise its hang-up would be told for ever.
    int how = wanted == 0 ? EPOLL_CTL_DEL : asked == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    checked(::epoll_ctl(epoll, how, fd, &event), "epoll_ctl");
    asked = wanted;
  }

  Descriptor client_, server_;
  Flow up_, down_;
  std::uint32_t asked_[2] = {0, 0};
};

class Proxy {
 public:
  Proxy(std::uint16_t to, nanoseconds delay, std::uint64_t bits_per_second)
      : to_(to), up_(delay, bits_per_second), down_(delay, bits_per_second) {
    set_option(listener_.get(), SOL_SOCKET, SO_RCVBUF, kSocketBuffer);
    set_option(listener_.get(), SOL_SOCKET, SO_SNDBUF, kSocketBuffer);
    sockaddr_in address = loopback(0);
    checked(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    checked(::listen(listener_.get(), SOMAXCONN), "listen");
    set_nonblocking(listener_.get());
    for (int fd : {STDIN_FILENO, listener_.get(), timer_.get()})
      add(fd);
  }

  int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    checked(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return ntohs(address.sin_port);
  }

  // Until standard input ends.
  void run() {
    std::array<epoll_event, 64> events{};
    while (true) {
      int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
      for (int i = 0; i < count; ++i) {
        if (events[static_cast<std::size_t>(i)].data.fd == STDIN_FILENO) return;
        handle(events[static_cast<std::size_t>(i)]);
      }
      tend();
    }
  }

 private:
  void add(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  void handle(const epoll_event& event) {
    if (event.data.fd == listener_.get()) return accept_one();
    if (event.data.fd == timer_.get()) {
      std::uint64_t expirations = 0;
      if (::read(timer_.get(), &expirations, sizeof expirations) < 0 && errno != EAGAIN) checked(-1, "read");
      return;
    }
    auto found = by_fd_.find(event.data.fd);
    if (found == by_fd_.end()) return;
    guarded(found->second, [&](Pair& pair) {
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) pair.read(event.data.fd, Clock::now());
    });
  }

  void accept_one() {
    int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    int server = -1;
    try {
      server = connect_to(to_);
    } catch (const std::system_error&) {
      ::close(client);  // as refused as it is there
      return;
    }
    auto pair = std::make_shared<Pair>(client, server, up_, down_);
    pairs_.insert(pair);
    by_fd_[client] = by_fd_[server] = pair;
  }

  // What a broken connection throws ends that connection only.
  template <typename Action>
  void guarded(std::shared_ptr<Pair> pair, const Action& action) {
    try {
      action(*pair);
    } catch (const std::system_error&) {
      forget(pair);
    }
  }

  void forget(const std::shared_ptr<Pair>& pair) {
    std::erase_if(by_fd_, [&](const auto& entry) { return entry.second == pair; });
    pairs_.erase(pair);
  }

  // Delivers what is due, and sets the alarm for what comes next.
  void tend() {
    Time now = Clock::now(), wake = Time::max();
    for (const auto& pair : std::vector(pairs_.begin(), pairs_.end())) {
      guarded(pair, [&](Pair& each) { each.deliver(now); });
      if (pair->finished()) forget(pair);
    }
    for (const auto& pair : pairs_) {
      pair->watch(epoll_.get(), now);
      wake = std::min(wake, pair->next(now));
    }
    set_alarm(wake);
  }

  void set_alarm(Time wake) {
    itimerspec when{};
    if (wake != Time::max()) {
      auto since =
          std::max<std::int64_t>(1, std::chrono::duration_cast<nanoseconds>(wake.time_since_epoch()).count());
      when.it_value.tv_sec = since / 1'000'000'000;
      when.it_value.tv_nsec = since % 1'000'000'000;
    }
    checked(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
  }

  std::uint16_t to_;
  Lane up_, down_;
  Descriptor listener_{new_socket()};
  Descriptor timer_{checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")};
  Descriptor epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  std::set<std::shared_ptr<Pair>> pairs_;
  std::map<int, std::shared_ptr<Pair>> by_fd_;
};

// The number behind a flag; `otherwise` when the flag is not there.
std::uint64_t option(int count, char** words, std::string_view flag, std::uint64_t otherwise) {
  for (int i = 1; i + 1 < count; ++i) {
    if (words[i] != flag) continue;
    std::string_view text = words[i + 1];
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  return otherwise;
}

}  // namespace

int main(int count, char** words) {
  std::uint64_t to = option(count, words, "--to", 0);
  if (to == 0 || to > 65535) {
    std::fputs("usage: delay_proxy --to PORT --delay-us N [--bits-per-second N]\n", stderr);
    return 2;
  }
  try {
    Proxy proxy(static_cast<std::uint16_t>(to),
                std::chrono::microseconds(option(count, words, "--delay-us", 0)),
                option(count, words, "--bits-per-second", 0));
    std::printf("%d\n", proxy.port());
    std::fflush(stdout);
    proxy.run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "delay_proxy: %s\n", error.what());
    return 1;
  }
}
