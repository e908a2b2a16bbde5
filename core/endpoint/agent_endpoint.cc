#include "core/endpoint/agent_endpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/endpoint/stage_sender.h"
#include "core/transport/become.h"

namespace porter::endpoint {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kPieceBytes = 256U << 10U;
constexpr std::size_t kMostDifferences = 10'000'000;  // what is taken in from an agent that does not end

std::uint32_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) base::throw_errno(path.string());
  return info.st_mode & 07777U;
}

void note_composed(protocol::SealHeader& header, const base::Digest& digest) {
  std::erase_if(header.notes, [](const auto& note) { return note.first == "composed"; });
  header.notes.emplace_back("composed", base::to_hex(digest));
  std::sort(header.notes.begin(), header.notes.end());
}

struct UploadItem {
  std::filesystem::path local;
  std::string path;
};

// Everything to send, folders before what is in them; refuses what cannot be sent before anything is.
std::vector<UploadItem> list_upload(const std::filesystem::path& local, const std::string& path) {
  std::error_code problem;
  const auto top = std::filesystem::symlink_status(local, problem);
  if (!std::filesystem::exists(top)) throw Error(Code::missing, local.string() + ": there is no such file");
  std::vector<UploadItem> items = {{local, path}};
  if (std::filesystem::is_directory(top)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(local))
      items.push_back({entry.path(), path + "/" + entry.path().lexically_relative(local).string()});
  }
  for (const UploadItem& item : items) {
    const auto status = std::filesystem::symlink_status(item.local);
    if (!std::filesystem::is_symlink(status) && !std::filesystem::is_directory(status) &&
        !std::filesystem::is_regular_file(status))
      throw Error(Code::refused, item.local.string() + ": is no file, folder or link");
  }
  return items;
}

// The lines of as many frames as come, `most` at most.
template <class Lines>
auto receive_lines(Wire& wire, std::size_t most) {
  decltype(Lines::lines) all;
  for (bool last = false; !last;) {
    Lines some = wire.expect<Lines>();
    std::move(some.lines.begin(), some.lines.end(), std::back_inserter(all));
    last = some.last;
    if (all.size() > most)
      wire.guard([&] { throw Error(Code::protocol, fmt::format("more than {} lines came", most)); });
  }
  return all;
}

}  // namespace

template <class Answer, class Message>
Answer AgentEndpoint::exchange(std::string_view doing, const Message& message) {
  return base::while_doing(fmt::format("{} on {}", doing, where()), [&] {
    const Wire::Use use(*wire_, protocol::name_of(Message::kType));
    return wire_->ask<Answer>(message);
  });
}

std::vector<protocol::SiteState> AgentEndpoint::look(const std::vector<protocol::SiteQuery>& sites) {
  return base::while_doing("reading the state of " + where(), [&] {
    const Wire::Use use(*wire_, "look");
    if (sites.empty()) return std::vector<protocol::SiteState>();
    wire_->send(protocol::Look{sites});
    std::vector<protocol::SiteState> states;
    while (states.size() < sites.size()) {
      const protocol::SiteState& state = states.emplace_back(wire_->expect<protocol::Looked>().site);
      if (state.current.empty())
        bare_.insert(state.path);
      else
        bare_.erase(state.path);
    }
    return states;
  });
}

sync::SyncPlan AgentEndpoint::compare(const protocol::SiteQuery& site, const sync::Composed& composed) {
  return base::while_doing(fmt::format("comparing with {} on {}", site.path, where()), [&] {
    const Wire::Use use(*wire_, "compare");
    const sync::Tree& tree = composed.tree;
    wire_->send(
        protocol::CompareBegin{site, static_cast<protocol::Identity>(tree.identity), tree.keeps.to_byte()});
    return sync::make_plan(composed.tree, exchange_base(*wire_, composed.tree).tree);
  });
}

std::vector<protocol::Difference> AgentEndpoint::differences(const protocol::DifferenceQuery& query) {
  return base::while_doing(fmt::format("comparing {} on {} with its seal", query.site, where()), [&] {
    const Wire::Use use(*wire_, "differences");
    wire_->send(protocol::AskDifferences{query});
    return receive_lines<protocol::DifferenceLines>(*wire_, kMostDifferences);
  });
}

void AgentEndpoint::lock(const protocol::LockRequest& request) {
  exchange<protocol::Done>("locking " + request.site, protocol::LockSite{request});
}

void AgentEndpoint::unlock(const std::string& site) {
  exchange<protocol::Done>("unlocking " + site, protocol::UnlockSite{site});
}

