#include "core/protocol/messages.h"

#include <fmt/format.h>

#include <limits>

#include "core/protocol/describe.h"

namespace porter::protocol {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxWord = 255;              // names, ids, versions
constexpr std::size_t kMaxText = 64U << 10U;       // what people read
constexpr std::size_t kMaxArgument = 128U << 10U;  // Linux's own limit for one argument

// One description per value and per message: `a` is a FieldWriter or a FieldReader. A field that is added
// later comes behind a feature or a higher minor version, never in the middle.

template <class A>
void texts(A& a, std::vector<std::string>& items, std::size_t limit) {
  a.list(items, [limit](A& inner, std::string& item) { inner.text(item, limit); });
}

template <class A>
void describe(A& a, Hello& v) {
  a.number(v.major), a.number(v.minor);
  texts(a, v.features, kMaxWord);
  a.text(v.version, kMaxWord), a.digest(v.digest);
  a.number(v.pid), a.number(v.uid);
  a.text(v.user, kMaxWord), a.text(v.home, kMaxPath), a.text(v.hostname, kMaxWord), a.text(v.ipv4, kMaxWord);
  a.text(v.machine, kMaxWord), a.text(v.system, kMaxWord), a.signed_number(v.clock);
}

template <class A>
void describe(A& a, SealHeader& v) {
  a.text(v.release_id, kMaxWord), a.text(v.skip_key, kMaxWord), a.text(v.version_label, kMaxText);
  a.text(v.commit, kMaxWord), a.text(v.run_id, kMaxWord), a.signed_number(v.made_at_ns);
  a.text(v.layout, kMaxWord), a.digest(v.root_digest);
  a.list(v.notes, [](A& inner, std::pair<std::string, std::string>& note) {
    inner.text(note.first, kMaxWord), inner.text(note.second, kMaxText);
  });
}

template <class A>
void describe(A& a, LockNote& v) {
  a.text(v.run_id, kMaxWord), a.text(v.who, kMaxText), a.text(v.host, kMaxText);
  a.text(v.since, kMaxText), a.text(v.message, kMaxText);
}

template <class A>
void describe(A& a, LockRequest& v) {
  a.text(v.site, kMaxPath), a.choice(v.layout, 2), a.choice(v.adoption, 2), a.choice(v.durability, 2);
  a.text(v.keep_release, kMaxWord), a.text(v.config, kMaxWord), describe(a, v.note);
}

template <class A>
void describe(A& a, SiteQuery& v) {
  a.text(v.path, kMaxPath), a.choice(v.layout, 2), a.choice(v.identity, 2), a.digest(v.wanted);
  texts(a, v.generated, kMaxPath);
}

template <class A>
void describe(A& a, BadRelease& v) {
  a.text(v.release_id, kMaxWord), a.text(v.reason, kMaxText), a.text(v.since, kMaxWord);
}

template <class A>
void describe(A& a, Freeze& v) {
  a.text(v.config, kMaxWord), a.text(v.reason, kMaxText), a.text(v.who, kMaxText), a.text(v.since, kMaxWord);
}

template <class A>
void describe(A& a, SiteState& v) {
  a.text(v.path, kMaxPath), a.choice(v.standing, 4), a.text(v.reason, kMaxText), a.text(v.current, kMaxWord);
  describe(a, v.seal), a.flag(v.seal_damaged), a.flag(v.matches);
  a.number(v.drift_changed), a.number(v.drift_missing), texts(a, v.drift, kMaxPath);
  a.list(v.releases, [](A& inner, SealHeader& header) { describe(inner, header); });
  texts(a, v.pinned, kMaxWord);
  a.list(v.bad, [](A& inner, BadRelease& bad) { describe(inner, bad); });
  a.list(v.frozen, [](A& inner, Freeze& freeze) { describe(inner, freeze); });
  a.number(v.leftovers), a.flag(v.one_file_system);
  a.text(v.pending, kMaxWord), a.text(v.pending_previous, kMaxWord), a.text(v.pending_run, kMaxWord);
  a.flag(v.locked), describe(a, v.holder), a.number(v.free_bytes), a.number(v.free_inodes);
}

template <class A>
void describe(A& a, StageRequest& v) {
  a.text(v.site, kMaxPath), a.text(v.release_id, kMaxWord), a.text(v.run_id, kMaxWord), a.choice(v.link, 4);
  texts(a, v.shared, kMaxPath), texts(a, v.generated, kMaxPath);
  a.number(v.max_delete), a.number(v.max_delete_percent);
}

template <class A>
void describe(A& a, StageReport& v) {
  a.text(v.destination, 2 * kMaxPath);
  for (std::uint64_t* count :
       {&v.files_kept, &v.files_whole, &v.files_delta, &v.files_cloned, &v.files_deleted, &v.bytes_whole,
        &v.bytes_delta, &v.bytes_saved, &v.resent, &v.wire_in, &v.wire_out})
    a.number(*count);
}

template <class A>
void describe(A& a, RunRequest& v) {
  texts(a, v.arguments, kMaxArgument), a.text(v.directory, kMaxPath), texts(a, v.environment, kMaxArgument);
  a.text(v.input, kMaxInput), a.choice(v.privilege, 2);
  a.number(v.deadline_seconds), a.number(v.output_limit);
}

template <class A>
void describe(A& a, RunResult& v) {
  a.small_signed(v.status), a.small_signed(v.signal);
  a.text(v.output, kMaxOutput), a.text(v.errors, kMaxOutput), a.flag(v.output_cut);
}

template <class A>
void describe(A& a, PathState& v) {
  a.choice(v.kind, 5), a.number(v.mode), a.number(v.size), a.signed_number(v.mtime_ns),
      a.text(v.target, kMaxPath);
}

template <class A>
void describe(A& a, HistoryRecord& v) {
  for (std::string* field :
       {&v.time, &v.action, &v.release, &v.previous, &v.run_id, &v.who, &v.version, &v.config, &v.message})
    a.text(*field, kMaxText);
}

template <class A>
void describe(A& a, CommitNote& v) {
  a.text(v.action, kMaxWord), a.text(v.config, kMaxWord), a.text(v.message, kMaxText);
}

template <class A>
void describe(A& a, DifferenceQuery& v) {
  a.text(v.site, kMaxPath), a.choice(v.layout, 2), a.text(v.release_id, kMaxWord);
  texts(a, v.generated, kMaxPath), a.flag(v.every_byte), a.flag(v.added);
}

template <class A>
void describe(A& a, Difference& v) {
  a.choice(v.kind, 3), a.text(v.path, kMaxPath), a.text(v.what, kMaxText);
}

template <class A>
void describe(A& a, Piece& v) {
  a.flag(v.last), a.text(v.bytes, kMaxPiece);
}

template <class A>
void describe(A& a, Welcome& m) {
  a.number(m.major), a.number(m.minor), a.text(m.version, kMaxWord), a.text(m.run_id, kMaxWord);
  a.number(m.idle_seconds);
}
template <class A>
void describe(A&, Beat&) {}
template <class A>
void describe(A&, Goodbye&) {}
template <class A>
void describe(A&, Done&) {}
template <class A>
void describe(A&, StageEnd&) {}
template <class A>
void describe(A&, StageAbort&) {}
template <class A>
void describe(A& a, HelloMessage& m) {
  describe(a, m.hello);
}
template <class A>
void describe(A& a, Failure& m) {
  a.small_signed(m.code), a.text(m.message, kMaxText), a.text(m.hint, kMaxText), texts(a, m.trail, kMaxText);
}
template <class A>
void describe(A& a, Look& m) {
  a.list(m.sites, [](A& inner, SiteQuery& site) { describe(inner, site); });
}
template <class A>
void describe(A& a, Looked& m) {
  describe(a, m.site);
}
template <class A>
void describe(A& a, LockSite& m) {
  describe(a, m.request);
}
template <class A>
void describe(A& a, UnlockSite& m) {
  a.text(m.site, kMaxPath);
}
template <class A>
void describe(A& a, AskHistory& m) {
  a.text(m.site, kMaxPath), a.choice(m.layout, 2), a.number(m.limit);
}
template <class A>
void describe(A& a, HistoryLines& m) {
  a.flag(m.last), a.list(m.lines, [](A& inner, HistoryRecord& line) { describe(inner, line); });
}
template <class A>
void describe(A& a, AskDifferences& m) {
  describe(a, m.query);
}
template <class A>
void describe(A& a, DifferenceLines& m) {
  a.flag(m.last), a.list(m.lines, [](A& inner, Difference& line) { describe(inner, line); });
}
template <class A>
void describe(A& a, MarkRelease& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.choice(m.mark, 4), a.text(m.reason, kMaxText);
}
template <class A>
void describe(A& a, FreezeSite& m) {
  a.text(m.site, kMaxPath), describe(a, m.freeze);
}
template <class A>
void describe(A& a, UnfreezeSite& m) {
  a.text(m.site, kMaxPath), a.text(m.config, kMaxWord);
}
template <class A>
void describe(A& a, StageBegin& m) {
  describe(a, m.request), a.choice(m.identity, 2), a.digest(m.wanted);
}
template <class A>
void describe(A& a, CompareBegin& m) {
  describe(a, m.site);
}
template <class A>
void describe(A& a, FolderDigests& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, BaseTree& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, WantedTree& m) {
  describe(a, m.piece);
}

template <class A>
void numbers(A& a, std::vector<FileNumber>& items) {
  a.list(items, [](A& inner, FileNumber& item) { inner.number(item); });
}

template <class A>
void describe(A& a, FilesToCome& m) {
  a.flag(m.last), numbers(a, m.whole), numbers(a, m.delta);
}
template <class A>
void describe(A& a, Batch& m) {
  a.list(m.files,
         [](A& inner, Batch::File& file) { inner.number(file.number), inner.text(file.bytes, kMaxPiece); });
}
template <class A>
void describe(A& a, ContentPiece& m) {
  a.number(m.number), describe(a, m.piece);
}
template <class A>
void describe(A& a, SignaturePiece& m) {
  a.number(m.number), a.number(m.basis_size), describe(a, m.piece);
}
template <class A>
void describe(A& a, DeltaPiece& m) {
  a.number(m.number), describe(a, m.piece);
}
template <class A>
void describe(A& a, Missing& m) {
  a.flag(m.last), numbers(a, m.files);
}
template <class A>
void describe(A& a, Staged& m) {
  describe(a, m.report);
}
template <class A>
void describe(A& a, SealStage& m) {
  a.text(m.site, kMaxPath), describe(a, m.header);
}
template <class A>
void describe(A& a, Sealed& m) {
  describe(a, m.header);
}
template <class A>
void describe(A& a, Activate& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.text(m.run_id, kMaxWord),
      a.choice(m.deletion, 2);
}
template <class A>
void describe(A& a, Reseal& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord);
}
template <class A>
void describe(A& a, Revert& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.text(m.reason, kMaxText);
}
template <class A>
void describe(A& a, Commit& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.number(m.keep_releases);
  describe(a, m.note);
}
template <class A>
void describe(A& a, Committed& m) {
  texts(a, m.report.pruned, kMaxWord), texts(a, m.report.warnings, kMaxText);
}
template <class A>
void describe(A& a, Discard& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord);
}
template <class A>
void describe(A& a, InstallBegin& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.text(m.path, kMaxPath), a.number(m.mode);
}
template <class A>
void describe(A& a, AddUndo& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), describe(a, m.request);
}
template <class A>
void describe(A& a, PlaceFiles& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord);
}
template <class A>
void describe(A& a, Run& m) {
  describe(a, m.request);
}
template <class A>
void describe(A& a, RunEnded& m) {
  describe(a, m.result);
}
template <class A>
void describe(A& a, AskStat& m) {
  a.text(m.path, kMaxPath);
}
template <class A>
void describe(A& a, StatAnswer& m) {
  describe(a, m.state);
}
template <class A>
void describe(A& a, ReadFile& m) {
  a.text(m.path, kMaxPath), a.number(m.limit);
}
template <class A>
void describe(A& a, FileData& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, WriteBegin& m) {
  a.text(m.path, kMaxPath), a.number(m.mode);
}
template <class A>
void describe(A& a, WriteData& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, RemovePath& m) {
  a.text(m.path, kMaxPath);
}
template <class A>
void describe(A& a, RenamePath& m) {
  a.text(m.from, kMaxPath), a.text(m.to, kMaxPath);
}
template <class A>
void describe(A& a, MakeFolder& m) {
  a.text(m.path, kMaxPath), a.number(m.mode);
}
template <class A>
void describe(A& a, MakeLink& m) {
  a.text(m.path, kMaxPath), a.text(m.target, kMaxPath);
}

