#include <dlfcn.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/support/fake_module.h"
#include "tests/support/http_server.h"

using namespace porter::testing;
using Json = nlohmann::ordered_json;

namespace {

const std::string kSection = "plugin:porter.plugins.sendpickedversions";

const porter_plugin_entry_v1& entry() {
  static void* const library = ::dlopen(PORTER_TESTED_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  const void* found = ::dlsym(library, "porter_plugin_entry");
  if (found == nullptr) throw std::runtime_error(::dlerror());
  return *static_cast<const porter_plugin_entry_v1*>(found);
}

// One instance of the plugin, as one run has it.
struct Instance {
  std::array<char, 256> reason{};
  void* raw = entry().create(reason.data(), static_cast<std::uint32_t>(reason.size()));
  Instance() {
    INFO(reason.data());
    REQUIRE(raw != nullptr);
  }
  ~Instance() { entry().destroy(raw); }
  porter::Plugin& operator*() const { return *static_cast<porter::Plugin*>(raw); }
};

std::unique_ptr<FakeModule> module_with(const Instance& plugin, const std::string& url) {
  auto module = std::make_unique<FakeModule>();
  module->context.settings[kSection]["send-data-url"] = url;
  (*plugin).register_signal_handlers(*module);
  return module;
}

void finish(FakeModule& module) {
  module.emit(porter::SIG_DEPLOY_FINISH);
}

Json report_of(FakeModule& module) {
  module.log.printed.clear();
  finish(module);
  REQUIRE(module.log.printed.size() == 1);
  return Json::parse(module.log.printed.front());
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::optional<std::string> whiskers(const Received&) {
  return answer_with("200 OK", "Added buildout information to Whiskers.");
}

// Far more than the plugin's own 2 s, so that a busy machine does not fail the test, and far less than any
// wait without a limit.
constexpr double kGenerous = 8;

}  // namespace

TEST_CASE("The plugin presents itself, observes one signal and exports its entry alone") {
  CHECK(std::string(entry().name) == "porter.plugins.sendpickedversions");
  CHECK(std::string(entry().kind) == "plugin");
  CHECK(std::string(entry().fingerprint) == PORTER_FINGERPRINT);
  const Instance plugin;
  const auto module = module_with(plugin, "");
  REQUIRE(module->pushed.size() == 1);
  CHECK(module->pushed[0].signal == porter::SIG_DEPLOY_FINISH);
  CHECK(module->pushed[0].options.criticality == porter::Criticality::observer);
  void* library = ::dlopen(PORTER_TESTED_PLUGIN, RTLD_NOW | RTLD_NOLOAD);
  REQUIRE(library != nullptr);
  // porter::http::send, which the plugin holds a copy of.
  CHECK(::dlsym(library, "_ZN6porter4http4sendERKNS0_7RequestERKNS_4base11CancelTokenE") == nullptr);
  ::dlclose(library);
}

TEST_CASE("Without an address the report is printed, with all its fields") {
  const Instance plugin;
  const auto module = module_with(plugin, "");
  module->context.settings["module"] = {{"path", "/srv/apps/root"}, {"index", "https://ann:canary@h/simple"}};
  module->context.settings["plugin:acme.db"]["password"] = "canary";
  module->target.files[module->destpath() + "/requirements.txt"] = "nose==1.2.1\nzc.buildout>=2.0.1,<3\n";
  module->target.files[module->destpath() + "/versions"] = "six = 1.16.0\nnose = 9\n";
  const auto before = std::chrono::system_clock::now();
  const Json report = report_of(*module);

  CHECK(report["packages"]["root"].dump() ==
        R"({"requirements":[{"name":"nose","equation":"==","version":"1.2.1"},)"
        R"({"name":"zc.buildout","equation":">=","version":"2.0.1"}],"version":"1a2b3c4d"})");
  CHECK(report["versionmap"].dump() == R"({"nose":"1.2.1","root":"1a2b3c4d","six":"1.16.0"})");
  CHECK(report["pinned_versions"].dump() == R"({"nose":"1.2.1","six":"1.16.0"})");
  const Json& config = report["buildout_config"];
  CHECK(config["directory"] == "/srv/apps/root/current");
  CHECK(config["buildoutname"] == "root");
  CHECK(config["send-data-url"] == "");
  CHECK(config["module.path"] == "/srv/apps/root");
  CHECK(config["module.index"] == "https://***@h/simple");
  CHECK(config["plugin:acme.db.password"] == "***");
  CHECK(config["porter.commit"] == module->context.commit_id);
  CHECK(report["hostname"] == "web01.example.org");
  CHECK(report["ipv4"] == "192.0.2.7");
  CHECK_THAT(report["started"].get<std::string>(), Catch::EndsWith(".000001"));
  CHECK(report["finished"].get<std::string>() >= porter::base::format_local(before));
  CHECK_THAT(report.dump(), !Catch::Contains("canary"));
  CHECK(module->log.warnings.empty());
}

TEST_CASE("The installation is named by the option, else by the module's folder") {
  const Instance plugin;
  const auto module = module_with(plugin, "");
  module->context.folder = "/home/ann/example/workers/module1/";
  CHECK(report_of(*module)["buildout_config"]["buildoutname"] == "module1");
  module->context.settings[kSection]["buildoutname"] = "shop";
  CHECK(report_of(*module)["buildout_config"]["buildoutname"] == "shop");
}

TEST_CASE("A module without commit has its version, and the host's name stands in for a missing fact") {
  const Instance plugin;
  const auto module = module_with(plugin, "");
  module->context.commit_id = "";
  module->context.version_label = "2.4";
  module->target.known_facts.clear();
  const Json report = report_of(*module);
  CHECK(report["packages"]["root"]["version"] == "2.4");
  CHECK(report["hostname"] == "web01");
  CHECK(report["ipv4"] == "");
}

TEST_CASE("A report is posted as the form field data, with a slash at the end of the address") {
  HttpServer server(whiskers);
  const Instance plugin;
  const auto module = module_with(plugin, server.url("/buildouts/add"));
  finish(*module);
  CHECK(module->log.warnings.empty());
  REQUIRE(module->log.infos.size() == 1);
  CHECK_THAT(module->log.infos[0], Catch::EndsWith("Added buildout information to Whiskers."));
  const Received got = server.received().at(0);
  CHECK(got.line == "POST /buildouts/add/ HTTP/1.1");
  CHECK(got.headers.at("content-type") == "application/x-www-form-urlencoded");
  REQUIRE(got.form().size() == 1);
  CHECK(Json::parse(got.form().at("data"))["hostname"] == "web01.example.org");
}

TEST_CASE("The older option name works and says so") {
  HttpServer server(whiskers);
  const Instance plugin;
  const auto module = module_with(plugin, "");
  module->context.settings[kSection]["whiskers-url"] = server.url();
  finish(*module);
  CHECK(server.received().size() == 1);
  REQUIRE(module->log.warnings.size() == 1);
  CHECK_THAT(module->log.warnings[0], Catch::Contains("send-data-url"));
}

TEST_CASE("A file address writes the report indented by four, readable by all") {
  const porter::base::TemporaryFolder folder;
  const auto file = folder.path() / "report.json";
  const Instance plugin;
  const auto module = module_with(plugin, "file://" + file.string());
  module->context.settings["module"]["db_password"] = "canary";
  finish(*module);
  CHECK(module->log.warnings.empty());
  const std::string text = porter::base::read_file(file);
  CHECK_THAT(text, Catch::StartsWith("{\n    \"packages\""));
  CHECK_THAT(text, !Catch::Contains("canary"));
  CHECK(Json::parse(text)["ipv4"] == "192.0.2.7");
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::mask) ==
        static_cast<std::filesystem::perms>(0644));
}

