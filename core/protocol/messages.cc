#include "core/protocol/messages.h"

#include <fmt/format.h>

#include "core/protocol/describe_messages.h"

namespace porter::protocol {
namespace {

using base::Code;
using base::Error;

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
const char* fault(const Stripe& m) {
  return is_token(m.token) ? nullptr : "a token that is none";
}
const char* fault_of_size(std::uint64_t basis_size) {
  return basis_size <= (std::uint64_t{1} << 50U) ? nullptr : "a file of unbelievable size";
}
const char* fault(const BlockTablePiece& m) {
  return fault_of_size(m.basis_size);
}
const char* fault(const SignaturePiece& m) {
  const bool none = m.basis_size == SignaturePiece::kNoBasis;
  if (none) return m.piece.last && m.piece.bytes.empty() ? nullptr : "a signature of nothing";
  return fault_of_size(m.basis_size);
}

std::string type_text(std::uint8_t type) {
  const std::string_view name = name_of(static_cast<Type>(type));
  return name.empty() ? fmt::format("type {}", type) : std::string(name);
}

}  // namespace

bool is_token(std::string_view text) {
  return text.size() == 2 * Stripe::kTokenBytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view name_of(Type type) {
  switch (type) {
#define PORTER_NAME(name) \
  case Type::name:        \
    return #name;
    PORTER_NAME(welcome)
    PORTER_NAME(beat)
    PORTER_NAME(goodbye)
    PORTER_NAME(stripe)
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
    PORTER_NAME(copies)
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
    PORTER_NAME(block_table)
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
PORTER_MESSAGE(Stripe)
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
PORTER_MESSAGE(BlockTablePiece)
PORTER_MESSAGE(Copies)
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
