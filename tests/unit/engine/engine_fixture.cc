#include "tests/unit/engine/engine_fixture.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "core/base/fd.h"
#include "core/engine/run.h"

namespace {

std::function<void(porter::Module&)> registered;  // by the test that runs

}  // namespace

extern "C" PORTER_EXPORT void porter_test_register(porter::Module& module);
extern "C" void porter_test_register(porter::Module& module) {
  if (registered) registered(module);
}

namespace porter::engine::test {
namespace {

const std::vector<Signal> kHostSignals = {
    SIG_DEPLOY_START, SIG_SOURCE_PRE_SEND, SIG_SOURCE_SEND,  SIG_SOURCE_POST_SEND, SIG_PRE_ACTIVATE,
    SIG_ACTIVATE,     SIG_POST_ACTIVATE,   SIG_HEALTH_CHECK, SIG_DEPLOY_FINISH,    SIG_DEPLOY_FAILED};

}  // namespace

EngineFixture::EngineFixture() {
  utsname names{};
  ::uname(&names);
  // The agents are never started here, but a run wants to know where they are.
  const std::filesystem::path agents = folder_.path() / "agents";
  base::make_folders(agents);
  base::write_file(agents / fmt::format("porter-agent-{}", static_cast<const char*>(names.machine)), "");
  ::setenv("PORTER_AGENTS", agents.c_str(), 1);

  write("project.ini",
        "[project]\nname = Shop\ndepends = root\n"
        "[hosts]\none = ann@one.example.org\ntwo = ann@two.example.org\n"
        "[config:testing]\nhosts = one, two\n");
  write("root/root.ini", "[module]\npath = /srv/root\ndepends = lib\n[plugin:tests.handlers]\n");
  write("root/src/page.html", "hello\n");
  write("lib/lib.ini", "[module]\npath = /srv/lib\n[plugin:tests.handlers]\n");
  write("lib/src/lib.py", "pass\n");

  world_.environment = {{"HOME", (folder_.path() / "home").string()},
                        {"PORTER_SITE_CONFIG", (folder_.path() / "site.ini").string()}};
  world_.directory = folder_.path() / "shop";
  world_.now = [] { return std::chrono::system_clock::now(); };
  request.directory = world_.directory;
  request.config = "testing";
  request.plugin_path = {PORTER_HANDLERS_FOLDER};
}

EngineFixture::~EngineFixture() {
  registered = nullptr;
  ::unsetenv("PORTER_AGENTS");
}

void EngineFixture::write(const std::string& file, const std::string& text) {
  const std::filesystem::path path = folder_.path() / "shop" / file;
  base::make_folders(path.parent_path());
  base::write_file(path, text);
}

void EngineFixture::plug(std::function<void(Module&)> handlers) {
  registered = std::move(handlers);
}

void EngineFixture::plug_listener() {
  plug([this](Module& module) {
    const std::string host = module.service<Context>().host();
    if (host.empty()) return;
    for (const Signal& signal : kHostSignals) {
      module.push_signal_handler(signal, [this, signal, host](Module& here) {
        hosts.take(fmt::format("{} {} {}", host, signal.name(), here.service<Context>().module()));
      });
    }
  });
}

ExitCode EngineFixture::deploy() {
  request.run_id = fmt::format("20261121T070000Z-{:04x}", ++runs_);
  return go();
}

ExitCode EngineFixture::settle(std::vector<JournalEntry> entries) {
  request.run_id = "20261121T070000Z-dead";
  RunFacts facts{"ann@laptop", "2026-11-21T07:00:00Z", request, {}};
  std::map<std::string, std::size_t> places;
  for (JournalEntry& entry : entries) {
    const auto [found, fresh] = places.try_emplace(entry.host + " " + entry.module, facts.places.size());
    entry.place = found->second;
    hosts.change(entry.host, "/srv/" + entry.module, [&](tests::FakeHosts::Site& site) {
      if (entry.step == Step::activating || entry.step == Step::committing)
        site.current = site.pending = entry.release_id;
    });
    if (!fresh) continue;
    Place place;
    place.module = entry.module;
    place.host.name = entry.host;
    place.site = "/srv/" + entry.module;
    place.release_id = entry.release_id;
    place.keep_releases = 3;
    facts.places.push_back(place);
  }
  {
    RunFolder folder = RunFolder::create(world_.state_folder(), request.run_id);
    folder.write(facts);
    for (const JournalEntry& entry : entries)
      folder.record(entry.place, entry.step);
  }
  request.action = Action::settle;
  return go();
}

ExitCode EngineFixture::run_beside(Action action) {
  Request other;
  other.run_id = request.run_id;
  other.action = action;
  Events told;
  return engine::run(other, {world_, told, nobody_, base::CancelToken(),
                             [](Run&, HostRun&) { throw Error(Code::internal, "it connected"); }});
}

ExitCode EngineFixture::resume() {
  const Request asked = std::exchange(request, Request());
  request.run_id = asked.run_id;
  request.action = Action::resume;
  const ExitCode code = go();
  request = asked;
  return code;
}

ExitCode EngineFixture::go() {
  cancel = base::CancelToken();
  events.forget();
  const Connector connector = [this](Run& run, HostRun& host) {
    {
      const std::lock_guard lock(mutex_);  // hosts are connected at once
      waits_ = run.shield.waits();
    }
    if (on_connect) on_connect(host.host.name);
    host.endpoint = std::make_unique<tests::FakeEndpoint>(hosts, host.host.name, run.shield.waits());
  };
  return engine::run(request, {world_, events, nobody_, cancel, connector});
}

void EngineFixture::interrupt() {
  cancel.cancel();
}

void EngineFixture::interrupt_before_barrier() {
  cancel.cancel();
  base::wait_readable(waits_.descriptor(), base::Deadline::in(std::chrono::seconds(30)), base::CancelToken());
}

Names EngineFixture::outcomes() const {
  Names found;
  for (const auto& end : events.of<event::ModuleFinished>())
    found.push_back(fmt::format("{} on {}: {}", end.module, end.host, event::name_of(end.outcome)));
  std::sort(found.begin(), found.end());
  return found;
}

std::filesystem::path EngineFixture::run_folder() const {
  return world_.state_folder() / "runs" / request.run_id;
}

std::vector<JournalEntry> EngineFixture::unsettled() const {
  return open_steps(Journal::read(run_folder() / "journal"));
}

void EngineFixture::move_project(const std::string& from, const std::string& to) {
  std::filesystem::rename(folder_.path() / from, folder_.path() / to);
}

bool EngineFixture::has_folder() const {
  return std::filesystem::exists(run_folder());
}

}  // namespace porter::engine::test
