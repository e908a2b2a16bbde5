#pragma once
// A project on disk, hosts that are only records, and a whole run of the engine over both.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <porter/porter.h>

#include "core/base/files.h"
#include "core/engine/deployment.h"
#include "core/engine/engine.h"
#include "core/engine/run_folder.h"
#include "tests/support/catch.h"
#include "tests/support/fake_endpoint.h"

namespace porter::engine::test {

using base::Code;
using base::Error;
using base::ExitCode;
using Names = std::vector<std::string>;

class Events : public event::Sink {
 public:
  void handle(const event::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    all_.push_back(event);
  }
  template <class Kind>
  std::vector<Kind> of() const {
    const std::lock_guard lock(mutex_);
    std::vector<Kind> found;
    for (const event::Event& event : all_) {
      if (const auto* one = std::get_if<Kind>(&event)) found.push_back(*one);
    }
    return found;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    all_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<event::Event> all_;
};

class Nobody : public event::Asker {
 public:
  std::optional<base::Secret> ask(event::QuestionKind, const std::string& question) override {
    asked.push_back(question);
    return std::nullopt;
  }
  Names asked;
};

// Two modules, root (which depends on lib) and lib, on the hosts one and two.
class EngineFixture {
 public:
  EngineFixture();
  ~EngineFixture();

  // Relative to the project; missing folders are made.
  void write(const std::string& file, const std::string& text);
  // What the plugin tests.handlers registers, per module and host and once more per module (host "").
  void plug(std::function<void(Module&)> handlers);
  // Every signal of a host becomes a step: "one SIG_DEPLOY_START root".
  void plug_listener();

  ExitCode deploy();
  // Settles a run that died with this in its journal; places are numbered as they come.
  ExitCode settle(std::vector<JournalEntry> entries);
  ExitCode settle_again() { return go(); }
  // Another process asks for the same run while it goes on; its events are nobody's.
  ExitCode run_beside(Action action);
  // Goes on with the last run, asked for anew.
  ExitCode resume();
  // Handlers on a step that stop the run as Ctrl-C does. Before the barrier, the waits have ended then.
  void interrupt_before_barrier();
  void interrupt();

  // "lib on one: deployed", sorted.
  Names outcomes() const;
  // Of the last run: what a settler would have to do, and whether it could be resumed.
  std::vector<JournalEntry> unsettled() const;
  bool has_folder() const;
  std::filesystem::path run_folder() const;
  // What somebody was asked, who never answers.
  const Names& asked() const { return nobody_.asked; }
  // What the user does to the project's folder.
  void move_project(const std::string& from, const std::string& to);
  // Release ids that are live, "" for none.
  std::string live(const std::string& host, const std::string& site) {
    return hosts.site(host, site).current;
  }

  tests::FakeHosts hosts;
  Events events;
  Request request;
  base::CancelToken cancel;
  std::function<void(const std::string& host)> on_connect;  // may throw

 private:
  ExitCode go();

  base::TemporaryFolder folder_;
  base::World world_;
  Nobody nobody_;
  std::mutex mutex_;
  base::CancelToken waits_;
  int runs_ = 0;
};

}  // namespace porter::engine::test
