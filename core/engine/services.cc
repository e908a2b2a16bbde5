#include "core/engine/services.h"

#include <porter/services.h>

#include "core/base/text.h"
#include "core/bus/owner.h"
#include "core/bus/plugin_lock.h"
#include "core/engine/live_module.h"

namespace porter::engine {
namespace {

using bus::PluginLock;

class ContextService : public Context {
 public:
  explicit ContextService(LiveModule& module) : module_(module) {}

  std::string project() const override { return module_.run().project.name; }
  std::string module() const override { return module_.module_run().module->name; }
  std::string module_directory() const override { return module_.module_run().module->folder.string(); }
  std::string host() const override { return module_.on_host() ? module_.deployment().host_name() : ""; }
  std::string config() const override { return module_.run().request.config; }
  std::string ref() const override { return module_.run().request.ref; }
  std::string version() const override { return module_.deployment().version; }
  std::string commit() const override { return module_.deployment().commit; }
  std::string run_id() const override { return module_.run().request.run_id; }
  std::string release_id() const override { return module_.deployment().release_id; }
  std::string layout() const override {
    return module_.deployment().settings->layout() == settings::Layout::inplace ? "inplace" : "releases";
  }
  std::string source_directory() const override {
    if (module_.run().resumes)
      throw base::Error(base::Code::missing, "a resumed run has its composed trees, and no source folder")
          .hint("deploy again instead");
    if (module_.run().request.action == Action::rollback)
      throw base::Error(base::Code::missing,
                        "a rollback takes what is on the target, and has no source folder");
    return module_.module_run().checkout.tree.string();
  }
  bool forced() const override { return module_.module_run().forced; }
  double started() const override {
    return std::chrono::duration<double>(module_.run().started.time_since_epoch()).count();
  }
  std::map<std::string, std::map<std::string, std::string>> effective_settings() const override {
    return module_.deployment().settings->effective();
  }

 private:
  LiveModule& module_;
};

std::string absolute(const LiveModule& module, const std::string& path) {
  return path.starts_with('/') ? path : module.destpath() + "/" + path;
}

// A program of a handler's, which has as long as a handler. When the handler waits for it, the watchdog comes
// first; this is for the target, should nobody here be left to end the program.
protocol::RunRequest program_of(LiveModule& module, const std::vector<std::string>& arguments,
                                const std::string& directory, Privilege privilege, const std::string& input) {
  protocol::RunRequest request;
  request.arguments = arguments;
  if (!directory.empty()) request.directory = absolute(module, directory);
  request.input = input;
  const auto limit = std::chrono::ceil<std::chrono::seconds>(module.run().project.handler_timeout);
  request.deadline_seconds = static_cast<std::uint32_t>(limit.count());
  request.privilege = privilege == Privilege::sudo ? protocol::Privilege::sudo : protocol::Privilege::user;
  return request;
}

class TargetService : public Target {
  endpoint::Endpoint& endpoint() {
    if (!module_.on_host())
      throw base::Error(base::Code::usage, "this signal is of no host: there is no target yet");
    return *module_.deployment().host->endpoint;
  }

  template <class Work>
  auto waiting(Work&& work) {
    endpoint::Endpoint& target = endpoint();
    const PluginLock::Unlocked unlocked;
    return work(target);
  }

  std::string absolute(const std::string& path) const { return engine::absolute(module_, path); }

  // A path that is about to be changed: when it lies in the tree of this deploy, that has to be there first.
  std::string changed(const std::string& path) {
    std::string full = absolute(path);
    if (full.starts_with(module_.destpath() + "/")) module_.ensure_stage();
    return full;
  }

 public:
  explicit TargetService(LiveModule& module) : module_(module) {}

  RunResult try_run(const std::vector<std::string>& arguments, const std::string& directory,
                    Privilege privilege, const std::string& input) override {
    const protocol::RunRequest request = program_of(module_, arguments, directory, privilege, input);
    const protocol::RunResult result =
        waiting([&](endpoint::Endpoint& target) { return target.run(request); });
    return {result.status, result.output, result.errors};
  }

  std::map<std::string, std::string> facts() override {
    const protocol::Hello& hello = endpoint().hello();
    return {{"hostname", hello.hostname}, {"ipv4", hello.ipv4},       {"user", hello.user},
            {"home", hello.home},         {"machine", hello.machine}, {"system", hello.system}};
  }

