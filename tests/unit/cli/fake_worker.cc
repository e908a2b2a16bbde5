// A worker without an engine: it does what the request's message says, one word after another. What a settler
// does stands behind a "|".
//   started:WHO  fired:WHO  failure:TEXT  talk:TEXT    that event; handlers are of SIG_ACTIVATE of web on one
//   stop                                               waits for Stop
//   child                                              leaves a process behind that holds the line
//   close                                              closes the line
//   finish:CODE  exit:STATUS  signal:NUMBER  wait      the end; wait: until somebody ends it

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "core/base/text.h"
#include "core/engine/request.h"
#include "core/event/channel.h"
#include "core/event/codec.h"
#include "core/event/reply.h"

using namespace porter;

namespace {

[[noreturn]] void wait() {
  for (;;)
    ::pause();
}

void await_stop(event::Channel& channel) {
  while (const auto message = channel.receive(base::Deadline::never(), {})) {
    if (std::holds_alternative<event::Stop>(event::decode_reply(*message))) return;
  }
  std::exit(1);
}

void tell(event::Channel& channel, const event::Event& event) {
  channel.send(event::encode(event, base::WallTime()));
}

void obey(event::Channel& channel, const std::string& word) {
  const std::size_t colon = word.find(':');
  const std::string verb = word.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : word.substr(colon + 1);
  const int number = static_cast<int>(base::parse_integer(rest).value_or(0));
  if (verb == "started")
    tell(channel, event::SignalStarted{"SIG_ACTIVATE", "web", "one", rest, "plugin " + rest + " 1.0"});
  if (verb == "fired") tell(channel, event::SignalFired{"SIG_ACTIVATE", "web", "one", rest, 0.1});
  if (verb == "failure") tell(channel, event::Failure{"one", "web", 501, rest});
  if (verb == "deployed") tell(channel, event::ModuleFinished());
  if (verb == "talk") tell(channel, event::Talk{event::Level::info, "", "", "", rest});
  if (verb == "stop") await_stop(channel);
  if (verb == "child" && ::fork() == 0) wait();
  if (verb == "close") ::close(channel.descriptor());
  if (verb == "finish") tell(channel, event::RunFinished{number, "", 1, "", ""});
  if (verb == "exit") ::_exit(number);
  if (verb == "signal") ::raise(number);
  if (verb == "wait") wait();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  event::Channel channel{base::UniqueFd(std::atoi(arguments[2]))};
  const engine::Request request =
      engine::decode_request(channel.receive(base::Deadline::never(), {}).value());
  const std::vector<std::string> parts = base::split(request.message, '|');
  for (const std::string& word : base::split(parts.at(request.action == engine::Action::settle ? 1 : 0), ' '))
    obey(channel, word);
  return 0;
}
