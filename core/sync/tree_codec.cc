#include "core/sync/tree_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace porter::sync {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Code;
using base::Error;

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kWithExtras = 3;        // of trees that keep any
constexpr std::uint8_t kWithoutLinkTimes = 1;  // the version before: seals of it lie about
constexpr std::uint8_t kFolderByDigest = 4;  // beside the values of Kind: a folder that a part does not open
constexpr std::size_t kLeastEntry = 4;       // bytes: kind, a name of one byte, one more
// Paths are shared on the wire and not in memory; this keeps a small hostile message from becoming gigabytes.
constexpr std::size_t kMaxPathBytes = 256U << 20U;

void write_stamp(ByteWriter& writer, const Entry& entry) {
  const Stamp& stamp = entry.stamp;
  if (stamp == Stamp{}) {
    writer.u8(0);
    return;
  }
  writer.u8(1).varint(stamp.inode).varint(entry.size);
  writer.signed_varint(stamp.mtime_ns).signed_varint(stamp.ctime_ns);
}

// Of a file of this size; one of another size proves nothing.
Stamp read_stamp(ByteReader& reader, std::uint64_t file_size) {
  Stamp stamp;
  const std::uint8_t present = reader.u8();
  if (present == 0) return stamp;
  if (present != 1) throw reader.error("a malformed stamp");
  stamp.inode = reader.varint();
  const std::uint64_t size = reader.varint();
  stamp.mtime_ns = reader.signed_varint();
  stamp.ctime_ns = reader.signed_varint();
  if (stamp == Stamp{}) throw reader.error("an empty stamp");
  return size == file_size ? stamp : Stamp{};
}

void write_folder_entry(ByteWriter& writer, const Tree& tree, const Folder& folder, const Entry& entry) {
  const bool opened = tree.folder_index(join_path(folder.path, entry.name)).has_value();
  writer.u8(opened ? static_cast<std::uint8_t>(Kind::folder) : kFolderByDigest).text(entry.name);
  writer.varint(entry.mode).signed_varint(entry.mtime_ns);
  if (!opened) writer.digest(entry.digest);
  if (tree.keeps.any()) writer.text(entry.extra.bytes());
}

void write_entry(ByteWriter& writer, const Tree& tree, const Folder& folder, const Entry& entry,
                 Stamps stamps) {
  if (entry.kind == Kind::folder) return write_folder_entry(writer, tree, folder, entry);
  writer.u8(static_cast<std::uint8_t>(entry.kind)).text(entry.name);
  if (entry.kind == Kind::hard_link) {
    writer.text(entry.target);
    return;
  }
  if (entry.kind == Kind::link) {
    writer.signed_varint(entry.mtime_ns).text(entry.target);
  } else {
    writer.varint(entry.mode).signed_varint(entry.mtime_ns).varint(entry.size).digest(entry.digest);
    if (stamps == Stamps::yes) write_stamp(writer, entry);
  }
  if (tree.keeps.any()) writer.text(entry.extra.bytes());
}

std::uint32_t read_mode(ByteReader& reader) {
  return static_cast<std::uint32_t>(reader.varint_up_to(07777));
}

class TreeDecoder {
 public:
  explicit TreeDecoder(std::string_view bytes) : reader_(bytes, "tree") {}

  Tree decode() {
    read_head();
    open_next_folder();
    while (open_next_folder()) {
    }
    reader_.expect_end();
    return std::move(tree_);
  }

 private:
  struct Frame {
    std::size_t folder;
    std::vector<std::uint32_t> opened;  // its entries whose folders follow, last first
  };

  void read_head() {
    version_ = reader_.u8();
    if (version_ != kVersion && version_ != kWithoutLinkTimes && version_ != kWithExtras)
      throw reader_.error(fmt::format("format {}, this program knows {}", version_, kWithExtras));
    const std::uint8_t identity = reader_.u8();
    if (!is_identity(identity)) throw reader_.error("unknown kind of identity");
    tree_.identity = static_cast<Identity>(identity);
    if (version_ == kWithExtras) tree_.keeps = read_keeps(reader_);
    const std::uint8_t stamps = reader_.u8();
    if (stamps > 1) throw reader_.error("unknown flags");
    stamps_ = stamps == 1 ? Stamps::yes : Stamps::no;
    root_.mode = read_mode(reader_);
    root_.mtime_ns = reader_.signed_varint();
    root_.extra = read_extra();
  }

  PackedExtra read_extra() { return version_ == kWithExtras ? extras_.read(reader_) : PackedExtra(); }

  // Reads the row of the next folder that an entry announced; false when there is none.
  bool open_next_folder() {
    if (tree_.folders.empty()) {
      read_row(std::move(root_));
      return true;
    }
    while (!stack_.empty() && stack_.back().opened.empty())
      stack_.pop_back();
    if (stack_.empty()) return false;
    const Folder& parent = tree_.folders[stack_.back().folder];
    const Entry& entry = parent.entries[stack_.back().opened.back()];
    stack_.back().opened.pop_back();
    read_row(folder_of(parent, entry));
    return true;
  }