protocol::StageReport AgentEndpoint::stage(const protocol::StageRequest& request,
                                           const sync::Composed& composed, const ProgressSink& progress,
                                           ContentStore* store) {
  return base::while_doing(fmt::format("staging {} on {}", request.site, where()), [&] {
    Wire::Use use(*wire_, "stage");
    const TrafficCount before = traffic();
    // Where there is nothing yet all of it is going to travel: known a round trip before the sender knows.
    if (bare_.contains(request.site)) wire_->widen(composed.tree.byte_count());
    protocol::StageReport report = StageSender(*wire_, request, composed, progress, store).send();
    const TrafficCount after = traffic();
    report.wire_in = after.bytes_in - before.bytes_in;
    report.wire_out = after.bytes_out - before.bytes_out;
    composed_[request.site] = composed.tree.root_digest();
    use.resumed(report.bytes_resumed);
    return report;
  });
}

protocol::SealHeader AgentEndpoint::seal(const std::string& site, const protocol::SealHeader& header,
                                         protocol::Touched touched) {
  protocol::SealStage ask{site, header, touched};
  if (const auto staged = composed_.find(site); staged != composed_.end())
    note_composed(ask.header, staged->second);
  return exchange<protocol::Sealed>("sealing " + site, ask).header;
}

void AgentEndpoint::activate(const std::string& site, const std::string& release_id,
                             const std::string& run_id, protocol::Deletion deletion) {
  exchange<protocol::Done>("activating " + site, protocol::Activate{site, release_id, run_id, deletion});
}

protocol::SealHeader AgentEndpoint::reseal(const std::string& site, const std::string& release_id) {
  return exchange<protocol::Sealed>("sealing " + site, protocol::Reseal{site, release_id}).header;
}

void AgentEndpoint::revert(const std::string& site, const std::string& release_id,
                           const std::string& reason) {
  exchange<protocol::Done>("reverting " + site, protocol::Revert{site, release_id, reason});
}

protocol::CommitReport AgentEndpoint::commit(const std::string& site, const std::string& release_id,
                                             std::uint32_t keep_releases, const protocol::CommitNote& note) {
  return exchange<protocol::Committed>("committing " + site,
                                       protocol::Commit{site, release_id, keep_releases, note})
      .report;
}

void AgentEndpoint::discard(const std::string& site, const std::string& release_id) {
  exchange<protocol::Done>("discarding a release of " + site, protocol::Discard{site, release_id});
}

void AgentEndpoint::install_file(const std::string& site, const std::string& release_id,
                                 std::string_view content, const std::string& path, std::uint32_t mode) {
  base::while_doing(fmt::format("installing {} on {}", path, where()), [&] {
    const Wire::Use use(*wire_, "install_file");
    wire_->send(protocol::InstallBegin{site, release_id, path, mode});
    send_pieces(content);
    wire_->expect<protocol::Done>();
  });
}

void AgentEndpoint::place_files(const std::string& site, const std::string& release_id) {
  exchange<protocol::Done>("putting the files of " + site + " in place",
                           protocol::PlaceFiles{site, release_id});
}

void AgentEndpoint::add_undo(const std::string& site, const std::string& release_id,
                             const protocol::RunRequest& request) {
  exchange<protocol::Done>("noting an undo step of " + site, protocol::AddUndo{site, release_id, request});
}

void AgentEndpoint::mark(const std::string& site, const std::string& release_id, protocol::Mark mark,
                         const std::string& reason) {
  exchange<protocol::Done>("marking a release of " + site,
                           protocol::MarkRelease{site, release_id, mark, reason});
}

void AgentEndpoint::freeze(const std::string& site, const protocol::Freeze& freeze) {
  exchange<protocol::Done>("freezing " + site, protocol::FreezeSite{site, freeze});
}

void AgentEndpoint::unfreeze(const std::string& site, const std::string& config) {
  exchange<protocol::Done>("unfreezing " + site, protocol::UnfreezeSite{site, config});
}

std::vector<protocol::HistoryRecord> AgentEndpoint::history(const std::string& site, protocol::Layout layout,
                                                            std::uint32_t limit) {
  return base::while_doing(fmt::format("reading the history of {} on {}", site, where()), [&] {
    const Wire::Use use(*wire_, "history");
    wire_->send(protocol::AskHistory{site, layout, limit});
    return receive_lines<protocol::HistoryLines>(*wire_, limit);
  });
}