TEST_CASE("A file address that cannot be written is a warning") {
  const Instance plugin;
  for (const char* url : {"file:///nonexistent/folder/report.json", "file://report.json"}) {
    CAPTURE(url);
    const auto module = module_with(plugin, url);
    finish(*module);
    CHECK(module->log.warnings.size() == 1);
  }
}

TEST_CASE("Refusals are warnings that hold the answer's first line") {
  struct Row {
    const char* status;
    const char* body;
    const char* expected;
  };
  const Row rows[] = {
      {"500 Internal Server Error", "first\x1b[2J\nsecond", "HTTP status 500: first\\x1b[2J"},
      {"404 Not Found", "", "HTTP status 404"},
      {"302 Found", "", "HTTP status 302"},
      {"200 OK", "No data. Nothing added.", "No data. Nothing added."},
      {"200 OK", "Adding information failed. Error was: x", "Adding information failed. Error was: x"},
  };
  const Instance plugin;
  for (const Row& row : rows) {
    CAPTURE(row.status, row.body);
    HttpServer server([&](const Received&) { return answer_with(row.status, row.body); });
    const auto module = module_with(plugin, server.url());
    finish(*module);
    REQUIRE(module->log.warnings.size() == 1);
    CHECK_THAT(module->log.warnings[0], Catch::EndsWith(row.expected));
    finish(*module);  // a server that answers is asked again
    CHECK(server.received().size() == 2);
  }
}

