#pragma once
// Every message of the protocol: its number, its fields, and one description (describe_messages.h) from which
// both encoding and decoding follow. decode() trusts nothing: lengths, counts, enums and text are checked,
// and nothing may be left over. Who may say what when is core/protocol/conversation.h; the story is
// docs/protocol.md. Plain values, no threads.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/protocol/frame.h"
#include "core/protocol/values.h"

namespace porter::protocol {

// The version: a peer with another major is refused, a higher minor only adds messages and features.
constexpr std::uint16_t kMajor = 5;
constexpr std::uint16_t kMinor = 0;

// Pieces of streams (trees, content, tables, signatures, deltas) are at most this long.
constexpr std::size_t kMaxPiece = 512U << 10U;
constexpr std::size_t kMaxInput = 512U << 10U;
constexpr std::size_t kMaxOutput = 384U << 10U;

// Below 128: from the operator's side. Numbers of retired messages are never used again.
enum class Type : std::uint8_t {
  welcome = 1,
  beat = 2,  // both directions
  goodbye = 3,
  // 4 is a packed frame (unpacker.h), which is no message
  stripe = 5,
  look = 16,
  lock = 17,
  unlock = 18,
  history = 19,
  differences = 20,
  mark = 21,
  freeze = 22,
  unfreeze = 23,
  stage_begin = 32,
  compare_begin = 33,
  folder_digests = 34,
  wanted_tree = 35,
  files_to_come = 36,
  batch = 37,
  content = 38,
  delta = 39,
  stage_end = 40,
  stage_abort = 41,
  copies = 42,
  seal = 48,
  activate = 49,
  reseal = 50,
  revert = 51,
  commit = 52,
  discard = 53,
  install_begin = 54,
  add_undo = 55,
  place_files = 56,
  run = 64,
  stat = 65,
  read_file = 66,
  write_begin = 67,
  write_data = 68,
  remove = 69,
  rename = 70,
  make_folder = 71,
  make_link = 72,
  hello = 128,
  failure = 130,
  done = 131,
  looked = 144,
  history_lines = 145,
  difference_lines = 146,
  base_tree = 160,
  signature = 161,
  missing = 162,
  staged = 163,
  block_table = 164,
  sealed = 176,
  committed = 177,
  run_ended = 192,
  path_state = 193,
  file_data = 194,
};

// For messages to people: "stage_begin".
std::string_view name_of(Type type);

// What the operator's side answers to Hello.
struct Welcome {
  static constexpr Type kType = Type::welcome;
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::string version;
  std::string run_id;
  std::uint32_t idle_seconds = 60;    // silence after which the agent ends itself
  std::vector<std::string> features;  // what the operator's side can take, as in Hello
};
// Says "I live"; sent by both ends when they have nothing else to say for a quarter of the idle deadline.
struct Beat {
  static constexpr Type kType = Type::beat;
};
struct Goodbye {
  static constexpr Type kType = Type::goodbye;
};

// Behind it the stream is in stripes (stripes.h), up to their end: nothing but how frames travel changes.
// Whoever shows this token to the agent brings another channel for them. Never within a packed frame.
struct Stripe {
  static constexpr Type kType = Type::stripe;
  static constexpr std::size_t kTokenBytes = 16;
  std::string token;  // of random bytes, in hexadecimal
};
// Whether it is spelled as a token is.
bool is_token(std::string_view text);

struct HelloMessage {
  static constexpr Type kType = Type::hello;
  Hello hello;
};
// A base::Error on its way.
struct Failure {
  static constexpr Type kType = Type::failure;
  std::int32_t code = 0;
  std::string message;
  std::string hint;
  std::vector<std::string> trail;
};
struct Done {
  static constexpr Type kType = Type::done;
};

struct Look {
  static constexpr Type kType = Type::look;
  std::vector<SiteQuery> sites;
};
// One for each site, in order.
struct Looked {
  static constexpr Type kType = Type::looked;
  SiteState site;
};
struct LockSite {
  static constexpr Type kType = Type::lock;
  LockRequest request;
};
struct UnlockSite {
  static constexpr Type kType = Type::unlock;
  std::string site;
};
struct AskHistory {
  static constexpr Type kType = Type::history;
  std::string site;
  Layout layout = Layout::releases;
  std::uint32_t limit = 50;
};
struct HistoryLines {
  static constexpr Type kType = Type::history_lines;
  bool last = false;
  std::vector<HistoryRecord> lines;
};

// Needs no lock.
struct AskDifferences {
  static constexpr Type kType = Type::differences;
  DifferenceQuery query;
};
struct DifferenceLines {
  static constexpr Type kType = Type::difference_lines;
  bool last = false;
  std::vector<Difference> lines;
};
struct MarkRelease {
  static constexpr Type kType = Type::mark;
  std::string site;
  std::string release_id;
  Mark mark = Mark::pinned;
  std::string reason;  // of a bad one
};
struct FreezeSite {
  static constexpr Type kType = Type::freeze;
  std::string site;
  Freeze freeze;
};
struct UnfreezeSite {
  static constexpr Type kType = Type::unfreeze;
  std::string site;
  std::string config;
};

struct StageBegin {
  static constexpr Type kType = Type::stage_begin;
  StageRequest request;
  Identity identity = Identity::content_only;
  std::uint64_t keeps = 0;  // what the tree keeps beside: sync::Keeps as a byte
  base::Digest wanted{};    // root digest of the wanted tree
};
struct CompareBegin {
  static constexpr Type kType = Type::compare_begin;
  SiteQuery site;
  Identity identity = Identity::content_only;
  std::uint64_t keeps = 0;
};

// A piece of a byte stream that is longer than a frame.
struct Piece {
  bool last = false;
  std::string bytes;
};
// sync::encode_folder_digests of the wanted tree, pieces in order.
struct FolderDigests {
  static constexpr Type kType = Type::folder_digests;
  Piece piece;
};
// The part of the live tree that those digests do not tell (sync::encode_tree); no base: an empty root.
// Before a stage also contents that an interrupted send has left there: `whole` ones, each as often as it is
// there, and what large files that have begun to arrive were to become. Lists may go on from message to
// message.
struct BaseTree {
  static constexpr Type kType = Type::base_tree;
  Piece piece;
  std::vector<base::Digest> whole{};
  std::vector<base::Digest> begun{};
};
// The part of the wanted tree that the base does not tell.
struct WantedTree {
  static constexpr Type kType = Type::wanted_tree;
  Piece piece;
};

// Files are numbered in the wanted tree's order, files only, from 0.
using FileNumber = std::uint64_t;

// Whose content will come: ascending. `delta` files first get a block table or a signature from the agent.
struct FilesToCome {
  static constexpr Type kType = Type::files_to_come;
  bool last = false;
  std::vector<FileNumber> whole;
  std::vector<FileNumber> delta;
};
// Whole small files.
struct Batch {
  static constexpr Type kType = Type::batch;
  struct File {
    FileNumber number = 0;
    std::string bytes;
  };
  std::vector<File> files;
};
// A whole large file, in order; files do not interleave.
struct ContentPiece {
  static constexpr Type kType = Type::content;
  FileNumber number = 0;
  Piece piece;
};
// What the blocks of the agent's old version of a file are (sync::encode_blocks), when that is a large one;
// answered by Copies.
struct BlockTablePiece {
  static constexpr Type kType = Type::block_table;
  FileNumber number = 0;
  std::uint64_t basis_size = 0;  // in every piece
  Piece piece;
};
// What the new file has from the old one, ascending in the new one; all of it with `last`. Answered by a
// signature of what nothing is copied from (sync::what_is_left).
struct Copies {
  static constexpr Type kType = Type::copies;
  struct Copy {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::uint64_t size = 0;
  };
  FileNumber number = 0;
  bool last = false;
  std::vector<Copy> copies;
};
// The agent's signature of its old version of a file, or of what copies leave of it.
struct SignaturePiece {
  static constexpr Type kType = Type::signature;
  FileNumber number = 0;
  std::uint64_t basis_size = 0;  // in every piece; `kNoBasis` and no bytes: there is none, send it whole
  Piece piece;
  static constexpr std::uint64_t kNoBasis = ~std::uint64_t{0};
};
// Of the new file, or of what copies leave of it.
struct DeltaPiece {
  static constexpr Type kType = Type::delta;
  FileNumber number = 0;
  Piece piece;
};
struct StageEnd {
  static constexpr Type kType = Type::stage_end;
};
// Ends a stage that the operator's side cannot go on with; what was staged is discarded.
struct StageAbort {
  static constexpr Type kType = Type::stage_abort;
};
// What is still not there after StageEnd: sent whole, then StageEnd again. At most one such round.
struct Missing {
  static constexpr Type kType = Type::missing;
  bool last = false;
  std::vector<FileNumber> files;
};
struct Staged {
  static constexpr Type kType = Type::staged;
  StageReport report;  // the agent's half: destination, kept, cloned, deleted
};

struct SealStage {
  static constexpr Type kType = Type::seal;
  std::string site;
  SealHeader header;
  Touched touched = Touched::maybe;
};
struct Sealed {
  static constexpr Type kType = Type::sealed;
  SealHeader header;
};
struct Activate {
  static constexpr Type kType = Type::activate;
  std::string site;
  std::string release_id;
  std::string run_id;
  Deletion deletion = Deletion::listed;
};
struct Reseal {
  static constexpr Type kType = Type::reseal;
  std::string site;
  std::string release_id;
};
struct Revert {
  static constexpr Type kType = Type::revert;
  std::string site;
  std::string release_id;
  std::string reason;  // "": the release is removed; else it is kept as a bad one, for this reason
};
struct Commit {
  static constexpr Type kType = Type::commit;
  std::string site;
  std::string release_id;
  std::uint32_t keep_releases = 5;
  CommitNote note;
};
struct Committed {
  static constexpr Type kType = Type::committed;
  CommitReport report;
};
struct Discard {
  static constexpr Type kType = Type::discard;
  std::string site;
  std::string release_id;
};

// A file outside of the tree that belongs to the release; its content follows as write_data.
struct InstallBegin {
  static constexpr Type kType = Type::install_begin;
  std::string site;
  std::string release_id;
  std::string path;        // absolute
  std::uint32_t mode = 0;  // 0 keeps the mode of what is there, 0644 for a new one
};
// A program that is run when the release is taken back.
struct AddUndo {
  static constexpr Type kType = Type::add_undo;
  std::string site;
  std::string release_id;
  RunRequest request;
};
// Puts the installed files in place; those that come later are placed at once.
struct PlaceFiles {
  static constexpr Type kType = Type::place_files;
  std::string site;
  std::string release_id;
};

struct Run {
  static constexpr Type kType = Type::run;
  RunRequest request;
};
struct RunEnded {
  static constexpr Type kType = Type::run_ended;
  RunResult result;
};
struct AskStat {
  static constexpr Type kType = Type::stat;
  std::string path;
};
struct StatAnswer {
  static constexpr Type kType = Type::path_state;
  PathState state;
};
struct ReadFile {
  static constexpr Type kType = Type::read_file;
  std::string path;
  std::uint64_t limit = 0;
};
struct FileData {
  static constexpr Type kType = Type::file_data;
  Piece piece;
};
struct WriteBegin {
  static constexpr Type kType = Type::write_begin;
  std::string path;
  std::uint32_t mode = 0;
};
struct WriteData {
  static constexpr Type kType = Type::write_data;
  Piece piece;
};
struct RemovePath {
  static constexpr Type kType = Type::remove;
  std::string path;
};
struct RenamePath {
  static constexpr Type kType = Type::rename;
  std::string from;
  std::string to;
};
// An existing folder is fine and gets the mode.
struct MakeFolder {
  static constexpr Type kType = Type::make_folder;
  std::string path;
  std::uint32_t mode = 0755;
};
struct MakeLink {
  static constexpr Type kType = Type::make_link;
  std::string path;
  std::string target;
};

// The payload alone, and the whole frame.
template <class Message>
std::string encode(const Message& message);
template <class Message>
std::string to_frame(const Message& message) {
  return encode_frame(static_cast<std::uint8_t>(Message::kType), encode(message));
}
// Throws Error(protocol) that names the message and what is wrong with it.
template <class Message>
Message decode(std::string_view payload);
// The same, and another type is an error that names both.
template <class Message>
Message expect(const Frame& frame);

[[noreturn]] void throw_unexpected(std::uint8_t got, std::string_view expected);

template <class Message>
Message expect(const Frame& frame) {
  if (frame.type != static_cast<std::uint8_t>(Message::kType))
    throw_unexpected(frame.type, name_of(Message::kType));
  return decode<Message>(frame.payload);
}

Failure to_failure(const base::Error& error);
// Codes that this side does not know become Code::remote.
base::Error to_error(const Failure& failure);

}  // namespace porter::protocol
