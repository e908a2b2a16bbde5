// A plugin without handlers of its own: the test program that loads it says what is registered. So a test
// writes its handlers in place, and they still come in by the door that every plugin uses.

#include <dlfcn.h>

#include <porter/porter.h>

namespace {

class Handlers : public porter::Plugin {
 public:
  void register_signal_handlers(porter::Module& module) override {
    auto* found = reinterpret_cast<void (*)(porter::Module&)>(::dlsym(RTLD_DEFAULT, "porter_test_register"));
    if (found == nullptr) throw std::runtime_error("this program is no test of the engine");
    found(module);
  }
};

}  // namespace

PORTER_PLUGIN(Handlers, "tests.handlers", "1.0", "registers what the test says")
PORTER_ARGUMENT("poke", flag, "an argument, so that one can be given")
