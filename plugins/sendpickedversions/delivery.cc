#include "plugins/sendpickedversions/delivery.h"

#include <fmt/format.h>

#include <array>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::sendpickedversions {

namespace {

using inventory::JsonStyle;
using inventory::picked_versions_json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::string_view kFile = "file://";

std::string first_line(const std::string& body) {
  constexpr std::size_t kLongest = 200;
  const std::string_view text = base::trim(body);
  const std::string_view line = base::trim(text.substr(0, text.find('\n')));
  return base::printable(http::redact_urls(line.substr(0, kLongest)));
}

void warn(Log& log, const base::Error& error, std::string_view consequence) {
  std::string text = "report not delivered: " + error.message() + std::string(consequence);
  if (!error.hint_text().empty()) text += "\nhint: " + error.hint_text();
  log.write(LogLevel::warning, text);
}

void write_report(const std::string& url, const inventory::PickedVersions& report, Log& log) {
  const std::string path = url.substr(kFile.size());
  if (!path.starts_with('/'))
    throw base::Error(base::Code::bad_value,
                      fmt::format("send-data-url {}: the path is not absolute", http::redact_url(url)))
        .hint("write file:///folder/report.json, with three slashes");
  base::write_file(path, picked_versions_json(report, JsonStyle::indented) + "\n");
  log.write(LogLevel::info, "report written to " + base::printable(path));
}

}  // namespace

std::string with_slash(const std::string& url) {
  const bool complete = url.ends_with('/') || url.find_first_of("?#") != std::string::npos;
  return complete ? url : url + "/";
}

std::string refusal(const http::Response& response) {
  constexpr std::array<std::string_view, 4> kSentences = {"Adding information failed", "Not a valid request",
                                                          "No data.", "No changes with existing data"};
  std::string said = first_line(response.body);
  if (!response.ok())
    return fmt::format("HTTP status {}{}{}", response.status, said.empty() ? "" : ": ", said);
  for (const std::string_view sentence : kSentences)
    if (said.starts_with(sentence)) return said;
  return "";
}

void Delivery::deliver(const std::string& url, const inventory::PickedVersions& report, Log& log) {
  try {
    if (url.empty()) {
      log.print(picked_versions_json(report, JsonStyle::indented));
    } else if (url.starts_with(kFile)) {
      write_report(url, report, log);
    } else {
      post(with_slash(url), report, log);
    }
  } catch (const base::Error& error) {
    warn(log, error, "");
  }
}

bool Delivery::skipped(const std::string& url, Log& log) {
  if (given_up_.contains(url)) return true;
  if (spent_ < kBudget) return false;
  if (!std::exchange(said_spent_, true))
    log.write(LogLevel::warning,
              fmt::format("reports of this run have taken {}: later ones are skipped",
                          base::format_seconds(std::chrono::duration<double>(spent_).count())));
  return true;
}

// Whole milliseconds, since libcurl reads 0 as "for ever".
http::Response Delivery::exchange(const std::string& url, const std::string& json) {
  http::Request request;
  request.method = http::Method::post;
  request.url = url;
  request.form = {{"data", json}};
  request.total_timeout = std::max(milliseconds(1), duration_cast<milliseconds>(kBudget - spent_));
  request.connect_timeout = request.total_timeout;
  request.max_response_bytes = 1U << 20U;
  struct Spending {
    std::chrono::steady_clock::duration& spent;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    ~Spending() { spent += std::chrono::steady_clock::now() - start; }
  } const spending{spent_};
  return http::send(request, base::CancelToken());
}

void Delivery::post(const std::string& url, const inventory::PickedVersions& report, Log& log) {
  const std::string json = picked_versions_json(report, JsonStyle::compact);
  const std::lock_guard lock(mutex_);
  if (skipped(url, log)) return;
  try {
    const http::Response response = exchange(url, json);
    const std::string reason = refusal(response);
    if (!reason.empty())
      throw base::Error(base::Code::report, fmt::format("POST {}: {}", http::redact_url(url), reason));
    const std::string said = first_line(response.body);
    log.write(LogLevel::info,
              fmt::format("report sent to {}{}{}", http::redact_url(url), said.empty() ? "" : ": ", said));
  } catch (const base::Error& error) {
    // A server that answers "no" costs nothing and may like the next report; one that does not answer does
    // not.
    const bool answered = error.code() == base::Code::report;
    if (!answered) given_up_.insert(url);
    warn(log, error, answered ? "" : "; later reports of this run to this address are skipped");
  }
}

}  // namespace porter::sendpickedversions
