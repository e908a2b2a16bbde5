#include "core/sync/tree_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/crew.h"

namespace porter::sync {
namespace {

using base::ByteReader;
using base::ByteWriter;

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kWithExtras = 2;              // of trees that keep any
constexpr std::size_t kLeastEntry = 2;               // bytes: kind, length of the name
constexpr std::size_t kLeastFolder = 5 + 32;         // of the table
constexpr std::size_t kTypicalEntry = 96;            // for reserving
constexpr std::size_t kRowBytesAtOnce = 64U << 10U;  // in one piece of work

enum class StampForm : std::uint8_t {
  none = 0,
  as_entry = 1,  // size and mtime are the entry's own
  own = 2,       // their own, though the size is the entry's where it is of any use
};

void write_stamp(ByteWriter& writer, const Entry& entry) {
  const Stamp& stamp = entry.stamp;
  if (stamp == Stamp{}) {
    writer.u8(static_cast<std::uint8_t>(StampForm::none));
    return;
  }
  const bool as_entry = stamp.mtime_ns == entry.mtime_ns;
  writer.u8(static_cast<std::uint8_t>(as_entry ? StampForm::as_entry : StampForm::own));
  writer.varint(stamp.inode).signed_varint(stamp.ctime_ns);
  if (!as_entry) writer.varint(entry.size).signed_varint(stamp.mtime_ns);
}

void read_stamp(ByteReader& reader, Entry& entry) {
  const std::uint8_t form = reader.u8();
  if (form == static_cast<std::uint8_t>(StampForm::none)) return;
  if (form > static_cast<std::uint8_t>(StampForm::own)) throw reader.error("a malformed stamp");
  Stamp stamp{reader.varint(), entry.mtime_ns, 0};
  stamp.ctime_ns = reader.signed_varint();
  if (form == static_cast<std::uint8_t>(StampForm::own)) {
    const bool of_this = reader.varint() == entry.size;
    stamp.mtime_ns = reader.signed_varint();
    if (!of_this) return;  // it proves nothing
  }
  entry.stamp = stamp;
}

void write_entry(ByteWriter& writer, const Entry& entry, Keeps keeps) {
  writer.u8(static_cast<std::uint8_t>(entry.kind)).text(entry.name);
  if (entry.kind == Kind::folder) return;  // the table says all of it
  if (entry.kind == Kind::hard_link) {
    writer.text(entry.target);
    return;
  }
  writer.signed_varint(entry.mtime_ns);
  if (entry.kind == Kind::link) {
    writer.text(entry.target);
  } else {
    writer.varint(entry.mode).varint(entry.size).digest(entry.digest);
    write_stamp(writer, entry);
  }
  if (keeps.any()) writer.text(entry.extra.bytes());
}

Kind read_kind(ByteReader& reader) {
  const auto kind = static_cast<Kind>(reader.u8());
  if (kind != Kind::folder && kind != Kind::file && kind != Kind::link && kind != Kind::hard_link)
    throw reader.error("an entry of unknown kind");
  return kind;
}

std::uint32_t read_mode(ByteReader& reader) {
  return static_cast<std::uint32_t>(reader.varint_up_to(07777));
}

class TreeFileReader {
 public:
  explicit TreeFileReader(std::string_view bytes) : reader_(bytes, "tree file") {}

  Tree read() {
    read_table();
    base::Crew crew(base::Crew::usual_threads(), {});
    for (std::size_t first = 0; first < rows_.size();) {
      const std::size_t end = end_of_piece(first);
      crew.add([this, first, end] {
        for (std::size_t i = first; i < end; ++i)
          read_row(tree_.folders[i], rows_[i]);
      });
      first = end;
    }
    crew.finish();
    check_canonical(tree_);
    return std::move(tree_);
  }

 private:
  void read_table() {
    const std::uint8_t version = reader_.u8();
    if (version != kVersion && version != kWithExtras) throw reader_.error("unknown format");
    const std::uint8_t identity = reader_.u8();
    if (!is_identity(identity)) throw reader_.error("unknown kind of identity");
    tree_.identity = static_cast<Identity>(identity);
    if (version == kWithExtras) tree_.keeps = read_keeps(reader_);
    std::vector<std::size_t> lengths(reader_.count(kLeastFolder));
    tree_.folders.resize(lengths.size());
    for (std::size_t i = 0; i < lengths.size(); ++i)
      lengths[i] = read_folder(i);
    for (const std::size_t length : lengths)
      rows_.push_back(reader_.raw(length));
    reader_.expect_end();
  }

