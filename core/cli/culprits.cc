#include "core/cli/culprits.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"

namespace porter::cli {
namespace {

std::string describe_one(const event::SignalStarted& handler) {
  std::string text = fmt::format("{} handled {} of {}", handler.who, handler.signal, handler.module);
  if (!handler.host.empty()) text += " on " + handler.host;
  return text;
}

}  // namespace

void Culprits::handle(const event::Event& event) {
  if (const auto* started = std::get_if<event::SignalStarted>(&event)) running_.push_back(*started);
  const auto* fired = std::get_if<event::SignalFired>(&event);
  if (fired == nullptr) return;
  // The last of its kind: a handler may have emitted its own signal once more.
  const auto found =
      std::find_if(running_.rbegin(), running_.rend(), [&](const event::SignalStarted& started) {
        return started.signal == fired->signal && started.module == fired->module &&
               started.host == fired->host && started.handler == fired->handler;
      });
  if (found != running_.rend()) running_.erase(std::next(found).base());
}

std::string Culprits::describe() const {
  constexpr std::size_t kMost = 8;  // a handler may wait for its target on many hosts at once
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < std::min(running_.size(), kMost); ++i)
    texts.push_back(describe_one(running_[i]));
  if (running_.size() > kMost) texts.push_back(fmt::format("{} more", running_.size() - kMost));
  return base::join(texts, " and ");
}

}  // namespace porter::cli
