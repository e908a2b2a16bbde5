#include "core/agent/join.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/protocol/frame.h"
#include "core/protocol/stripes.h"

namespace porter::agent {
namespace {

using namespace std::chrono_literals;

constexpr int kExitNotWanted = 5;
// The word that somebody may join is sent before a channel is opened, but another process takes it in.
constexpr auto kPatience = 3s;
constexpr int kTryAgain = 20;  // milliseconds
constexpr char kHere = 'h';    // goes with the descriptor, which cannot travel alone
constexpr char kWelcome = 'w';

struct Name {
  sockaddr_un address{};
  socklen_t length = 0;
};

Name name_of(const std::string& token) {
  const std::string text = '\0' + ("porter-join-" + token);  // a NUL first: the abstract namespace
  Name name;
  name.address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(name.address.sun_path), text.data(), text.size());
  name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size());
  return name;
}

base::UniqueFd make_socket(int more) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | more, 0));
  if (!fd) base::throw_errno("socket");
  return fd;
}

bool is_our_user(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == ::geteuid();
}

// True when the channel has ended meanwhile.
bool wait_a_moment(int in) {
  pollfd channel{in, 0, 0};
  return ::poll(&channel, 1, kTryAgain) > 0;
}

// Nothing when nobody expects us.
base::UniqueFd knock(const std::string& token, int in) {
  const Name name = name_of(token);
  const auto deadline = base::Deadline::in(kPatience);
  do {
    base::UniqueFd fd = make_socket(0);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.length) == 0)
      return is_our_user(fd.get()) ? std::move(fd) : base::UniqueFd();
  } while (!deadline.passed() && !wait_a_moment(in));
  return {};
}

// A message of one byte with room for one descriptor. Points into itself.
struct Envelope {
  explicit Envelope(char first) : byte(first) {
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = CMSG_LEN(sizeof(int));  // a second one, which would stay open, has no room
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  char byte;
  iovec bytes{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
};

bool hand_over(int to, int descriptor) {
  Envelope envelope(kHere);
  cmsghdr* header = CMSG_FIRSTHDR(&envelope.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return ::sendmsg(to, &envelope.message, MSG_NOSIGNAL) == 1;
}

// Nothing at the end of the stream.
std::optional<char> hear(int from) {
  std::array<std::byte, 1> word{};
  if (base::read_some(from, word) == 0) return std::nullopt;
  return static_cast<char>(word[0]);
}

}  // namespace

JoinDoor::JoinDoor(const std::string& token) : listener_(make_socket(SOCK_NONBLOCK)) {
  const Name name = name_of(token);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&name.address), name.length) != 0 ||
      ::listen(listener_.get(), static_cast<int>(protocol::kMostChannels)) != 0)
    base::throw_errno("the socket for further channels");
}

base::UniqueFd JoinDoor::let_in() const {
  base::UniqueFd visitor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  return visitor && is_our_user(visitor.get()) ? std::move(visitor) : base::UniqueFd();
}

std::optional<base::UniqueFd> take_descriptor(int visitor) {
  Envelope envelope(0);
  if (::recvmsg(visitor, &envelope.message, MSG_CMSG_CLOEXEC) != 1) return std::nullopt;
  const cmsghdr* header = CMSG_FIRSTHDR(&envelope.message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return std::nullopt;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  base::UniqueFd handed(descriptor);
  if (envelope.byte != kHere) return std::nullopt;
  return handed;
}

void welcome_visitor(int visitor) {
  base::write_all(visitor, std::string_view(&kWelcome, 1));
}

int join(const std::string& token, int in, int out) {
  const base::UniqueFd agent = knock(token, in);
  if (!agent || !hand_over(agent.get(), in)) return kExitNotWanted;
  if (hear(agent.get()) != kWelcome) return kExitNotWanted;
  base::write_all(out, protocol::kJoined);
  while (hear(agent.get())) {
  }
  return 0;
}

}  // namespace porter::agent
