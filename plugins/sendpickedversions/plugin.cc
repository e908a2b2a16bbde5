// porter.plugins.sendpickedversions: after a deploy, tells an inventory which versions now run on the host.
// docs/reporting.md is its guide. It observes: whatever goes wrong here, the deploy stays what it was.

#include <chrono>
#include <exception>

#include <porter/porter.h>

#include "plugins/sendpickedversions/delivery.h"
#include "plugins/sendpickedversions/report.h"

namespace porter::sendpickedversions {

namespace {

class SendPickedVersions : public Plugin {
 public:
  void register_signal_handlers(Module& module) override {
    HandlerOptions options;
    options.criticality = Criticality::observer;
    // After the handlers of other plugins, whose work the report is about.
    constexpr int kLate = 1000;
    options.priority = kLate;
    module.push_signal_handler(
        SIG_DEPLOY_FINISH, [this](Module& finished, const Payload&) { report(finished); }, options);
  }

 private:
  void report(Module& module) {
    auto& log = module.service<Log>();
    try {
      const std::string url = address(module, log);
      delivery_.deliver(url, collect(module, std::chrono::system_clock::now()), log);
    } catch (const std::exception& error) {
      log.write(LogLevel::warning, std::string("report not made: ") + error.what());
    }
  }

  static std::string address(const Module& module, Log& log) {
    std::string url = option(module, "send-data-url");
    std::string old = option(module, "whiskers-url");
    if (old.empty()) return url;
    log.write(LogLevel::warning,
              url.empty()
                  ? "option whiskers-url is now called send-data-url\nhint: rename it"
                  : "option whiskers-url is ignored: send-data-url is set too\nhint: remove whiskers-url");
    return url.empty() ? old : url;
  }

  Delivery delivery_;
};

}  // namespace

}  // namespace porter::sendpickedversions

PORTER_PLUGIN(::porter::sendpickedversions::SendPickedVersions, "porter.plugins.sendpickedversions", "0.1.0",
              "reports the versions that now run on each host to an inventory")
PORTER_OPTION("buildoutname", text, "", "the name of the installation (default: the module's folder)")
PORTER_OPTION("send-data-url", url, "", "where reports go: http, https or file; empty prints them")
PORTER_OPTION("whiskers-url", url, "", "older name of send-data-url")
PORTER_NEEDS("porter.Context/1")
PORTER_NEEDS("porter.Target/1")
PORTER_NEEDS("porter.Log/1")
