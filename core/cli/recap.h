#pragma once
// The last words of a run: how many modules ended how (or were planned, or on how many hosts a program ran),
// how long it took, where the log is. A sink that counts.

#include <map>
#include <set>
#include <string>

#include "core/engine/request.h"
#include "core/event/event.h"

namespace porter::cli {

class Recap : public event::Sink {
 public:
  explicit Recap(engine::Action action) : action_(action) {}

  void handle(const event::Event& event) noexcept override;
  // One or two lines without a newline at the end; "" when there is nothing to add to what was told.
  std::string text(const event::RunFinished& end) const;
  // Whether some module was told to be deployed.
  bool has_deployed() const { return outcomes_.contains(event::name_of(event::Outcome::deployed)); }

 private:
  std::string done(int exit_code) const;
  std::string planned() const;
  std::string ran() const;

  engine::Action action_;
  std::map<std::string, int> outcomes_;
  int to_do_ = 0;      // modules on hosts that a plan would change
  int unchanged_ = 0;  // and those it would not
  std::set<std::string> connected_;
  std::set<std::string> failed_;  // hosts
};

}  // namespace porter::cli
