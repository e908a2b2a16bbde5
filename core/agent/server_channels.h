#pragma once
// The channels that the agent hears: its standard input, and for a while others beside it (join.h), over
// which one stream then travels in stripes (core/protocol/stripes.h). Whoever brings one is welcome as long
// as that lasts. Belongs to one thread.

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/agent/join.h"
#include "core/base/fd.h"
#include "core/protocol/stripes.h"

namespace porter::agent {

class Channels {
 public:
  // `first` stays the caller's.
  explicit Channels(int first);
  ~Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  // What was heard: bytes of the stream, in order.
  struct Heard {
    bool over = false;       // the stream has ended, or `stop` has become readable
    std::size_t count = 0;   // bytes that came, in order or not
    std::string_view bytes;  // until the next call
  };
  // Waits so many milliseconds at most. Throws Error(protocol) for stripes that make no sense, Error(io).
  Heard hear(int stop, int timeout);

  // From here on the stream is stripes, of which `came` is the beginning; gives back what that holds. Throws
  // Error(protocol) when it is stripes already.
  std::string_view begin_stripes(const std::string& token, std::string_view came);

 private:
  struct Visitor {
    base::UniqueFd socket;
    base::UniqueFd stream;  // once it was handed over
    std::size_t channel = 0;
  };

  void find_wanted(int stop);
  std::size_t read(int fd);
  bool read_first(Heard& heard);
  void hear_visitor(Visitor& visitor, Heard& heard);
  void take_in(Visitor& visitor);
  void let_in();
  void end_stripes();

  const int first_;
  std::vector<char> buffer_;
  std::string ordered_;
  std::vector<pollfd> wanted_;
  // While the stream is stripes.
  std::optional<protocol::StripeMerger> merger_;
  std::optional<JoinDoor> door_;
  std::vector<Visitor> visitors_;
};

}  // namespace porter::agent
