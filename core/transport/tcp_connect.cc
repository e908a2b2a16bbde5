#include "core/transport/tcp_connect.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/transport/latch.h"

namespace porter::transport {
namespace {

using base::Code;
using base::Error;

struct AddressListDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListDeleter>;

// Shared with the thread that looks the name up and may outlive our patience.
struct LookUp {
  Latch done;
  int failure = 0;
  AddressList list;
};

AddressList resolve(const std::string& host, int port, base::Deadline deadline,
                    const base::CancelToken& cancel) {
  auto look_up = std::make_shared<LookUp>();
  std::thread([look_up, host, port] {
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    look_up->failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    look_up->list.reset(list);
    look_up->done.open();
  }).detach();
  look_up->done.wait(deadline, cancel);
  if (look_up->failure == 0) return std::move(look_up->list);
  throw Error(Code::unreachable,
              fmt::format("the name {} cannot be looked up: {}", host, ::gai_strerror(look_up->failure)));
}

// The errno of the attempt, 0 when connected.
int attempt(int fd, const addrinfo& address, base::Deadline deadline, const base::CancelToken& cancel) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  base::wait_writable(fd, deadline, cancel);
  int failure = 0;
  socklen_t length = sizeof failure;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length);
  return failure;
}

// An address that does not answer must not use up the time of those after it.
base::Deadline share(base::Deadline deadline, std::size_t addresses_left) {
  if (deadline.is_never() || addresses_left <= 1) return deadline;
  const auto left = deadline.moment() - std::chrono::steady_clock::now();
  return base::Deadline::in(
      std::chrono::ceil<std::chrono::milliseconds>(left / static_cast<long>(addresses_left)));
}

}  // namespace

base::UniqueFd tcp_connect(const std::string& host, int port, base::Deadline deadline,
                           const base::CancelToken& cancel) {
  const AddressList list = resolve(host, port, deadline, cancel);
  std::vector<const addrinfo*> addresses;
  for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next)
    addresses.push_back(each);
  int failure = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const addrinfo& address = *addresses[i];
    base::UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) base::throw_errno("socket");
    try {
      failure = attempt(fd.get(), address, share(deadline, addresses.size() - i), cancel);
    } catch (const Error& error) {
      if (error.code() != Code::timeout || i + 1 == addresses.size()) throw;
      failure = ETIMEDOUT;
    }
    const int one = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (failure == 0) return fd;
  }
  throw Error(Code::unreachable, failure == 0 ? "the name has no address" : std::strerror(failure));
}

}  // namespace porter::transport
