#include "core/engine/walk.h"

#include <algorithm>

#include "core/engine/parallel.h"

namespace porter::engine {

using base::Code;
using base::Error;

void attempt(Deployment& deployment, const std::function<void()>& work) {
  std::optional<Error> failure;
  try {
    work();
    return;
  } catch (const Error& error) {
    failure = error;
  } catch (const base::Errors& errors) {
    failure = errors.all().front();
  } catch (const base::Interrupted&) {
    failure = Error(Code::interrupted, "interrupted");
  } catch (const std::exception& error) {
    failure = Error(Code::internal, error.what());
  }
  if (!deployment.failure) deployment.failure = std::move(failure);
}

bool to_do(const ModuleRun& module) {
  return std::any_of(module.targets.begin(), module.targets.end(),
                     [](const Deployment* one) { return one->to_do(); });
}

bool is_inplace(const Deployment& deployment) {
  return deployment.settings->layout() == settings::Layout::inplace;
}

void throw_first_failure(const ModuleRun& module) {
  for (const Deployment* deployment : module.targets) {
    if (deployment->failure) throw Error(*deployment->failure);
  }
}

void Walk::each_host(const std::function<void(HostRun&)>& work) {
  std::vector<HostRun*> hosts;
  for (const auto& host : fleet.hosts)
    hosts.push_back(host.get());
  for_each_at_once<HostRun>(hosts, work);
}

void Walk::each_module_on_host(const std::function<void(HostRun&, Deployment&)>& work) {
  each_host([&](HostRun& host) {
    for (Deployment* deployment : fleet.on(host))
      attempt(*deployment, [&] { work(host, *deployment); });
  });
}

void Walk::each_target(ModuleRun& module, State state, const std::function<void(Deployment&)>& work) {
  std::vector<Deployment*> here;
  for (Deployment* deployment : module.targets) {
    if (deployment->state == state) here.push_back(deployment);
  }
  for_each_at_once<Deployment>(here, [&](Deployment& one) { attempt(one, [&] { work(one); }); });
}

void Walk::keep_contents() {
  kept = std::make_unique<KeptSource>(folder->path());
  contents = std::make_unique<ContentPack>(*kept, fleet.compositions.spool(), run.shield.waits());
  run.contents = contents.get();
}

void Walk::end_contents() {
  run.contents = nullptr;
  contents.reset();
}

void Walk::record(const Deployment& one, Step step) {
  if (folder) folder->record(one.place, step);
}

bool Walk::any_failed() const {
  return std::any_of(fleet.deployments.begin(), fleet.deployments.end(),
                     [](const auto& one) { return one->failure.has_value(); });
}

void Walk::throw_failures() const {
  run.shield.user().check();
  std::vector<Error> problems;
  for (const auto& deployment : fleet.deployments) {
    if (deployment->failure) problems.push_back(*deployment->failure);
  }
  if (!problems.empty()) throw base::Errors(std::move(problems));
}

void Walk::warn(const Deployment& one, const std::string& text) const {
  run.around.sink.handle(event::Talk{event::Level::warning, "", one.module_name(), one.host_name(), text});
}

}  // namespace porter::engine