// What a description cannot say.
template <class Message>
const char* fault(const Message&) {
  return nullptr;
}

bool absolute(const std::string& path) {
  return path.starts_with('/') && path.find('\0') == std::string::npos;
}
bool ascending(const std::vector<FileNumber>& numbers) {
  for (std::size_t i = 1; i < numbers.size(); ++i)
    if (numbers[i] <= numbers[i - 1]) return false;
  return true;
}

const char* fault(const LockSite& m) {
  return absolute(m.request.site) ? nullptr : "a site that is no absolute path";
}
const char* fault(const StageBegin& m) {
  return absolute(m.request.site) ? nullptr : "a site that is no absolute path";
}
const char* fault(const CompareBegin& m) {
  return absolute(m.site.path) ? nullptr : "a site that is no absolute path";
}
const char* fault(const Look& m) {
  for (const SiteQuery& site : m.sites)
    if (!absolute(site.path)) return "a site that is no absolute path";
  return nullptr;
}
const char* fault(const FilesToCome& m) {
  return ascending(m.whole) && ascending(m.delta) ? nullptr : "files out of order";
}
const char* fault(const Missing& m) {
  return ascending(m.files) ? nullptr : "files out of order";
}
const char* fault(const AskDifferences& m) {
  return absolute(m.query.site) ? nullptr : "a site that is no absolute path";
}
const char* fault(const InstallBegin& m) {
  if (m.mode > 07777) return "a mode beyond 07777";
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const RunRequest& request) {
  if (request.arguments.empty()) return "no program";
  for (const std::string& argument : request.arguments)
    if (argument.find('\0') != std::string::npos) return "an argument with a NUL byte";
  for (const std::string& entry : request.environment)
    if (entry.find('\0') != std::string::npos || entry.find('=') == std::string::npos ||
        entry.starts_with('='))
      return "an environment entry that is no NAME=value";
  return nullptr;
}
const char* fault(const Run& m) {
  return fault(m.request);
}
const char* fault(const AddUndo& m) {
  return fault(m.request);
}
const char* fault(const AskStat& m) {
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const ReadFile& m) {
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const WriteBegin& m) {
  if (m.mode > 07777) return "a mode beyond 07777";
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const RemovePath& m) {
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const RenamePath& m) {
  return absolute(m.from) && absolute(m.to) ? nullptr : "a path that is not absolute";
}
const char* fault(const MakeFolder& m) {
  if (m.mode > 07777) return "a mode beyond 07777";
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const MakeLink& m) {
  return absolute(m.path) ? nullptr : "a path that is not absolute";
}
const char* fault(const SignaturePiece& m) {
  const bool none = m.basis_size == SignaturePiece::kNoBasis;
  if (none) return m.piece.last && m.piece.bytes.empty() ? nullptr : "a signature of nothing";
  return m.basis_size <= (std::uint64_t{1} << 50U) ? nullptr : "a file of unbelievable size";
}

