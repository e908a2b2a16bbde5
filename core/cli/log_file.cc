#include "core/cli/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/cli/describe.h"
#include "core/event/codec.h"

namespace porter::cli {
namespace {

// Addresses, versions and what plugins say are nobody else's business.
void make_private(const std::filesystem::path& file) {
  base::make_folders(file.parent_path(), 0700);
  if (::chmod(file.parent_path().c_str(), 0700) != 0) base::throw_errno(file.parent_path().string());
  const base::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) base::throw_errno(file.string());
}

}  // namespace

LogFile::LogFile(const base::World& world, const std::string& run_id)
    : path_(world.state_folder() / "logs" / (run_id + ".log")) {
  try {
    make_private(path_);
    log_ = std::make_shared<spdlog::logger>(
        "run", std::make_shared<spdlog::sinks::basic_file_sink_st>(path_.string()));
    log_->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %v",
                                                                    spdlog::pattern_time_type::utc));
    log_->flush_on(spdlog::level::info);
  } catch (const spdlog::spdlog_ex& problem) {
    throw base::Error(base::Code::io, path_.string() + ": " + problem.what());
  }
}

LogFile::~LogFile() = default;

void LogFile::handle(const event::Event& event) noexcept {
  if (std::holds_alternative<event::Progress>(event)) return;
  auto line = describe(event, Detail::verbose);
  if (!line) line = describe_result(event);
  // What has no words for people (the end of the run) is kept as data.
  log_->info("{}", line ? *line : event::encode(event, std::chrono::system_clock::now()));
}

}  // namespace porter::cli
