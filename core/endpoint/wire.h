#pragma once
// Frames to and from one agent over one process stream, full duplex on the calling thread: while a send waits
// for room, what the agent says is taken in, so that two ends that both have much to say never wait for each
// other. Between calls a shared thread (pulse.h) sends beats. One user at a time, which Wire::Use holds.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/endpoint/endpoint.h"
#include "core/endpoint/outlet.h"
#include "core/endpoint/pack_level.h"
#include "core/protocol/frame_reader.h"
#include "core/protocol/messages.h"
#include "core/protocol/packer.h"
#include "core/protocol/patience.h"
#include "core/transport/transport.h"

namespace porter::endpoint {

class Wire {
 public:
  Wire(transport::Process process, std::string where, std::chrono::seconds idle_deadline,
       base::CancelToken cancel);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Sends what is queued and waits for the magic. False when the process ended without it: see noise() and
  // end_of_process().
  bool find_magic(base::Deadline deadline);
  std::string noise() const { return finder_.noise(); }
  // How the process ended, waiting some seconds for it. Throws unreachable when the connection broke.
  transport::ExitStatus end_of_process() const;
  std::string errors() const { return process_.errors->get(); }

  // The agent can unpack: what is worth it is sent packed from here on.
  void start_packing();
  // Starts beats and the idle deadline: after the greeting.
  void start_pulse();
  // How another channel to the agent is opened: starts what brings it there, given the token that the agent
  // was told (protocol::Stripe).
  using Opener = std::function<transport::Process(const std::string& token)>;
  void set_opener(Opener opener) { opener_ = std::move(opener); }

  // Held by whoever talks, and counted as a step of that name. Throws at once when the wire is dead already.
  // With it ends what widen() began.
  class Use {
   public:
    Use(Wire& wire, std::string_view step);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    // So many content bytes of the step need not be sent.
    void resumed(std::uint64_t bytes) { resumed_ += bytes; }

   private:
    void count(std::size_t channels) const;

    Wire& wire_;
    const std::string_view step_;
    std::unique_lock<std::mutex> lock_;
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    const TrafficCount before_;
    std::uint64_t resumed_ = 0;
  };

  // Queues a frame, and waits while too much is queued.
  template <class Message>
  void send(const Message& message) {
    send_frame(protocol::to_frame(message));
  }
  // What ends all waiting here, for work on the way.
  const base::CancelToken& cancel() const { return cancel_; }
  // So many bytes are going to be sent now. When they are many and the way is long, further channels are
  // opened for them, which take part as soon as they are there; it waits for nothing.
  void widen(std::uint64_t bytes);
  // This frame has reached the agent already, before anybody wants its answer (so many frames, or one
  // failure). The next send(), of the same frame, sends nothing; with another one that answer is dropped.
  void expect_ahead(std::string frame, std::size_t answers) { ahead_ = {std::move(frame), answers}; }
  // The next frame but beats. A failure frame is thrown as the error it carries.
  protocol::Frame receive();
  // The same, when it is there already.
  std::optional<protocol::Frame> receive_now();
  template <class Message>
  Message expect() {
    const protocol::Frame frame = receive();
    return guard([&] { return protocol::expect<Message>(frame); });
  }
  template <class Answer, class Message>
  Answer ask(const Message& message) {
    send(message);
    return expect<Answer>();
  }

  // Runs work(); an Error of it that says that the peer cannot be talked to any more ends the wire.
  template <class Work>
  auto guard(Work&& work) -> decltype(work()) {
    try {
      return work();
    } catch (const base::Error& error) {
      if (ends_wire(error)) die(error);
      throw;
    } catch (const base::Interrupted&) {
      die(base::Error(base::Code::unreachable, where_ + ": the connection was ended by an interruption"));
      throw;
    }
  }

  TrafficCount traffic() const;
  std::vector<StepCount> steps() const;
  const std::string& where() const { return where_; }
  // Sends what is queued (goodbye), as far as that goes within a second, and closes.
  void close();

  // For the pulse: never blocks, does nothing while the wire is in use.
  void beat_if_quiet() noexcept;

 private:
  void narrow() noexcept;
  [[noreturn]] void throw_broken(const transport::Process& channel);
  static bool ends_wire(const base::Error& error);
  // Throws when the wire is dead or closed.
  void check_open() const;
  void die(const base::Error& why);
  void send_frame(std::string frame);
  std::string pack(std::string frame);
  bool is_asked_already(const std::string& frame);
  void drop_answers(std::size_t count);
  // Moves bytes until `enough()`; throws timeout, unreachable, Interrupted.
  template <class Enough>
  void pump(Enough enough);
  // These are false at the end of the stream.
  bool wait(base::Deadline deadline);
  bool fill();
  bool drain();  // writes what fits
  void push_out();
  void take_in(std::string_view bytes);
  bool take_frames();  // false: none was whole
  bool has_room() const;
  bool has_frame();
  std::optional<protocol::Frame> take();
  [[noreturn]] void throw_ended();
  void beat_when_due();

  transport::Process process_;
  const std::string where_;
  const std::chrono::milliseconds idle_;
  const base::CancelToken cancel_;
  std::mutex busy_;
  struct Ahead {
    std::string frame;
    std::size_t answers = 0;
  };
  std::optional<Ahead> ahead_;
  protocol::MagicFinder finder_;
  bool greeted_ = false;
  protocol::FrameReader reader_;
  std::deque<protocol::Frame> inbox_;
  std::size_t inbox_bytes_ = 0;
  Outlet outlet_;
  Opener opener_;
  std::optional<protocol::Packer> packer_;
  PackLevel level_;
  std::chrono::steady_clock::time_point pack_began_;  // of the last frame
  std::chrono::duration<double> pack_time_{0};        // that it took
  bool asked_ = false;                                // something was sent since we last waited
  bool pulsing_ = false;
  protocol::Patience patience_;
  std::chrono::steady_clock::time_point last_out_;
  std::optional<base::Error> dead_;
  TrafficCount traffic_;
  std::vector<StepCount> steps_;  // guarded as traffic_ is
  mutable std::mutex traffic_mutex_;
};

}  // namespace porter::endpoint