  // What the table says of a folder; gives the length of its row.
  std::size_t read_folder(std::size_t index) {
    Folder& folder = tree_.folders[index];
    if (index > 0) {
      const std::size_t parent = reader_.varint_up_to(index - 1);
      folder.path = join_path(tree_.folders[parent].path, reader_.text(kMaxName));
      if (folder.path.size() > kMaxPath) throw reader_.error("a path too long");
    }
    folder.mode = read_mode(reader_);
    folder.mtime_ns = reader_.signed_varint();
    folder.digest = reader_.digest();
    if (tree_.keeps.any()) folder.extra = extras_.read(reader_);
    return static_cast<std::size_t>(reader_.varint());
  }

  // Of so many rows that they are worth a thread's while.
  std::size_t end_of_piece(std::size_t first) const {
    std::size_t end = first;
    for (std::size_t bytes = 0; end < rows_.size() && bytes < kRowBytesAtOnce; ++end)
      bytes += rows_[end].size();
    return end;
  }

  // Any thread, each for another folder.
  void read_row(Folder& folder, std::string_view bytes) const {
    ByteReader row(bytes, "tree file");
    const std::size_t count = row.count(kLeastEntry);
    folder.entries.reserve(std::min<std::size_t>(count, 1024));  // an Entry takes far more than its bytes
    ExtraBytes extras;
    for (std::size_t i = 0; i < count; ++i) {
      Entry& entry = folder.entries.emplace_back();
      read_entry(row, folder, entry);
      const bool alone = entry.kind == Kind::file || entry.kind == Kind::link;
      if (alone && tree_.keeps.any()) entry.extra = extras.read(row);
    }
    row.expect_end();
  }

  void read_entry(ByteReader& row, const Folder& folder, Entry& entry) const {
    entry.kind = read_kind(row);
    entry.name = row.text(kMaxName);
    if (entry.kind == Kind::folder) return take_from_table(folder, entry);
    if (entry.kind == Kind::hard_link) {
      entry.mode = 0;
      entry.target = row.text(kMaxPath);
      return;
    }
    entry.mtime_ns = row.signed_varint();
    if (entry.kind == Kind::link) {
      entry.mode = 0777;
      entry.target = row.text(kMaxTarget);
      return;
    }
    entry.mode = read_mode(row);
    entry.size = row.varint();
    entry.digest = row.digest();
    read_stamp(row, entry);
  }

  void take_from_table(const Folder& folder, Entry& entry) const {
    const Folder* below = tree_.find_folder(join_path(folder.path, entry.name));
    if (below == nullptr) return;  // check_canonical() refuses it
    entry.mode = below->mode;
    entry.mtime_ns = below->mtime_ns;
    entry.digest = below->digest;
    entry.extra = below->extra;
  }

  ByteReader reader_;
  ExtraBytes extras_;  // of the table
  Tree tree_;
  std::vector<std::string_view> rows_;
};

}  // namespace

void write_tree_file(ByteWriter& writer, const Tree& tree) {
  ByteWriter rows;
  std::size_t entries = 0;
  for (const Folder& folder : tree.folders)
    entries += folder.entries.size();
  rows.reserve(entries * kTypicalEntry);
  const std::vector<std::uint32_t> parents = tree.parents();
  const bool extras = tree.keeps.any();
  writer.u8(extras ? kWithExtras : kVersion).u8(static_cast<std::uint8_t>(tree.identity));
  if (extras) writer.u8(tree.keeps.to_byte());
  writer.varint(tree.folders.size());
  for (std::size_t i = 0; i < tree.folders.size(); ++i) {
    const Folder& folder = tree.folders[i];
    if (i > 0) writer.varint(parents[i]).text(base_name(folder.path));
    writer.varint(folder.mode).signed_varint(folder.mtime_ns).digest(folder.digest);
    if (extras) writer.text(folder.extra.bytes());
    const std::size_t before = rows.size();
    rows.varint(folder.entries.size());
    for (const Entry& entry : folder.entries)
      write_entry(rows, entry, tree.keeps);
    writer.varint(rows.size() - before);
  }
  writer.reserve(writer.size() + rows.size() + base::Checksum().size());  // that mostly follows
  writer.raw(rows.data());
}

Tree read_tree_file(std::string_view bytes) {
  return TreeFileReader(bytes).read();
}

}  // namespace porter::sync
