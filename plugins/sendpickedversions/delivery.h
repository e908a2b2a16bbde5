#pragma once
// Brings reports to where send-data-url says, and guards the run's time while it does. One Delivery serves a
// whole run; any thread may call it, and posts go out one after the other.

#include <chrono>
#include <mutex>
#include <set>
#include <string>

#include <porter/services.h>

#include "core/http/client.h"
#include "core/inventory/payload.h"

namespace porter::sendpickedversions {

class Delivery {
 public:
  // All posts of a run together, name lookup to last byte, take at most this.
  static constexpr std::chrono::milliseconds kBudget{2000};

  // "" prints the report, file:///PATH writes it, http and https post it as the form field `data`. Throws
  // nothing that has to do with the delivery: what went wrong becomes a warning in `log`. Once a server could
  // not be reached or did not answer, later reports to it are skipped silently (that warning said so).
  void deliver(const std::string& url, const inventory::PickedVersions& report, Log& log);

 private:
  void post(const std::string& url, const inventory::PickedVersions& report, Log& log);
  bool skipped(const std::string& url, Log& log);
  http::Response exchange(const std::string& url, const std::string& json);

  std::mutex mutex_;  // guards all below; held during an exchange, so waiting for it is bounded by kBudget
  std::chrono::steady_clock::duration spent_{};
  std::set<std::string> given_up_;
  bool said_spent_ = false;
};

// The address as it is posted to: with a "/" at the end, unless it carries a query or a fragment.
std::string with_slash(const std::string& url);

// Why the server did not take the report, or "" when it did. Whiskers refuses with status 200 and a sentence.
std::string refusal(const http::Response& response);

}  // namespace porter::sendpickedversions
