#include "core/source/source_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/suggest.h"
#include "core/base/text.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kMark = "://";

const std::vector<std::string>& known_schemes() {
  static const std::vector<std::string> known = {"git",     "ssh",       "https",    "http",
                                                 "git+ssh", "git+https", "git+http", "git+file",
                                                 "file",    "none",      "ruche",    "archive+https"};
  return known;
}

[[noreturn]] void refuse(std::string_view url, std::string_view reason, std::string hint = "") {
  throw Error(Code::bad_value, fmt::format("source url \"{}\": {}", base::printable(masked_url(url)), reason))
      .hint(std::move(hint));
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "name::rest" makes git run the program git-remote-name, and ext::… any program at all.
bool names_remote_helper(std::string_view url) {
  const std::size_t colons = url.find("::");
  if (colons == std::string_view::npos || colons == 0) return false;
  const std::string_view name = url.substr(0, colons);
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '+' || c == '.';
  });
}

// Where the colon of [user@]host:path stands: before any slash, behind the brackets of an IPv6 address.
std::optional<std::size_t> scp_colon(std::string_view text) {
  const std::size_t bracket = text.find('[');
  const std::size_t slash = text.find('/');
  std::size_t from = 0;
  if (bracket < slash) from = text.find(']', bracket);
  if (from == std::string_view::npos) return std::nullopt;
  const std::size_t colon = text.find(':', from);
  if (colon == std::string_view::npos || colon == 0 || colon > slash) return std::nullopt;
  return colon;
}

// ssh and git get user and host as words of their own command lines.
void check_authority(std::string_view url, std::string_view authority) {
  const std::size_t at = authority.rfind('@');
  const std::string_view user = at == std::string_view::npos ? "" : authority.substr(0, at);
  const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  if (host.empty()) refuse(url, "has no host");
  if (host.front() == '-' || (!user.empty() && user.front() == '-'))
    refuse(url, "user and host must not begin with '-'");
  if (authority.find(' ') != std::string_view::npos) refuse(url, "user and host must not hold blanks");
}

SourceUrl scp_repository(std::string_view url, std::string_view text, std::size_t colon) {
  check_authority(url, text.substr(0, colon));
  const std::string_view path = text.substr(colon + 1);
  if (path.empty()) refuse(url, "has no path after the colon");
  if (path.front() == '-') refuse(url, "the path must not begin with '-'");
  return {SourceUrl::Kind::git, std::string(text)};
}

SourceUrl network_repository(std::string_view url, std::string_view scheme, std::string_view rest) {
  const std::size_t slash = rest.find('/');
  check_authority(url, rest.substr(0, slash));
  if (slash == std::string_view::npos || slash + 1 == rest.size()) refuse(url, "has no path after the host");
  return {SourceUrl::Kind::git, fmt::format("{}{}{}", scheme, kMark, rest)};
}

std::string absolute(std::string_view url, std::string_view path,
                     const std::filesystem::path& module_folder) {
  if (path.empty()) refuse(url, "has no path");
  if (path.front() == '-')
    refuse(url, "the path must not begin with '-'", fmt::format("write ./{}", base::printable(path)));
  std::string out = (module_folder / std::string(path)).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/')
    out.pop_back();
  return out;
}

SourceUrl local_repository(std::string_view url, std::string_view path,
                           const std::filesystem::path& module_folder) {
  return {SourceUrl::Kind::git, absolute(url, path, module_folder)};
}

bool is_network_scheme(std::string_view scheme) {
  return scheme == "ssh" || scheme == "https" || scheme == "http";
}

SourceUrl porters_git(std::string_view url, std::string_view rest,
                      const std::filesystem::path& module_folder) {
  if (rest.empty()) refuse(url, "names no repository");
  const std::size_t inner = rest.find(kMark);
  if (inner != std::string_view::npos) {
    const std::string_view scheme = rest.substr(0, inner);
    if (scheme == "file") return local_repository(url, rest.substr(inner + kMark.size()), module_folder);
    if (is_network_scheme(scheme)) return network_repository(url, scheme, rest.substr(inner + kMark.size()));
    refuse(url, "git knows ssh://, https://, http:// and file:// here");
  }
  if (rest.starts_with("/") || rest.starts_with("./") || rest.starts_with("../")) {
    return local_repository(url, rest, module_folder);
  }
  if (const auto colon = scp_colon(rest)) {
    const std::string_view behind = rest.substr(*colon + 1);
    const std::size_t slash = behind.find('/');
    const bool is_port = slash != std::string_view::npos && is_digits(behind.substr(0, slash));
    if (!is_port) return scp_repository(url, rest, *colon);
  }
  return network_repository(url, "git", rest);
}

SourceUrl with_scheme(std::string_view url, std::string_view scheme, std::string_view rest,
                      const std::filesystem::path& module_folder) {
  if (scheme == "git") return porters_git(url, rest, module_folder);
  if (scheme == "git+file") return local_repository(url, rest, module_folder);
  if (scheme == "file") return {SourceUrl::Kind::folder, absolute(url, rest, module_folder)};
  const std::string_view bare = scheme.starts_with("git+") ? scheme.substr(4) : scheme;
  if (is_network_scheme(bare)) return network_repository(url, bare, rest);
  if (scheme == "none" && rest.empty()) return {SourceUrl::Kind::none, ""};
  if (scheme == "none")
    refuse(url, "takes nothing after it", "write none:// and put the version into [release:NAME]");
  if (scheme == "ruche" || scheme.starts_with("archive+")) {
    throw Error(Code::unsupported, fmt::format("source url \"{}\": {}:// is not yet supported",
                                               base::printable(masked_url(url)), base::printable(scheme)));
  }
  std::string hint = base::did_you_mean(scheme, known_schemes());
  if (!hint.empty()) hint += "; ";
  refuse(url, fmt::format("unknown scheme \"{}\"", base::printable(scheme)),
         hint + "known: " + base::join(known_schemes(), ", ") + ", and user@host:path");
}

}  // namespace

SourceUrl parse_source_url(std::string_view url, const std::filesystem::path& module_folder) {
  if (url.empty()) return {};
  if (url.front() == '-') refuse(url, "must not begin with '-'");
  if (std::any_of(url.begin(), url.end(), is_control)) refuse(url, "holds control characters");
  if (names_remote_helper(url) || (url.starts_with("git://") && names_remote_helper(url.substr(6)))) {
    refuse(url, "git's remote helpers (NAME::…) are refused, since they run programs");
  }
  const std::size_t mark = url.find(kMark);
  if (mark != std::string_view::npos && mark > 0) {
    return with_scheme(url, url.substr(0, mark), url.substr(mark + kMark.size()), module_folder);
  }
  if (const auto colon = scp_colon(url)) return scp_repository(url, url, *colon);
  refuse(url, "has no scheme",
         fmt::format("git+file://{0} for a git repository, file://{0} for a plain folder",
                     base::printable(url)));
}

bool is_local_repository(std::string_view location) {
  return location.starts_with("/");
}

std::string masked_url(std::string_view url) {
  const std::size_t mark = url.rfind(kMark);
  if (mark == std::string_view::npos) return std::string(url);
  const std::size_t start = mark + kMark.size();
  const std::string_view authority = url.substr(start, url.find('/', start) - start);
  const std::size_t at = authority.rfind('@');
  const std::size_t colon = authority.find(':');
  if (at == std::string_view::npos || colon > at) return std::string(url);
  return fmt::format("{}***{}", url.substr(0, start + colon + 1), url.substr(start + at));
}

}  // namespace porter::source
