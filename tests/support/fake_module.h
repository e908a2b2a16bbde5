#pragma once
// A Module with its services, made of plain values: for tests of handlers. Handlers run in push order, on the
// caller's thread, and what they throw passes through.

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <porter/porter.h>

namespace porter::testing {

class FakeContext : public Context {
 public:
  std::string project_name = "Example", module_name = "root", folder = "/home/ann/example/root";
  std::string host_name = "web01", config_name = "testing", ref_name = "stable";
  std::string version_label = "1a2b3c4d (branch main)";
  std::string commit_id = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
  double started_at = 1'700'000'000.000001;
  std::map<std::string, std::map<std::string, std::string>> settings;

  std::string project() const override { return project_name; }
  std::string module() const override { return module_name; }
  std::string module_directory() const override { return folder; }
  std::string host() const override { return host_name; }
  std::string config() const override { return config_name; }
  std::string ref() const override { return ref_name; }
  std::string version() const override { return version_label; }
  std::string commit() const override { return commit_id; }
  std::string run_id() const override { return "run1"; }
  std::string release_id() const override { return "20261121T070000Z-1a2b3c4d-run1"; }
  std::string layout() const override { return "releases"; }
  std::string source_directory() const override { return folder; }
  bool forced() const override { return false; }
  double started() const override { return started_at; }
  std::map<std::string, std::map<std::string, std::string>> effective_settings() const override {
    return settings;
  }
};

// Files by path; programs are recorded and succeed.
class FakeTarget : public Target {
 public:
  std::map<std::string, std::string> known_facts{{"hostname", "web01.example.org"}, {"ipv4", "192.0.2.7"}};
  std::map<std::string, std::string> files;
  std::vector<std::vector<std::string>> programs;
  bool broken = false;  // every call throws

  RunResult try_run(const std::vector<std::string>& arguments, const std::string&, Privilege,
                    const std::string&) override {
    check();
    programs.push_back(arguments);
    return {};
  }
  std::map<std::string, std::string> facts() override {
    check();
    return known_facts;
  }
  bool exists(const std::string& path) override {
    check();
    return files.count(path) != 0;
  }
  bool is_link(const std::string&) override { return false; }
  std::string read(const std::string& path, std::uint64_t limit) override {
    check();
    if (files.at(path).size() > limit) throw std::runtime_error(path + ": too large");
    return files.at(path);
  }
  void write(const std::string& path, std::string_view content, unsigned) override {
    check();
    files[path] = content;
  }
  void upload(const std::string& local, const std::string& path) override {
    check();
    files[path] = "uploaded from " + local;
  }
  void remove(const std::string& path) override { files.erase(path); }

 private:
  void check() const {
    if (broken) throw std::runtime_error("connection lost");
  }
};

class FakeLog : public Log {
 public:
  std::vector<std::string> warnings, infos, printed;

  void write(LogLevel level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    (level == LogLevel::warning ? warnings : infos).emplace_back(text);
  }
  void print(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    printed.emplace_back(text);
  }

 private:
  std::mutex mutex_;
};

class FakeModule : public Module {
 public:
  FakeContext context;
  FakeTarget target;
  FakeLog log;
  std::map<std::string, std::string> arguments;

  struct Pushed {
    Signal signal;
    Handler handler;
    HandlerOptions options;
  };
  std::vector<Pushed> pushed;

  void push_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) override {
    pushed.push_back({signal, std::move(handler), options});
  }
  bool pop_signal_handler(const Signal& signal) override {
    const auto last =
        std::find_if(pushed.rbegin(), pushed.rend(), [&](const Pushed& one) { return one.signal == signal; });
    if (last == pushed.rend()) return false;
    pushed.erase(std::next(last).base());
    return true;
  }
  void replace_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) override {
    pop_signal_handler(signal);
    push_signal_handler(signal, std::move(handler), options);
  }
  void signal(const Signal& signal, const Payload& payload) override {
    const std::vector<Pushed> now = pushed;
    for (const Pushed& one : now)
      if (one.signal == signal) one.handler(*this, payload);
  }
  std::optional<std::string> get_config_value(std::string_view section,
                                              std::string_view option) const override {
    const auto found = context.settings.find(std::string(section));
    if (found == context.settings.end()) return std::nullopt;
    const auto value = found->second.find(std::string(option));
    return value == found->second.end() ? std::nullopt : std::optional(value->second);
  }
  std::string get_config_dir() const override { return context.folder + "/config/" + context.config_name; }
  std::string destpath() const override { return "/srv/apps/root/releases/" + context.release_id(); }
  std::string livepath() const override { return "/srv/apps/root/current"; }
  std::optional<std::string> argument(std::string_view name) const override {
    const auto found = arguments.find(std::string(name));
    return found == arguments.end() ? std::nullopt : std::optional(found->second);
  }
  void* find_service(std::string_view id) override {
    if (id == Context::kId) return static_cast<Context*>(&context);
    if (id == Target::kId) return static_cast<Target*>(&target);
    if (id == Log::kId) return static_cast<Log*>(&log);
    return nullptr;
  }
};

}  // namespace porter::testing
