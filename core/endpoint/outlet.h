#pragma once
// What waits to be sent to one agent, and the channels that it leaves by: one, or for a while several,
// between which the stream is cut into stripes (core/protocol/stripes.h). A channel takes part once the agent
// has said on it that it has it; one that never gets that far is not missed. Nothing here blocks. Belongs to
// whoever holds the wire.

#include <poll.h>

#include <cstdint>
#include <deque>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/protocol/frame.h"
#include "core/transport/transport.h"

namespace porter::endpoint {

// Bytes that wait, first in, first out. Takes no more memory than they do, and none when nothing waits.
class Backlog {
 public:
  void add(std::string bytes);
  void drop(std::size_t count);
  std::size_t size() const { return size_; }
  // Of what waits the first piece; empty when nothing does.
  std::string_view ready() const;

 private:
  std::deque<std::string> pieces_;  // none is empty
  std::size_t start_ = 0;           // of the first one
  std::size_t size_ = 0;
};

class Outlet {
 public:
  // Non-blocking; stays the caller's.
  explicit Outlet(int first) { first_.fd = first; }

  void add(std::string bytes) { queue_.add(std::move(bytes)); }
  // Bytes that no channel has taken yet.
  std::size_t waiting() const;
  std::uint64_t sent() const { return sent_; }
  // Hands over what the channels take at once. False when the reader of the first one has gone.
  bool drain();

  // What is added from here on travels in stripes, over the first channel and these.
  void begin_stripes(std::vector<transport::Process> more);
  // The same over the first channel alone again. What was given to the others still gets there.
  void end_stripes();
  bool in_stripes() const { return in_stripes_; }
  // How many channels the stripes have taken so far; 1 when there are none.
  std::size_t channels() const;

  // For poll(2): what the first channel waits for, and the others' own entries, as heard() wants them back.
  short wanted() const;
  void add_wanted(std::vector<pollfd>& list) const;
  void heard(std::span<const pollfd> list);
  // A channel that had taken part, and has ended.
  const transport::Process* broken() const { return broken_; }

  // The connection is over: forgets everything.
  void close();

 private:
  enum class State { opening, open, leaving, over };
  struct Channel {
    int fd = -1;
    State state = State::open;
    Backlog bytes;  // taken from the queue
    std::uint64_t stripes = 0;
    transport::Process process;
    protocol::MagicFinder joined{protocol::kJoined};
  };

  bool has_work(const Channel& channel) const;
  bool cut(Channel& channel);
  std::size_t hand_over(Channel& channel, std::size_t most);
  bool push(Channel& channel, Backlog& bytes);
  bool deal_out();
  void leave(Channel& channel);
  void lose(Channel& channel);
  void hear(Channel& channel);
  std::vector<Channel*> ready();

  Channel first_;
  std::list<Channel> others_;
  Backlog queue_;
  bool in_stripes_ = false;
  std::uint64_t next_ = 0;  // stripe
  std::uint64_t sent_ = 0;
  bool gone_ = false;
  const transport::Process* broken_ = nullptr;
};

}  // namespace porter::endpoint
