#pragma once
// The log of one run: every event at full detail, with time stamps, in the user's state folder. A run whose
// log cannot be written goes on; the view says so once.

#include <filesystem>
#include <memory>
#include <string>

#include "core/base/world.h"
#include "core/event/event.h"

namespace spdlog {
class logger;
}

namespace porter::cli {

class LogFile : public event::Sink {
 public:
  // A resumed run goes on in its log. Throws base::Error(io) when the file cannot be made.
  LogFile(const base::World& world, const std::string& run_id);
  ~LogFile() override;

  void handle(const event::Event& event) noexcept override;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::shared_ptr<spdlog::logger> log_;
};

}  // namespace porter::cli