std::string type_text(std::uint8_t type) {
  const std::string_view name = name_of(static_cast<Type>(type));
  return name.empty() ? fmt::format("type {}", type) : std::string(name);
}

}  // namespace

std::string_view name_of(Type type) {
  switch (type) {
#define PORTER_NAME(name) \
  case Type::name:        \
    return #name;
    PORTER_NAME(welcome)
    PORTER_NAME(beat)
    PORTER_NAME(goodbye)
    PORTER_NAME(look)
    PORTER_NAME(lock)
    PORTER_NAME(unlock)
    PORTER_NAME(history)
    PORTER_NAME(differences)
    PORTER_NAME(mark)
    PORTER_NAME(freeze)
    PORTER_NAME(unfreeze)
    PORTER_NAME(stage_begin)
    PORTER_NAME(compare_begin)
    PORTER_NAME(folder_digests)
    PORTER_NAME(wanted_tree)
    PORTER_NAME(files_to_come)
    PORTER_NAME(batch)
    PORTER_NAME(content)
    PORTER_NAME(delta)
    PORTER_NAME(stage_end)
    PORTER_NAME(stage_abort)
    PORTER_NAME(seal)
    PORTER_NAME(activate)
    PORTER_NAME(reseal)
    PORTER_NAME(revert)
    PORTER_NAME(commit)
    PORTER_NAME(discard)
    PORTER_NAME(install_begin)
    PORTER_NAME(add_undo)
    PORTER_NAME(place_files)
    PORTER_NAME(run)
    PORTER_NAME(stat)
    PORTER_NAME(read_file)
    PORTER_NAME(write_begin)
    PORTER_NAME(write_data)
    PORTER_NAME(remove)
    PORTER_NAME(rename)
    PORTER_NAME(make_folder)
    PORTER_NAME(make_link)
    PORTER_NAME(hello)
    PORTER_NAME(failure)
    PORTER_NAME(done)
    PORTER_NAME(looked)
    PORTER_NAME(history_lines)
    PORTER_NAME(difference_lines)
    PORTER_NAME(base_tree)
    PORTER_NAME(signature)
    PORTER_NAME(missing)
    PORTER_NAME(staged)
    PORTER_NAME(sealed)
    PORTER_NAME(committed)
    PORTER_NAME(run_ended)
    PORTER_NAME(path_state)
    PORTER_NAME(file_data)
#undef PORTER_NAME
  }
  return "";
}

