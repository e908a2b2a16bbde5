#include "core/agent/server_requests.h"

#include <utility>

#include "core/agent/command_files.h"
#include "core/agent/command_run.h"
#include "core/protocol/messages.h"

namespace porter::agent {
namespace {

using protocol::Frame;
using protocol::Type;

// A frame holds at most 1 MiB, a line a path or a message and a few words.
constexpr std::size_t kLinesInOneFrame = 1000;
constexpr std::size_t kBytesInOneFrame = 512U << 10U;

std::size_t size_of(const protocol::Difference& line) {
  return line.path.size() + line.what.size();
}

std::size_t size_of(const protocol::HistoryRecord& line) {
  return line.who.size() + line.version.size() + line.config.size() + line.message.size();
}

template <class Lines, class Line>
void send_lines(std::vector<Line> all, Output& output) {
  Lines some;
  std::size_t bytes = 0;
  for (Line& line : all) {
    if (some.lines.size() == kLinesInOneFrame || bytes > kBytesInOneFrame) {
      output.send(std::exchange(some, {}));
      bytes = 0;
    }
    bytes += size_of(line);
    some.lines.push_back(std::move(line));
  }
  some.last = true;
  output.send(some);
}

void read_file(const protocol::ReadFile& ask, Output& output) {
  read_in_pieces(ask.path, ask.limit, [&output](std::string bytes, bool last) {
    output.send(protocol::FileData{{last, std::move(bytes)}});
  });
}

// Makes requests of a frame: the message, decoded, and what to do with it.
class Requests {
 public:
  Requests(const Frame& frame, Sites& sites, Output& output)
      : frame_(frame), sites_(sites), output_(output) {}

  // `work` sends the answer itself.
  template <class Message, class Work>
  Request stream(Work work) const {
    Message message = protocol::expect<Message>(frame_);
    std::string place = place_of(message);
    return {std::move(place),
            [message = std::move(message), work, &output = output_] { work(message, output); }};
  }
  // `work` gives the answer.
  template <class Message, class Work>
  Request answer(Work work) const {
    return stream<Message>([work](const Message& ask, Output& output) { output.send(work(ask)); });
  }
  template <class Message, class Work>
  Request done(Work work) const {
    return stream<Message>([work](const Message& ask, Output& output) {
      work(ask);
      output.send(protocol::Done{});
    });
  }
  template <class Message>
  Request site(void (Sites::*work)(const Message&)) const {
    return done<Message>([work, &sites = sites_](const Message& ask) { (sites.*work)(ask); });
  }

 private:
  const Frame& frame_;
  Sites& sites_;
  Output& output_;
};

Request path_command(const Frame& frame, const Requests& requests, const base::CancelToken& lost) {
  switch (static_cast<Type>(frame.type)) {
    case Type::run:
      return requests.answer<protocol::Run>(
          [lost](const auto& ask) { return protocol::RunEnded{run_program(ask.request, lost)}; });
    case Type::stat:
      return requests.answer<protocol::AskStat>(
          [](const auto& ask) { return protocol::StatAnswer{path_state(ask.path)}; });
    case Type::read_file:
      return requests.stream<protocol::ReadFile>(read_file);
    case Type::remove:
      return requests.done<protocol::RemovePath>([](const auto& ask) { remove_path(ask.path); });
    case Type::rename:
      return requests.done<protocol::RenamePath>([](const auto& ask) { rename_path(ask.from, ask.to); });
    case Type::make_folder:
      return requests.done<protocol::MakeFolder>([](const auto& ask) { make_folder(ask.path, ask.mode); });
    case Type::make_link:
      return requests.done<protocol::MakeLink>([](const auto& ask) { make_link(ask.path, ask.target); });
    default:
      protocol::throw_unexpected(frame.type, "a request");
  }
}

// Those that need no lock.
Request question(const Frame& frame, const Requests& requests, Sites& sites, const base::CancelToken& lost) {
  switch (static_cast<Type>(frame.type)) {
    case Type::look:
      return requests.stream<protocol::Look>([&sites](const auto& ask, Output& output) {
        for (const protocol::SiteQuery& query : ask.sites)
          output.send(protocol::Looked{sites.look(query)});
        sites.foresee_stages();  // after the last look before a stage, while the operator's side prepares
      });
    case Type::history:
      return requests.stream<protocol::AskHistory>([&sites](const auto& ask, Output& output) {
        send_lines<protocol::HistoryLines>(sites.history(ask), output);
      });
    case Type::differences:
      return requests.stream<protocol::AskDifferences>([&sites](const auto& ask, Output& output) {
        send_lines<protocol::DifferenceLines>(sites.differences(ask.query), output);
      });
    default:
      return path_command(frame, requests, lost);
  }
}

}  // namespace

Request read_request(const Frame& frame, Sites& sites, Output& output, const base::CancelToken& lost) {
  const Requests requests(frame, sites, output);
  switch (static_cast<Type>(frame.type)) {
    case Type::lock:
      return requests.done<protocol::LockSite>([&sites](const auto& ask) { sites.lock(ask.request); });
    case Type::unlock:
      return requests.done<protocol::UnlockSite>([&sites](const auto& ask) { sites.unlock(ask.site); });
    case Type::seal:
      return requests.answer<protocol::SealStage>(
          [&sites](const auto& ask) { return protocol::Sealed{sites.seal(ask)}; });
    case Type::activate:
      return requests.site(&Sites::activate);
    case Type::reseal:
      return requests.answer<protocol::Reseal>(
          [&sites](const auto& ask) { return protocol::Sealed{sites.reseal(ask)}; });
    case Type::revert:
      return requests.site(&Sites::revert);
    case Type::commit:
      return requests.answer<protocol::Commit>(
          [&sites](const auto& ask) { return protocol::Committed{sites.commit(ask)}; });
    case Type::discard:
      return requests.site(&Sites::discard);
    case Type::add_undo:
      return requests.site(&Sites::add_undo);
    case Type::place_files:
      return requests.site(&Sites::place_files);
    case Type::mark:
      return requests.site(&Sites::mark);
    case Type::freeze:
      return requests.site(&Sites::freeze);
    case Type::unfreeze:
      return requests.site(&Sites::unfreeze);
    default:
      return question(frame, requests, sites, lost);
  }
}

}  // namespace porter::agent
