#include "core/settings/interpolate.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/base/suggest.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t largest_text = 64U << 10U;
constexpr std::size_t deepest = 20;

class Interpolation {
 public:
  Interpolation(Section& section, std::vector<Error>& problems)
      : section_(section), problems_(problems), states_(section.options.size(), State::raw) {
    for (std::size_t i = 0; i < section.options.size(); ++i)
      by_name_.emplace(canonical(section.options[i].name), i);
  }

  void run() {
    for (std::size_t i = 0; i < section_.options.size(); ++i)
      settle(i);
  }

 private:
  enum class State { raw, working, done, failed };

  // Brings one option to done or failed; gives whether its text may be used.
  bool settle(std::size_t index) {
    if (states_[index] != State::raw) return states_[index] == State::done;
    Option& option = section_.options[index];
    states_[index] = State::working;
    path_.push_back(index);
    std::string text;
    const bool good = expand(option, text);
    path_.pop_back();
    states_[index] = good ? State::done : State::failed;
    option.text = good ? text : std::string();
    return good;
  }

  bool expand(const Option& option, std::string& out) {
    const std::string_view text = option.text;
    for (std::size_t i = 0; i < text.size();) {
      const std::string_view rest = text.substr(i);
      if (rest.substr(0, 2) == "%%") {
        out += '%';
        i += 2;
      } else if (rest.substr(0, 2) == "%(") {
        const std::size_t end = rest.find(")s");
        if (end == std::string_view::npos)
          return fail(option, "\"%(\" has no \")s\" after it",
                      "a plain percent sign before a bracket is written %%");
        if (!insert(option, rest.substr(2, end - 2), out)) return false;
        i += end + 2;
      } else {
        out += text[i++];
      }
      if (out.size() > largest_text) return fail(option, "the text grows beyond 64 KiB", "");
    }
    return true;
  }

  bool insert(const Option& option, std::string_view name, std::string& out) {
    const auto found = by_name_.find(canonical(name));
    if (found == by_name_.end()) return fail_unknown(option, name);
    const std::size_t index = found->second;
    if (states_[index] == State::working)
      return fail(option, "%(…)s goes round in a circle: " + circle(index), "");
    if (path_.size() >= deepest) return fail(option, "%(…)s is nested too deeply", "");
    if (!settle(index)) return false;  // already reported
    out += section_.options[index].text;
    return true;
  }

  std::string circle(std::size_t start) const {
    std::string text;
    bool inside = false;
    for (const std::size_t index : path_) {
      inside = inside || index == start;
      if (inside) text += section_.options[index].name + " -> ";
    }
    return text + section_.options[start].name;
  }

  bool fail_unknown(const Option& option, std::string_view name) {
    std::vector<std::string> known;
    for (const Option& other : section_.options)
      known.push_back(other.name);
    return fail(option, fmt::format("[{}] has no option \"{}\" for %({})s", section_.name, name, name),
                base::did_you_mean(name, known));
  }

  bool fail(const Option& option, const std::string& what, const std::string& hint) {
    problems_.push_back(
        Error(Code::bad_value, fmt::format("{}: {}", option.name, what)).at(option.where).hint(hint));
    return false;
  }

  Section& section_;
  std::vector<Error>& problems_;
  std::vector<State> states_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<std::size_t> path_;
};

}  // namespace

void interpolate(Section& section, std::vector<Error>& problems) {
  Interpolation(section, problems).run();
}

}  // namespace porter::settings