template <class Message>
std::string encode(const Message& message) {
  FieldWriter writer;
  describe(writer, const_cast<Message&>(message));
  return writer.take();
}

template <class Message>
Message decode(std::string_view payload) {
  FieldReader reader(payload, name_of(Message::kType));
  Message message;
  describe(reader, message);
  reader.expect_end();
  if (const char* why = fault(message)) throw reader.error(why);
  return message;
}

#define PORTER_MESSAGE(M)                   \
  template std::string encode<M>(const M&); \
  template M decode<M>(std::string_view);
PORTER_MESSAGE(Welcome)
PORTER_MESSAGE(Beat)
PORTER_MESSAGE(Goodbye)
PORTER_MESSAGE(HelloMessage)
PORTER_MESSAGE(Failure)
PORTER_MESSAGE(Done)
PORTER_MESSAGE(Look)
PORTER_MESSAGE(Looked)
PORTER_MESSAGE(LockSite)
PORTER_MESSAGE(UnlockSite)
PORTER_MESSAGE(AskHistory)
PORTER_MESSAGE(HistoryLines)
PORTER_MESSAGE(AskDifferences)
PORTER_MESSAGE(DifferenceLines)
PORTER_MESSAGE(MarkRelease)
PORTER_MESSAGE(FreezeSite)
PORTER_MESSAGE(UnfreezeSite)
PORTER_MESSAGE(StageBegin)
PORTER_MESSAGE(CompareBegin)
PORTER_MESSAGE(FolderDigests)
PORTER_MESSAGE(BaseTree)
PORTER_MESSAGE(WantedTree)
PORTER_MESSAGE(FilesToCome)
PORTER_MESSAGE(Batch)
PORTER_MESSAGE(ContentPiece)
PORTER_MESSAGE(SignaturePiece)
PORTER_MESSAGE(DeltaPiece)
PORTER_MESSAGE(StageEnd)
PORTER_MESSAGE(StageAbort)
PORTER_MESSAGE(Missing)
PORTER_MESSAGE(Staged)
PORTER_MESSAGE(SealStage)
PORTER_MESSAGE(Sealed)
PORTER_MESSAGE(Activate)
PORTER_MESSAGE(Reseal)
PORTER_MESSAGE(Revert)
PORTER_MESSAGE(Commit)
PORTER_MESSAGE(Committed)
PORTER_MESSAGE(Discard)
PORTER_MESSAGE(InstallBegin)
PORTER_MESSAGE(AddUndo)
PORTER_MESSAGE(PlaceFiles)
PORTER_MESSAGE(Run)
PORTER_MESSAGE(RunEnded)
PORTER_MESSAGE(AskStat)
PORTER_MESSAGE(StatAnswer)
PORTER_MESSAGE(ReadFile)
PORTER_MESSAGE(FileData)
PORTER_MESSAGE(WriteBegin)
PORTER_MESSAGE(WriteData)
PORTER_MESSAGE(RemovePath)
PORTER_MESSAGE(RenamePath)
PORTER_MESSAGE(MakeFolder)
PORTER_MESSAGE(MakeLink)
#undef PORTER_MESSAGE

