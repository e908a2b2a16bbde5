#include "core/inventory/payload.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace porter;
using namespace porter::inventory;
using Json = nlohmann::ordered_json;

namespace {

PickedVersions example() {
  PickedVersions report;
  report.packages["nose"] = {{}, "1.2.1"};
  report.packages["root"] = {{{"nose", ">=", "1.2"}, {"setuptools", "", ""}}, "1a2b3c4d"};
  report.packages["unknown"] = {{}, std::nullopt};
  report.buildout_config = {{"directory", "/srv/root/current"}, {"buildoutname", "root"}};
  report.pinned_versions = {{"SecretStorage", "3.3.1"}, {"nose", ">=1.2"}};
  report.started = base::WallTime(std::chrono::microseconds(1'700'000'000'000'001));
  report.finished = base::WallTime(std::chrono::microseconds(1'700'000'001'000'000));
  report.hostname = "web01";
  report.ipv4 = "192.0.2.7";
  return report;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [key, value] : object.items())
    out.push_back(key);
  return out;
}

}  // namespace

TEST_CASE("The report has the documented fields, in the documented order") {
  const Json json = Json::parse(picked_versions_json(example(), JsonStyle::compact));
  CHECK(keys_of(json) == std::vector<std::string>{"packages", "buildout_config", "versionmap",
                                                  "pinned_versions", "started", "finished", "hostname",
                                                  "ipv4"});
  CHECK(json["packages"]["nose"].dump() == R"({"requirements":[],"version":"1.2.1"})");
  CHECK(
      json["packages"]["root"].dump() ==
      R"({"requirements":[{"name":"nose","equation":">=","version":"1.2"},{"name":"setuptools"}],"version":"1a2b3c4d"})");
  CHECK(json["packages"]["unknown"]["version"].is_null());
  CHECK(json["versionmap"].dump() == R"({"nose":"1.2.1","root":"1a2b3c4d"})");
  CHECK(json["pinned_versions"].dump() == R"({"SecretStorage":"3.3.1","nose":">=1.2"})");
  CHECK(json["buildout_config"].dump() == R"({"buildoutname":"root","directory":"/srv/root/current"})");
  CHECK(json["hostname"] == "web01");
  CHECK(json["ipv4"] == "192.0.2.7");
}

TEST_CASE("Times are local, with microseconds and no zone") {
  const Json json = Json::parse(picked_versions_json(example(), JsonStyle::compact));
  CHECK(json["started"] == base::format_local(example().started));
  CHECK(json["started"].get<std::string>().size() == std::string("2026-11-21T08:05:09.123456").size());
  CHECK_THAT(json["started"].get<std::string>(), Catch::EndsWith(".000001"));
  CHECK_THAT(json["finished"].get<std::string>(), Catch::EndsWith(".000000"));
}

TEST_CASE("Empty parts are objects, not null") {
  const Json json = Json::parse(picked_versions_json(PickedVersions(), JsonStyle::compact));
  for (const char* field : {"packages", "buildout_config", "versionmap", "pinned_versions"}) {
    CAPTURE(field);
    CHECK(json[field].is_object());
  }
}

TEST_CASE("The wire form is one line, the form for people is indented by four") {
  CHECK_THAT(picked_versions_json(example(), JsonStyle::compact), !Catch::Contains("\n"));
  CHECK_THAT(picked_versions_json(example(), JsonStyle::indented),
             Catch::Contains("{\n    \"packages\": {\n        \"nose\""));
}

TEST_CASE("No secret is in a report") {
  PickedVersions report = example();
  report.buildout_config["index"] = "https://ann:canary@pypi.example.org/simple";
  report.buildout_config["plugin:acme.db.password"] = "canary";
  report.buildout_config["motd"] = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----";
  report.packages["x"] = {{{"y", "==", "https://ann:canary@h/y"}}, "https://ann:canary@h/x"};
  report.pinned_versions["x"] = "https://ann:canary@h/x";
  const std::string text = picked_versions_json(report, JsonStyle::compact);
  CHECK_THAT(text, !Catch::Contains("canary"));
  CHECK_THAT(text, Catch::Contains("https://***@pypi.example.org/simple"));
}

TEST_CASE("Bytes that are no UTF-8 do not stop a report") {
  PickedVersions report = example();
  report.buildout_config["name"] = "\xff\xfe";
  CHECK(Json::parse(picked_versions_json(report, JsonStyle::compact))["buildout_config"]["name"] ==
        "\xef\xbf\xbd\xef\xbf\xbd");
}