  Folder folder_of(const Folder& parent, const Entry& entry) {
    Folder folder;
    folder.path = join_path(parent.path, entry.name);
    folder.mode = entry.mode;
    folder.mtime_ns = entry.mtime_ns;
    folder.extra = entry.extra;
    path_bytes_ += folder.path.size();
    if (folder.path.size() > kMaxPath || stack_.size() >= kMaxDepth || path_bytes_ > kMaxPathBytes)
      throw reader_.error("folders too deep or too many");
    return folder;
  }

  void read_row(Folder folder) {
    Frame frame{tree_.folders.size(), {}};
    const std::size_t count = reader_.count(kLeastEntry);
    // An Entry takes far more memory than its least bytes: grow with what really comes.
    folder.entries.reserve(std::min<std::size_t>(count, 1024));
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t kind = reader_.u8();
      folder.entries.push_back(read_entry(kind));
      if (kind == static_cast<std::uint8_t>(Kind::folder))
        frame.opened.push_back(static_cast<std::uint32_t>(i));
    }
    std::reverse(frame.opened.begin(), frame.opened.end());
    tree_.folders.push_back(std::move(folder));
    stack_.push_back(std::move(frame));
  }

  Entry read_entry(std::uint8_t kind) {
    Entry entry;
    entry.name = reader_.text(kMaxName);
    if (kind == static_cast<std::uint8_t>(Kind::link)) {
      entry.kind = Kind::link;
      entry.mode = 0777;
      if (version_ != kWithoutLinkTimes) entry.mtime_ns = reader_.signed_varint();
      entry.target = reader_.text(kMaxTarget);
      entry.extra = read_extra();
      return entry;
    }
    if (kind == static_cast<std::uint8_t>(Kind::hard_link)) {
      entry.kind = Kind::hard_link;
      entry.mode = 0;
      entry.target = reader_.text(kMaxPath);
      return entry;
    }
    entry.mode = read_mode(reader_);
    entry.mtime_ns = reader_.signed_varint();
    if (kind == static_cast<std::uint8_t>(Kind::file)) return read_file(std::move(entry));
    if (kind != static_cast<std::uint8_t>(Kind::folder) && kind != kFolderByDigest)
      throw reader_.error("an entry of unknown kind");
    entry.kind = Kind::folder;
    if (kind == kFolderByDigest) entry.digest = reader_.digest();
    entry.extra = read_extra();
    return entry;
  }

  Entry read_file(Entry entry) {
    entry.kind = Kind::file;
    entry.size = reader_.varint();
    entry.digest = reader_.digest();
    if (stamps_ == Stamps::yes) entry.stamp = read_stamp(reader_, entry.size);
    entry.extra = read_extra();
    return entry;
  }

  ByteReader reader_;
  Tree tree_;
  Folder root_;
  ExtraBytes extras_;
  std::uint8_t version_ = kVersion;
  Stamps stamps_ = Stamps::no;
  std::vector<Frame> stack_;
  std::size_t path_bytes_ = 0;
};

}  // namespace

TreeEncoder::TreeEncoder(const Tree& tree, Stamps stamps, std::size_t piece_limit)
    : tree_(tree), stamps_(stamps), limit_(piece_limit) {
  const Folder& root = tree.folders.front();
  const bool extras = tree.keeps.any();
  writer_.u8(extras ? kWithExtras : kVersion).u8(static_cast<std::uint8_t>(tree.identity));
  if (extras) writer_.u8(tree.keeps.to_byte());
  writer_.u8(stamps == Stamps::yes ? 1 : 0).varint(root.mode).signed_varint(root.mtime_ns);
  if (extras) writer_.text(root.extra.bytes());
}

void TreeEncoder::encode_more() {
  const Folder& folder = tree_.folders[folder_];
  if (!std::exchange(in_row_, true)) writer_.varint(folder.entries.size());
  while (entry_ < folder.entries.size() && writer_.size() < limit_)
    write_entry(writer_, tree_, folder, folder.entries[entry_++], stamps_);
  if (entry_ < folder.entries.size()) return;
  ++folder_;
  entry_ = 0;
  in_row_ = false;
}

bool TreeEncoder::next(std::string& piece) {
  while (writer_.size() < limit_ && folder_ < tree_.folders.size())
    encode_more();
  piece = writer_.take();
  if (piece.size() > limit_) {
    writer_.raw(std::string_view(piece).substr(limit_));
    piece.resize(limit_);
  }
  return !piece.empty();
}

void TreeAssembler::feed(std::string_view piece) {
  if (piece.size() > limit_ - bytes_.size())
    throw Error(Code::protocol, fmt::format("tree: larger than the {} bytes that are accepted", limit_));
  bytes_.append(piece);
}

Tree TreeAssembler::finish(Completeness completeness) {
  return decode_tree(std::exchange(bytes_, {}), completeness);
}

std::string encode_tree(const Tree& tree, Stamps stamps) {
  TreeEncoder encoder(tree, stamps);
  std::string all;
  for (std::string piece; encoder.next(piece);)
    all += piece;
  return all;
}

Tree decode_tree(std::string_view bytes, Completeness completeness) {
  Tree tree = TreeDecoder(bytes).decode();
  check_canonical(tree, completeness);
  tree.seal_digests();
  return tree;
}

}  // namespace porter::sync
