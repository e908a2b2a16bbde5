#include "core/cli/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "core/base/text.h"
#include "core/event/codec.h"

namespace porter::cli {
namespace {

using Clock = Meter::Clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);  // ten times a second is smooth enough
constexpr auto kPlainProgress = std::chrono::seconds(5);

// No more bytes than a line has columns, and no half character at the end.
std::string shortened(std::string text, std::size_t width) {
  if (text.size() <= width) return text;
  const auto continues = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; };
  while (width > 0 && continues(text[width]))
    --width;
  text.resize(width);
  return text;
}

const char* colour_of(event::Outcome outcome) {
  switch (outcome) {
    case event::Outcome::deployed:
    case event::Outcome::unchanged:
      return "32";
    case event::Outcome::rolled_back:  // what a rollback wants, and what saves a deploy
      return "33";
    case event::Outcome::failed:
    case event::Outcome::not_activated:
    case event::Outcome::rollback_failed:
      break;
  }
  return "31";
}

class Colours {
 public:
  explicit Colours(bool on) : on_(on) {}
  std::string of(const event::Event& event, const std::string& text) const {
    if (!on_) return text;
    if (std::holds_alternative<event::Failure>(event)) return paint("31", text);
    if (const auto* talk = std::get_if<event::Talk>(&event)) {
      return talk->level == event::Level::warning ? paint("33", text) : text;
    }
    if (const auto* done = std::get_if<event::ModuleFinished>(&event)) {
      return paint(colour_of(done->outcome), text);
    }
    return text;
  }

 private:
  static std::string paint(const char* code, const std::string& text) {
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
  }
  bool on_;
};

class PlainView : public View {
 public:
  PlainView(const base::World& world, Detail detail) : world_(world), detail_(detail) {}

  void handle(const event::Event& event) noexcept override {
    if (const auto result = describe_result(event)) *world_.out << *result << '\n' << std::flush;
    if (const auto* progress = std::get_if<event::Progress>(&event)) show(*progress);
    if (const auto line = describe(event, detail_)) *world_.err << *line << '\n' << std::flush;
  }

 private:
  void show(const event::Progress& progress) {
    if (detail_ == Detail::quiet) return;
    const auto now = Clock::now();
    Meter& meter = meters_[progress.host + '\n' + progress.module];
    meter.update(progress, now);
    if (now - last_shown_ < kPlainProgress) return;
    last_shown_ = now;
    *world_.err << meter.text() << '\n' << std::flush;
  }

  const base::World& world_;
  Detail detail_;
  std::map<std::string, Meter> meters_;
  Clock::time_point last_shown_ = Clock::now();
};

class LiveView : public View {
 public:
  LiveView(const base::World& world, Detail detail)
      : world_(world), detail_(detail), colours_(!world.variable("NO_COLOR")) {}

  void handle(const event::Event& event) noexcept override {
    if (const auto result = describe_result(event)) {
      erase();
      *world_.out << *result << '\n' << std::flush;
    }
    if (const auto* progress = std::get_if<event::Progress>(&event))
      meters_[progress->host].update(*progress, Clock::now());
    if (const auto* done = std::get_if<event::ModuleFinished>(&event)) meters_.erase(done->host);
    if (const auto line = describe(event, detail_)) {
      erase();
      *world_.err << colours_.of(event, *line) << '\n' << std::flush;
    }
    draw();
  }

  void pause() override { erase(); }

 private:
  void erase() {
    for (; drawn_ > 0; --drawn_)
      *world_.err << "\x1b[1A\x1b[2K";
    *world_.err << std::flush;
    last_drawn_ = {};
  }

  void draw() {
    const auto now = Clock::now();
    if (detail_ == Detail::quiet || now - last_drawn_ < kRedraw) return;
    erase();
    last_drawn_ = now;
    constexpr std::size_t kMostLines = 12;  // a screen is short, a fleet is not
    for (const auto& [host, meter] : meters_) {
      if (drawn_ == kMostLines) break;
      const auto width = static_cast<std::size_t>(std::max(world_.terminal_width - 1, 20));
      *world_.err << shortened(meter.text(), width) << '\n';
      ++drawn_;
    }
    *world_.err << std::flush;
  }

  const base::World& world_;
  Detail detail_;
  Colours colours_;
  std::map<std::string, Meter> meters_;
  std::size_t drawn_ = 0;
  Clock::time_point last_drawn_;
};

class JsonView : public View {
 public:
  explicit JsonView(const base::World& world) : world_(world) {}

  void handle(const event::Event& event) noexcept override {
    *world_.out << event::encode(event, world_.now()) << '\n' << std::flush;
    if (std::holds_alternative<event::Failure>(event))
      *world_.err << *describe(event, Detail::quiet) << '\n' << std::flush;
  }

 private:
  const base::World& world_;
};

}  // namespace

void Meter::update(const event::Progress& progress, Clock::time_point now) {
  const bool fresh = !running_ || progress.done < last_.done || progress.module != last_.module;
  if (fresh) began_ = now;
  running_ = true;
  last_ = progress;
  seconds_ = std::chrono::duration<double>(now - began_).count();
}

std::string Meter::text() const {
  std::string line =
      fmt::format("{} {} {} {} of {}", base::printable(last_.host), base::printable(last_.module),
                  last_.phase, base::format_bytes(last_.done), base::format_bytes(last_.total));
  constexpr double kTooEarly = 0.2;  // seconds; a rate from less is noise
  if (seconds_ < kTooEarly || last_.done == 0) return line;
  const double rate = static_cast<double>(last_.done) / seconds_;
  const auto left = static_cast<double>(last_.total - std::min(last_.done, last_.total));
  return line + fmt::format(", {}/s, {} left", base::format_bytes(static_cast<std::uint64_t>(rate)),
                            base::format_seconds(left / rate));
}

std::unique_ptr<View> make_view(const base::World& world, Format format, Detail detail) {
  if (format == Format::json) return std::make_unique<JsonView>(world);
  if (world.err_is_terminal && world.variable("TERM") != "dumb")
    return std::make_unique<LiveView>(world, detail);
  return std::make_unique<PlainView>(world, detail);
}

}  // namespace porter::cli
