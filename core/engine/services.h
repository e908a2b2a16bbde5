#pragma once
// The services of sdk/include/porter/services.h for one LiveModule. They translate: from the SDK's words to
// the endpoint's and the run's records. Calls that wait for the target give the plugin's lock back meanwhile.

#include <memory>
#include <string_view>

namespace porter::engine {

class LiveModule;

class Services {
 public:
  explicit Services(LiveModule& module);
  ~Services();
  // The service of that id as its SDK class, or null.
  void* find(std::string_view id);

 private:
  struct All;
  std::unique_ptr<All> all_;
};

}  // namespace porter::engine
