// A plugin, or with PORTER_FAULTS_HOOK a hook, that misbehaves at one signal in one way, as the environment
// says: FAULT_AT names the signal, FAULT_HOW the way (a key of `ways` below), FAULT_HOST the only host it
// does it on (none: on all). Without FAULT_AT it does nothing.
#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include <porter/porter.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Deeper than any stack.
[[gnu::noinline]] unsigned overflow(unsigned depth) {
  volatile unsigned here[1024];
  here[0] = depth;
  return depth == 1U << 31U ? 0 : overflow(depth + 1) + here[0];
}

[[noreturn]] void hang() {
  for (;;)
    ::pause();
}

// Leaves a process behind that has every descriptor of this one open.
[[noreturn]] void leave_child() {
  if (::fork() == 0) hang();
  ::_exit(0);
}

// Until there is such a file.
void pause_until(porter::Module& module, const std::string& file) {
  module.service<porter::Target>().run({"sh", "-c", "until [ -e \"$0\" ]; do sleep 0.05; done", file});
}

void misbehave(porter::Module& module) {
  const std::map<std::string, std::function<void()>> ways = {
      {"throws", [] { throw std::runtime_error("no coffee"); }},
      {"throws-int", [] { throw 42; }},
      {"hangs", [] { hang(); }},
      {"waits",
       [&] {
         module.service<porter::Target>().run({"sleep", "1000"});
       }},
      {"pauses", [&] { pause_until(module, variable("FAULT_UNTIL")); }},
      {"exit", [] { std::exit(0); }},
      {"_exit", [] { ::_exit(0); }},
      {"abort", [] { std::abort(); }},
      {"segfault", [] { std::raise(SIGSEGV); }},
      {"overflow", [] { overflow(0); }},
      {"ends-thread", [] { ::pthread_exit(nullptr); }},
      {"leaves-child", [] { leave_child(); }},
  };
  ways.at(variable("FAULT_HOW"))();
}

// In the name of the signal `at`, when that is the one.
void at_signal(porter::Module& module, const std::string& at) {
  const std::string host = module.service<porter::Context>().host();
  const std::string only = variable("FAULT_HOST");
  if (variable("FAULT_AT") == at && (host.empty() || only.empty() || host == only)) misbehave(module);
}

void push(porter::Module& module, const porter::Signal& signal) {
  module.push_signal_handler(signal,
                             [signal](porter::Module& here) { at_signal(here, std::string(signal.name())); });
}

void register_all(porter::Module& module) {
  at_signal(module, "register_signal_handlers");
  using namespace porter;
  for (const Signal& signal :
       {SIG_SOURCE_PREPARE, SIG_DEPLOY, SIG_DEPLOY_START, SIG_SOURCE_PRE_SEND, SIG_SOURCE_SEND,
        SIG_SOURCE_POST_SEND, SIG_PRE_ACTIVATE, SIG_ACTIVATE, SIG_POST_ACTIVATE, SIG_HEALTH_CHECK,
        SIG_DEPLOY_FINISH, SIG_DEPLOY_FAILED, SIG_ROLLBACK})
    push(module, signal);
  if (variable("FAULT_AT") == "SIG_DEPLOY, replaced") {
    module.replace_signal_handler(SIG_DEPLOY, [](Module& here) {
      at_signal(here, "SIG_DEPLOY, replaced");
      here.service<Sender>().run_default();
    });
  }
  // So that the signals of a failed deploy come at all.
  if (variable("FAULT_AT") == "SIG_DEPLOY_FAILED" || variable("FAULT_AT") == "SIG_ROLLBACK")
    module.push_signal_handler(SIG_HEALTH_CHECK, [](Module&) { throw std::runtime_error("sick"); });
}

}  // namespace

#ifdef PORTER_FAULTS_HOOK
PORTER_DEPLOYMENT {
  register_all(module);
}
#else
namespace {

class Misbehaving : public porter::Plugin {
  void register_signal_handlers(porter::Module& module) override { register_all(module); }
};

}  // namespace

PORTER_PLUGIN(Misbehaving, "acme.misbehaving", "1.0", "does what a plugin must not do")
#endif