protocol::RunResult AgentEndpoint::run(const protocol::RunRequest& request) {
  if (request.input.size() > protocol::kMaxInput)
    throw Error(Code::usage, fmt::format("{}: {} bytes of input, at most {} are carried",
                                         request.arguments.at(0), request.input.size(), protocol::kMaxInput))
        .hint("upload a file and let the program read that");
  auto result =
      exchange<protocol::RunEnded>("running " + request.arguments.at(0), protocol::Run{request}).result;
  if (request.privilege == protocol::Privilege::sudo && result.status == 1) {
    if (const auto why =
            transport::explain_become_failure(where(), "root", request.arguments[0], result.errors))
      throw Error(*why);
  }
  return result;
}

protocol::PathState AgentEndpoint::stat(const std::string& path) {
  return exchange<protocol::StatAnswer>("looking at " + path, protocol::AskStat{path}).state;
}

std::string AgentEndpoint::read_file(const std::string& path, std::uint64_t limit) {
  return base::while_doing(fmt::format("reading {} on {}", path, where()), [&] {
    const Wire::Use use(*wire_, "read_file");
    wire_->send(protocol::ReadFile{path, limit});
    std::string content;
    for (;;) {
      const protocol::Piece piece = wire_->expect<protocol::FileData>().piece;
      content += piece.bytes;
      if (content.size() > limit)
        wire_->guard([&] {
          throw Error(Code::protocol,
                      fmt::format("{}: more than the {} bytes that were asked for", path, limit));
        });
      if (piece.last) return content;
    }
  });
}

void AgentEndpoint::send_pieces(std::string_view content) {
  do {
    const std::string_view piece = content.substr(0, kPieceBytes);
    content.remove_prefix(piece.size());
    wire_->send(protocol::WriteData{{content.empty(), std::string(piece)}});
  } while (!content.empty());
}

void AgentEndpoint::write_file(const std::string& path, std::string_view content, std::uint32_t mode) {
  base::while_doing(fmt::format("writing {} on {}", path, where()), [&] {
    const Wire::Use use(*wire_, "write_file");
    wire_->send(protocol::WriteBegin{path, mode});
    send_pieces(content);
    wire_->expect<protocol::Done>();
  });
}

// Sends one file, folder or link without waiting for its answer.
void AgentEndpoint::upload_one(const std::filesystem::path& local, const std::string& path) {
  const std::filesystem::file_status status = std::filesystem::symlink_status(local);
  if (std::filesystem::is_symlink(status))
    return wire_->send(protocol::MakeLink{path, std::filesystem::read_symlink(local).string()});
  if (std::filesystem::is_directory(status)) return wire_->send(protocol::MakeFolder{path, mode_of(local)});
  const base::UniqueFd fd(::open(local.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) base::throw_errno(local.string());
  wire_->send(protocol::WriteBegin{path, mode_of(local)});
  // From here on a fault of ours ends the wire: there is no other way to leave a file half sent.
  wire_->guard([&] {
    for (bool last = false; !last;) {
      std::string piece(kPieceBytes, '\0');
      piece.resize(base::read_some(fd.get(), std::as_writable_bytes(std::span(piece))));
      last = piece.empty();
      wire_->send(protocol::WriteData{{last, std::move(piece)}});
    }
  });
}

void AgentEndpoint::upload(const std::filesystem::path& local, const std::string& path) {
  base::while_doing(fmt::format("uploading {} to {} on {}", local.string(), path, where()), [&] {
    const std::vector<UploadItem> items = list_upload(local, path);
    const Wire::Use use(*wire_, "upload");
    for (const UploadItem& item : items)
      upload_one(item.local, item.path);
    // Answers are taken to the last one, so that the next exchange finds its own.
    std::optional<Error> first;
    for (std::size_t i = 0; i < items.size(); ++i) {
      try {
        wire_->expect<protocol::Done>();
      } catch (const Error& error) {
        if (!first) first = error;
        if (error.code() == Code::unreachable || error.code() == Code::protocol ||
            error.code() == Code::timeout)
          break;
      }
    }
    if (first) throw Error(*first);
  });
}

void AgentEndpoint::remove(const std::string& path) {
  exchange<protocol::Done>("removing " + path, protocol::RemovePath{path});
}

void AgentEndpoint::rename(const std::string& from, const std::string& to) {
  exchange<protocol::Done>("renaming " + from, protocol::RenamePath{from, to});
}

void AgentEndpoint::close() {
  {
    const Wire::Use use(*wire_, "close");
    wire_->send(protocol::Goodbye{});
  }
  wire_->close();
}

}  // namespace porter::endpoint