TEST_CASE("A dead server is one warning for the run, without userinfo") {
  const Instance plugin;
  const std::string url = "http://ann:sesame@127.0.0.1:" + std::to_string(dead_port());
  const auto first = module_with(plugin, url);
  const auto second = module_with(plugin, url);
  finish(*first);
  finish(*second);
  REQUIRE(first->log.warnings.size() == 1);
  CHECK_THAT(first->log.warnings[0], Catch::Contains("http://***@127.0.0.1") && Catch::Contains("skipped"));
  CHECK_THAT(first->log.warnings[0], !Catch::Contains("sesame"));
  CHECK(second->log.warnings.empty());
}

TEST_CASE("A silent server costs the whole run two seconds, from many threads too") {
  HttpServer server([](const Received&) { return std::nullopt; });
  const Instance plugin;
  std::vector<std::unique_ptr<FakeModule>> modules;
  for (int i = 0; i < 6; ++i)
    modules.push_back(module_with(plugin, server.url()));
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  threads.reserve(modules.size());
  for (const auto& module : modules)
    threads.emplace_back([&module] { finish(*module); });
  for (std::thread& thread : threads)
    thread.join();
  const double took = seconds_since(start);
  CHECK(took > 1.5);  // it was given its time
  CHECK(took < kGenerous);
  std::size_t warnings = 0;
  for (const auto& module : modules)
    warnings += module->log.warnings.size();
  CHECK(warnings == 1);
  CHECK(server.received().size() == 1);
}

TEST_CASE("Two silent servers share the two seconds") {
  HttpServer one([](const Received&) { return std::nullopt; });
  HttpServer two([](const Received&) { return std::nullopt; });
  const Instance plugin;
  const auto first = module_with(plugin, one.url());
  const auto second = module_with(plugin, two.url());
  finish(*first);
  finish(*second);
  CHECK(one.received().size() == 1);
  CHECK(two.received().empty());
  REQUIRE(second->log.warnings.size() == 1);
  CHECK_THAT(second->log.warnings[0], Catch::Contains("skipped"));
}

TEST_CASE("A broken target or a wrong address never leaves the handler as an exception") {
  const Instance plugin;
  const auto module = module_with(plugin, "");
  module->target.broken = true;
  CHECK_NOTHROW(finish(*module));
  REQUIRE(module->log.warnings.size() == 1);
  CHECK_THAT(module->log.warnings[0], Catch::Contains("connection lost"));
  const auto wrong = module_with(plugin, "localhost:6543");
  CHECK_NOTHROW(finish(*wrong));
  REQUIRE(wrong->log.warnings.size() == 1);
  CHECK_THAT(wrong->log.warnings[0], Catch::Contains("https:// or http://"));
}
