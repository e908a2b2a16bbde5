#include "core/source/git_refs.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/suggest.h"
#include "core/base/text.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kBranches = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";
constexpr std::string_view kPeeled = "^{}";

std::vector<std::string> names_of(const std::map<std::string, std::string>& refs) {
  std::vector<std::string> out;
  for (const auto& [name, commit] : refs)
    out.push_back(name);
  return out;
}

std::string listing_of(std::string_view title, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 20;
  if (names.empty()) return fmt::format("{}: none", title);
  std::vector<std::string> shown(names.begin(),
                                 names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown)));
  for (std::string& name : shown)
    name = base::printable(name);
  std::string out = fmt::format("{}: {}", title, base::join(shown, ", "));
  if (names.size() > kShown) out += fmt::format(" and {} more", names.size() - kShown);
  return out;
}

std::optional<PinnedRef> look_up(const std::map<std::string, std::string>& refs, std::string_view word,
                                 const std::string& name) {
  const auto found = refs.find(name);
  if (found == refs.end()) return std::nullopt;
  return PinnedRef{found->second, fmt::format("{} {}", word, name)};
}

std::string_view word_for(RefKind kind) {
  switch (kind) {
    case RefKind::branch:
      return "branch";
    case RefKind::tag:
      return "tag";
    case RefKind::version:
      return "version";
    case RefKind::commit:
      return "commit";
    case RefKind::default_ref:
      break;
  }
  return "default branch";
}

// One line: "<id> TAB <name>", or "ref: <target> TAB HEAD" for what HEAD stands for.
void take_line(RemoteRefs& refs, std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos)
    throw Error(Code::source, "git ls-remote: unexpected line: " + base::printable(line));
  const std::string id(line.substr(0, tab));
  std::string_view name = line.substr(tab + 1);
  if (id.starts_with("ref: ")) {
    if (name == "HEAD" && id.substr(5).starts_with(kBranches))
      refs.head_branch = id.substr(5 + kBranches.size());
    return;
  }
  if (!is_full_commit_id(id))
    throw Error(Code::source, "git ls-remote: unexpected id: " + base::printable(id));
  if (name == "HEAD") refs.head_commit = id;
  if (name.starts_with(kBranches)) refs.branches[std::string(name.substr(kBranches.size()))] = id;
  if (!name.starts_with(kTags)) return;
  name.remove_prefix(kTags.size());
  // An annotated tag comes as its own id first, then as "name^{}" with the id of the commit.
  if (name.ends_with(kPeeled)) name.remove_suffix(kPeeled.size());
  refs.tags[std::string(name)] = id;
}

}  // namespace

bool is_full_commit_id(std::string_view text) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), is_hex);
}

bool may_be_commit_id(std::string_view text) {
  constexpr std::size_t kShortest = 7;  // what git itself shows at least
  constexpr std::size_t kLongest = 64;
  return text.size() >= kShortest && text.size() <= kLongest &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

RemoteRefs parse_remote_refs(std::string_view listing) {
  RemoteRefs refs;
  for (const std::string& line : base::split(listing, '\n')) {
    if (!line.empty()) take_line(refs, line);
  }
  return refs;
}

std::optional<PinnedRef> find_ref(const RemoteRefs& refs, RefKind kind, const std::string& ref) {
  switch (kind) {
    case RefKind::branch:
      return look_up(refs.branches, "branch", ref);
    case RefKind::tag:
      return look_up(refs.tags, "tag", ref);
    case RefKind::version: {
      auto exact = look_up(refs.tags, "tag", ref);
      return exact ? exact : look_up(refs.tags, "tag", "v" + ref);
    }
    case RefKind::commit:
      return std::nullopt;
    case RefKind::default_ref:
      break;
  }
  if (refs.head_commit.empty()) return std::nullopt;
  return PinnedRef{refs.head_commit, refs.head_branch.empty() ? "HEAD" : "branch " + refs.head_branch};
}

base::Error unknown_ref(const RemoteRefs& refs, RefKind kind, const std::string& ref,
                        std::string_view subject) {
  const std::vector<std::string> branches = names_of(refs.branches);
  const std::vector<std::string> tags = names_of(refs.tags);
  const std::string known = fmt::format("{}\n{}", listing_of("branches", branches), listing_of("tags", tags));
  const std::string_view word = word_for(kind);
  if (kind == RefKind::default_ref)
    return Error(Code::missing, fmt::format("{}: has no {}", subject, word)).hint(known);
  std::vector<std::string> near = kind == RefKind::branch ? branches : tags;
  if (kind == RefKind::commit) near.clear();
  std::string hint = base::did_you_mean(ref, near);
  if (hint.empty() && kind == RefKind::branch && refs.tags.contains(ref))
    hint = fmt::format("\"{}\" is a tag", base::printable(ref));
  if (hint.empty() && kind == RefKind::tag && refs.branches.contains(ref))
    hint = fmt::format("\"{}\" is a branch", base::printable(ref));
  if (!hint.empty()) hint += "\n";
  return Error(Code::missing, fmt::format("{}: there is no {} \"{}\"", subject, word, base::printable(ref)))
      .hint(hint + known);
}

}  // namespace porter::source
