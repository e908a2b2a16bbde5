#include "core/transport/ssh_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/transport/host_pattern.h"

namespace porter::transport {
namespace {

// One line: keyword (lower case) and its arguments; "Key Value", "Key=Value" and "quoted values" are the
// same.
struct Line {
  std::string keyword;
  std::vector<std::string> arguments;
};

std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> arguments;
  for (;;) {
    text = base::trim(text);
    if (text.empty() || text.front() == '#') return arguments;
    const bool quoted = text.front() == '"';
    if (quoted) text.remove_prefix(1);
    const std::size_t end = std::min(quoted ? text.find('"') : text.find_first_of(" \t"), text.size());
    arguments.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + (quoted ? 1 : 0), text.size()));
  }
}

Line parse_line(std::string_view text) {
  text = base::trim(text);
  if (text.empty() || text.front() == '#') return {};
  const std::size_t end = std::min(text.find_first_of(" \t="), text.size());
  Line line;
  line.keyword = base::lower(text.substr(0, end));
  text = base::trim(text.substr(end));
  if (text.starts_with('=')) text.remove_prefix(1);
  line.arguments = arguments_of(text);
  return line;
}

class Reader {
 public:
  Reader(std::string_view alias, const std::filesystem::path& home, const std::string& file)
      : alias_(alias), home_(home), file_(file) {}

  void take(const Line& line, int number) {
    if (line.keyword == "host") {
      applies_ = host_patterns_match(line.arguments, alias_);
    } else if (line.keyword == "match") {
      applies_ = false;
    } else if (applies_ && !line.arguments.empty()) {
      take_value(line, number);
    }
  }

  SshHostConfig result() && { return std::move(found_); }

 private:
  void take_value(const Line& line, int number) {
    const std::string& value = line.arguments.front();
    if (line.keyword == "hostname" && found_.host_name.empty()) found_.host_name = expand(value);
    if (line.keyword == "user" && found_.user.empty()) found_.user = value;
    if (line.keyword == "proxyjump" && found_.jump.empty()) found_.jump = value;
    if (line.keyword == "port" && found_.port == 0) found_.port = port(value, number);
    if (line.keyword == "identityfile" && base::lower(value) != "none")
      found_.identities.emplace_back(expand(value));
    if (line.keyword == "userknownhostsfile" && !has_known_hosts_) {
      has_known_hosts_ = true;
      for (const std::string& each : line.arguments) {
        if (base::lower(each) != "none") found_.known_hosts.emplace_back(expand(each));
      }
    }
  }

  int port(const std::string& value, int number) const {
    const auto parsed = base::parse_integer(value);
    if (parsed && *parsed >= 1 && *parsed <= 65535) return static_cast<int>(*parsed);
    throw base::Error(base::Code::bad_value,
                      fmt::format("Port \"{}\": expected a number from 1 to 65535", base::printable(value)))
        .at(file_, number);
  }

  // "~/" in front; %d home, %h host, %% itself. Other % sequences stay as they are and match no file.
  std::string expand(const std::string& value) const {
    std::string text = value.starts_with("~/") ? home_.string() + value.substr(1) : value;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char next = text[i] == '%' && i + 1 < text.size() ? text[i + 1] : '\0';
      if (next == 'd')
        out += home_.string();
      else if (next == 'h')
        out += found_.host_name.empty() ? alias_ : found_.host_name;
      else if (next == '%')
        out += '%';
      else
        out += text[i];
      if (next == 'd' || next == 'h' || next == '%') ++i;
    }
    return out;
  }

  std::string alias_;
  const std::filesystem::path& home_;
  const std::string& file_;
  bool applies_ = true;  // lines before the first Host are for all
  bool has_known_hosts_ = false;
  SshHostConfig found_;
};

}  // namespace

SshHostConfig parse_ssh_config(std::string_view text, std::string_view alias,
                               const std::filesystem::path& home, const std::string& file) {
  Reader reader(alias, home, file);
  int number = 0;
  for (const std::string& line : base::split(text, '\n'))
    reader.take(parse_line(line), ++number);
  return std::move(reader).result();
}

SshHostConfig read_ssh_config(const std::filesystem::path& file, std::string_view alias,
                              const std::filesystem::path& home) {
  if (file.empty() || !std::filesystem::exists(file)) return {};
  return parse_ssh_config(base::read_file(file), alias, home, file.string());
}

}  // namespace porter::transport