  bool exists(const std::string& path) override {
    return waiting([&](endpoint::Endpoint& target) { return target.exists(absolute(path)); });
  }
  bool is_link(const std::string& path) override {
    return waiting([&](endpoint::Endpoint& target) { return target.is_link(absolute(path)); });
  }
  std::string read(const std::string& path, std::uint64_t limit) override {
    return waiting([&](endpoint::Endpoint& target) { return target.read_file(absolute(path), limit); });
  }
  void write(const std::string& path, std::string_view content, unsigned mode) override {
    waiting([&](endpoint::Endpoint& target) { target.write_file(changed(path), content, mode); });
  }
  void upload(const std::string& local, const std::string& path) override {
    waiting([&](endpoint::Endpoint& target) { target.upload(local, changed(path)); });
  }
  void remove(const std::string& path) override {
    waiting([&](endpoint::Endpoint& target) { target.remove(changed(path)); });
  }

  LiveModule& module_;
};

class UndoService : public Undo {
 public:
  explicit UndoService(LiveModule& module) : module_(module) {}

  void install(std::string_view content, const std::string& path, unsigned mode) override {
    Deployment& one = on_host();
    if (!path.starts_with('/'))
      throw base::Error(base::Code::usage, path + ": a file outside of the tree has an absolute path");
    one.installs = true;
    const PluginLock::Unlocked unlocked;
    one.host->endpoint->install_file(one.site(), one.release_id, content, path, mode);
  }

  void on_undo(const std::vector<std::string>& arguments, const std::string& directory, Privilege privilege,
               const std::string& input) override {
    Deployment& one = on_host();
    const protocol::RunRequest request = program_of(module_, arguments, directory, privilege, input);
    const PluginLock::Unlocked unlocked;
    one.host->endpoint->add_undo(one.site(), one.release_id, request);
  }

 private:
  // Undo steps belong to a release, and that has to be begun.
  Deployment& on_host() {
    if (!module_.on_host())
      throw base::Error(base::Code::usage, "this signal is of no host: there is no release yet");
    if (!module_.deployment().was_live) module_.ensure_stage();
    return module_.deployment();
  }

  LiveModule& module_;
};

class SenderService : public Sender {
 public:
  explicit SenderService(LiveModule& module) : module_(module) {}
  void send() override { module_.send(); }
  void send_folder(const std::string& local_folder) override { module_.send_folder(local_folder); }
  void run_default() override {
    // The plugin's handlers of the procedure itself run on other threads, one for each host.
    const PluginLock::Unlocked waiting;
    module_.module_run().run_default();
  }

 private:
  LiveModule& module_;
};

class LogService : public Log {
 public:
  explicit LogService(LiveModule& module) : module_(module) {}

  void write(LogLevel level, std::string_view text) override {
    event::Talk talk;
    talk.level = level == LogLevel::warning ? event::Level::warning
                 : level == LogLevel::debug ? event::Level::debug
                                            : event::Level::info;
    talk.source = bus::current_owner().name;
    talk.module = module_.module_run().module->name;
    talk.host = module_.on_host() ? module_.deployment().host_name() : "";
    talk.text = text;
    module_.run().around.sink.handle(talk);
  }

  void print(std::string_view text) override {
    module_.run().around.sink.handle(event::Output{base::printable_lines(text)});
  }

 private:
  LiveModule& module_;
};

}  // namespace

struct Services::All {
  explicit All(LiveModule& module)
      : context(module), target(module), undo(module), sender(module), log(module) {}
  ContextService context;
  TargetService target;
  UndoService undo;
  SenderService sender;
  LogService log;
};

Services::Services(LiveModule& module) : all_(std::make_unique<All>(module)) {}
Services::~Services() = default;

void* Services::find(std::string_view id) {
  if (id == Context::kId) return static_cast<Context*>(&all_->context);
  if (id == Target::kId) return static_cast<Target*>(&all_->target);
  if (id == Undo::kId) return static_cast<Undo*>(&all_->undo);
  if (id == Sender::kId) return static_cast<Sender*>(&all_->sender);
  if (id == Log::kId) return static_cast<Log*>(&all_->log);
  return nullptr;
}

}  // namespace porter::engine