void throw_unexpected(std::uint8_t got, std::string_view expected) {
  throw Error(Code::protocol,
              fmt::format("the other end said {} where {} was due", type_text(got), expected));
}

Failure to_failure(const Error& error) {
  const auto cut = [](std::string text) {
    if (text.size() > kMaxText) text.resize(kMaxText);
    return text;
  };
  Failure failure{static_cast<std::int32_t>(error.code()), cut(error.message()), cut(error.hint_text()), {}};
  if (!error.where().file.empty()) failure.message = cut(error.where().file + ": " + failure.message);
  for (std::size_t i = 0; i < error.trail().size() && i < 16; ++i)
    failure.trail.push_back(cut(error.trail()[i]).substr(0, 4096));
  return failure;
}

Error to_error(const Failure& failure) {
  Error error(Code::remote, failure.message);
  switch (static_cast<Code>(failure.code)) {
    case Code::internal:
    case Code::bad_value:
    case Code::missing:
    case Code::unsupported:
    case Code::become:
    case Code::agent:
    case Code::protocol:
    case Code::timeout:
    case Code::remote:
    case Code::locked:
    case Code::refused:
    case Code::frozen:
    case Code::no_space:
    case Code::io:
      error = Error(static_cast<Code>(failure.code), failure.message);
      break;
    default:
      break;
  }
  static_cast<void>(std::move(error).hint(failure.hint));
  for (const std::string& line : failure.trail)
    error.add_trail(line);
  return error;
}

}  // namespace porter::protocol
