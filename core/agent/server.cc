#include "core/agent/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/agent/command_files.h"
#include "core/agent/command_sites.h"
#include "core/agent/command_stage.h"
#include "core/agent/server_facts.h"
#include "core/agent/server_input.h"
#include "core/agent/server_output.h"
#include "core/agent/server_pulse.h"
#include "core/agent/server_requests.h"
#include "core/agent/space.h"
#include "core/base/error.h"
#include "core/protocol/conversation.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;
using protocol::Frame;
using protocol::State;
using protocol::Type;

constexpr int kExitOk = 0;
constexpr int kExitLost = 2;
constexpr int kExitProtocol = 3;
constexpr std::size_t kDigestLimit = 256U << 20U;
constexpr std::size_t kNumbersInOneMessage = 32768;

// What the standard library says of a path is an answer, too, and not the agent's end.
void with_our_errors(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::filesystem::filesystem_error& error) {
    throw base::system_error(error.path1().string(), error.code().value());
  }
}

class Server {
 public:
  Server(Input& input, Output& output, base::CancelToken lost)
      : input_(input), output_(output), lost_(lost), sites_(std::move(lost)) {}
  ~Server() {
    stage_.reset();
    sites_.interrupt_stages();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int run() {
    while (const auto frame = input_.next()) {
      protocol::check_legal(state_, frame->type);
      if (frame->type == static_cast<std::uint8_t>(Type::goodbye)) return kExitOk;
      take(*frame);
    }
    return kExitLost;
  }

 private:
  // Runs a command; its Error is the answer, and the agent goes on.
  void answer(const std::function<void()>& command) {
    try {
      with_our_errors(command);
    } catch (const Error& error) {
      output_.send(failure(error));
    }
  }

  protocol::Failure failure(const Error& error) const {
    return protocol::to_failure(with_space_hint(error, place_));
  }

  void take(const Frame& frame) {
    switch (state_) {
      case State::greeting:
        return welcome(protocol::expect<protocol::Welcome>(frame));
      case State::ready:
        return request(frame);
      case State::digests:
        return digests(protocol::expect<protocol::FolderDigests>(frame));
      case State::writing:
        return write_data(protocol::expect<protocol::WriteData>(frame));
      case State::planning:
      case State::announcing:
      case State::content:
      case State::resend:
      case State::spoilt:
        return stage_part(frame);
    }
  }

  void welcome(const protocol::Welcome& message) {
    if (message.major != protocol::kMajor)
      throw Error(Code::protocol, fmt::format("this agent speaks protocol {}, the other end {}",
                                              protocol::kMajor, message.major));
    const std::chrono::seconds idle(std::max<std::uint32_t>(message.idle_seconds, 1));
    input_.set_greeted(idle);
    const auto& features = message.features;
    if (std::find(features.begin(), features.end(), protocol::kPacking) != features.end())
      output_.start_packing();
    pulse_.emplace(output_, std::chrono::milliseconds(idle) / 4);
    state_ = State::ready;
  }

  void request(const Frame& frame);
  // How a round of content ended: with files that did not arrive as they should, or with all of it in place.
  struct Round {
    std::vector<protocol::FileNumber> missing;
    protocol::StageReport report;
  };
  void stage_part(const Frame& frame);
  std::optional<Round> stage_content(const Frame& frame);
  Round end_round();
  void tell(const Round& round);

  void done() { output_.send(protocol::Done{}); }

  // What follows these is taken to its end even when the beginning failed: the answer comes then.
  void stage_begin(const protocol::StageBegin& ask) {
    later_ = std::nullopt;
    place_ = place_of(ask);
    keep_error([&] { stage_.emplace(output_, sites_.open(ask.request.site), ask, lost_); });
    state_ = State::digests;
  }
  void compare_begin(const protocol::CompareBegin& ask) {
    later_ = std::nullopt;
    compare_ = ask;
    state_ = State::digests;
  }
  void digests(const protocol::FolderDigests& message);
  // `make` gives the Receiver of what is written.
  template <class Message, class Make>
  void write_begin(const Message& ask, Make make) {
    later_ = std::nullopt;
    place_ = place_of(ask);
    keep_error([&] { write_ = make(ask); });
    state_ = State::writing;
  }
  void write_data(const protocol::WriteData& message);

  void keep_error(const std::function<void()>& work) {
    try {
      if (!later_) with_our_errors(work);
    } catch (const Error& error) {
      later_ = error;
    }
  }

  Input& input_;
  Output& output_;
  base::CancelToken lost_;
  State state_ = State::greeting;
  std::optional<Error> later_;
  std::string place_;  // what the command at hand is about
  Sites sites_;
  std::optional<StageCommand> stage_;
  std::optional<protocol::CompareBegin> compare_;
  std::string digests_;
  std::unique_ptr<Receiver> write_;
  std::optional<Pulse> pulse_;
};

void Server::request(const Frame& frame) {
  switch (static_cast<Type>(frame.type)) {
    case Type::stage_begin:
      return stage_begin(protocol::expect<protocol::StageBegin>(frame));
    case Type::compare_begin:
      return compare_begin(protocol::expect<protocol::CompareBegin>(frame));
    case Type::write_begin:
      return write_begin(protocol::expect<protocol::WriteBegin>(frame), [](const auto& ask) {
        return std::make_unique<FileReplacement>(ask.path, ask.mode);
      });
    case Type::install_begin:
      return write_begin(protocol::expect<protocol::InstallBegin>(frame),
                         [this](const auto& ask) { return sites_.install_file(ask); });
    default:
      break;
  }
  const Request asked = read_request(frame, sites_, output_, lost_);
  place_ = asked.place;
  answer(asked.work);
}

void Server::digests(const protocol::FolderDigests& message) {
  digests_ += message.piece.bytes;
  if (digests_.size() > kDigestLimit) throw Error(Code::protocol, "folder digests beyond all measure");
  if (!message.piece.last) return;
  const std::string all = std::exchange(digests_, {});
  const auto compare = std::exchange(compare_, std::nullopt);
  state_ = State::ready;
  answer([&] {
    if (later_) throw Error(*later_);
    if (compare) {
      const Site site = sites_.at(compare->site.path, compare->site.layout);
      return send_base_part(output_,
                            *base_tree(site, to_identity(compare->identity), to_keeps(compare->keeps)), all);
    }
    try {
      stage_->send_base(all);
    } catch (...) {
      stage_.reset();
      throw;
    }
    state_ = State::planning;
  });
}

void Server::stage_part(const Frame& frame) {
  const auto type = static_cast<Type>(frame.type);
  if (type == Type::stage_abort) {
    stage_.reset();
    state_ = State::ready;
    return done();
  }
  if (state_ == State::spoilt) return;
  std::optional<Round> round;
  try {
    round = stage_content(frame);
  } catch (const Error& error) {
    const protocol::Failure told = failure(error);  // of the disk as it is before the stage is given up
    stage_->discard();
    stage_.reset();
    state_ = State::spoilt;
    output_.send(told);
  }
  // Apart from the work: that nobody is left to hear it is not the stage's failure, and what arrived is kept.
  if (round) tell(*round);
}

std::optional<Server::Round> Server::stage_content(const Frame& frame) {
  switch (static_cast<Type>(frame.type)) {
    case Type::wanted_tree: {
      const auto message = protocol::expect<protocol::WantedTree>(frame);
      stage_->wanted_piece(message.piece);
      if (message.piece.last) state_ = State::announcing;
      break;
    }
    case Type::files_to_come: {
      auto message = protocol::expect<protocol::FilesToCome>(frame);
      const bool last = message.last;
      stage_->files_to_come(std::move(message));
      if (last) state_ = State::content;
      break;
    }
    case Type::batch:
      stage_->batch(protocol::expect<protocol::Batch>(frame));
      break;
    case Type::content:
      stage_->content(protocol::expect<protocol::ContentPiece>(frame));
      break;
    case Type::copies:
      stage_->copies(protocol::expect<protocol::Copies>(frame));
      break;
    case Type::delta:
      stage_->delta(protocol::expect<protocol::DeltaPiece>(frame));
      break;
    default:
      return end_round();
  }
  return std::nullopt;
}

Server::Round Server::end_round() {
  Round round{stage_->missing(), {}};
  if (round.missing.empty()) {
    round.report = stage_->finish();
    stage_.reset();
    state_ = State::ready;
  } else {
    state_ = State::resend;
  }
  return round;
}

void Server::tell(const Round& round) {
  const std::vector<protocol::FileNumber>& missing = round.missing;
  if (missing.empty()) return output_.send(protocol::Staged{round.report});
  for (std::size_t from = 0; from < missing.size(); from += kNumbersInOneMessage) {
    const std::size_t to = std::min(missing.size(), from + kNumbersInOneMessage);
    protocol::Missing message{to == missing.size(), {}};
    message.files.assign(missing.begin() + static_cast<std::ptrdiff_t>(from),
                         missing.begin() + static_cast<std::ptrdiff_t>(to));
    output_.send(message);
  }
}

void Server::write_data(const protocol::WriteData& message) {
  keep_error([&] {
    write_->write(message.piece.bytes);
    if (message.piece.last) write_->finish();
  });
  if (!message.piece.last) return;
  write_.reset();
  state_ = State::ready;
  answer([&] {
    if (later_) throw Error(*later_);
    done();
  });
}

}  // namespace

int serve(int in, int out, const std::string& said) {
  Output output(out);
  try {
    output.raw(protocol::kMagic);
    output.send(protocol::HelloMessage{gather_facts()});
    const base::CancelToken lost;
    Input input(in, said, lost);
    Server server(input, output, lost);
    try {
      return server.run();
    } catch (const Error& error) {
      output.send(protocol::to_failure(error));
      return kExitProtocol;
    }
  } catch (const base::Interrupted&) {
    return kExitLost;
  } catch (const Error&) {
    return kExitLost;
  }
}

}  // namespace porter::agent
