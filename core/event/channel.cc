#include "core/event/channel.h"

#include <array>
#include <cstring>
#include <span>

#include "core/base/error.h"

namespace porter::event {
namespace {

constexpr std::uint32_t kLongestMessage = 64U << 20U;  // a dry run may name every path of a large tree

// Fills `into`; false when the line ended before its first byte.
bool read_exactly(int fd, std::span<std::byte> into, base::Deadline deadline,
                  const base::CancelToken& cancel) {
  std::size_t have = 0;
  while (have < into.size()) {
    base::wait_readable(fd, deadline, cancel);
    const std::size_t got = base::read_some(fd, into.subspan(have));
    if (got == 0 && have == 0) return false;
    if (got == 0)
      throw base::Error(base::Code::protocol, "the line between the processes ended inside a message");
    have += got;
  }
  return true;
}

}  // namespace

void Channel::send(std::string_view message) {
  const auto length = static_cast<std::uint32_t>(message.size());
  if (message.size() > kLongestMessage)
    throw base::Error(base::Code::internal, "a message longer than the line allows");
  const std::lock_guard lock(sending_);
  base::write_all(socket_.get(), std::as_bytes(std::span(&length, 1)));
  base::write_all(socket_.get(), message);
}

std::optional<std::string> Channel::receive(base::Deadline deadline, const base::CancelToken& cancel) {
  std::uint32_t length = 0;
  if (!read_exactly(socket_.get(), std::as_writable_bytes(std::span(&length, 1)), deadline, cancel))
    return std::nullopt;
  if (length > kLongestMessage)
    throw base::Error(base::Code::protocol, "a message longer than the line allows");
  std::string message(length, '\0');
  if (length > 0 &&
      !read_exactly(socket_.get(), std::as_writable_bytes(std::span(message)), deadline, cancel)) {
    throw base::Error(base::Code::protocol, "the line between the processes ended inside a message");
  }
  return message;
}

}  // namespace porter::event
