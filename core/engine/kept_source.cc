#include "core/engine/kept_source.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/checksum.h"
#include "core/base/clone.h"
#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/sync/tree_codec.h"

namespace porter::engine {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;

constexpr std::size_t kBatch = 256U << 10U;
constexpr std::size_t kIndexEntry = 48;
constexpr std::size_t kIndexBatch = kBatch / 8;  // of what the pack has already

// Behind the last whole entry: what a kill cut short would shift all that follow.
void append_entries(const fs::path& index, const std::string& entries) {
  std::error_code none;
  const std::uintmax_t size = fs::file_size(index, none);
  if (!none) fs::resize_file(index, size - size % kIndexEntry);
  const base::UniqueFd fd(::open(index.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) base::throw_errno(index.string());
  base::write_all(fd.get(), entries);
}

std::string read_if_any(const fs::path& file) {
  return fs::exists(file) ? base::read_file(file, sync::kMaxTreeBytes) : std::string();
}

}  // namespace

KeptSource::KeptSource(const fs::path& run_folder)
    : trees_(run_folder / "trees"),
      contents_(run_folder / "content"),
      pack_file_((contents_ / "pack").string()) {
  const std::string index = read_if_any(contents_ / "index");
  base::ByteReader reader(index, "content/index");
  while (reader.remaining() >= kIndexEntry) {
    const base::Digest digest = reader.digest();
    const std::uint64_t offset = reader.u64();
    packed_[digest] = {offset, reader.u64()};
  }
  std::error_code none;
  const std::uintmax_t size = fs::file_size(pack_file_, none);
  pack_size_ = none ? 0 : size;
}

std::string KeptSource::keep_tree(const sync::Tree& tree) const {
  const std::string bytes = sync::encode_tree(tree, sync::Stamps::no);
  const std::string name = base::to_hex(base::checksum(bytes));
  base::make_folders(trees_, 0700);
  if (!fs::exists(trees_ / name)) base::write_file(trees_ / name, bytes, 0600);
  return name;
}

std::optional<sync::Content::Part> KeptSource::find(const base::Digest& digest) {
  const auto known = packed_.find(digest);
  if (known == packed_.end()) return std::nullopt;
  open_pack();
  if (base::content_digest(read(known->second)) != digest) return std::nullopt;
  return known->second;
}

void KeptSource::adopt(sync::ContentSpool& spool) {
  if (fs::exists(pack_file_)) return;
  base::make_folders(contents_, 0700);
  pack_size_ = spool.move_to(pack_file_);
}

sync::Content::Part KeptSource::add(const base::Digest& digest, std::string_view bytes) {
  const sync::Content::Part part{pack_size_, bytes.size()};
  waiting_ += bytes;
  pack_size_ += part.size;
  note(digest, part);
  return part;
}

void KeptSource::note(const base::Digest& digest, const sync::Content::Part& part) {
  waiting_index_ += base::ByteWriter().digest(digest).u64(part.offset).u64(part.size).data();
}

bool KeptSource::is_full() const {
  return waiting_.size() >= kBatch || waiting_index_.size() >= kIndexBatch;
}

std::string KeptSource::read(const sync::Content::Part& part) const {
  return sync::read_part(pack_.get(), part, pack_file_);
}

// Never a hard link: a build may write into the source's files, and git takes a file whose link count changed
// for a changed one.
void KeptSource::keep_shared(const base::Digest& digest, int fd) const {
  const fs::path file = contents_ / base::to_hex(digest);
  base::make_folders(contents_, 0700);
  const base::UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) base::throw_errno(file.string());
  try {
    base::share_content(fd, out.get());
  } catch (const Error&) {
    fs::remove(file);
  }
}

// The pack first: the index tells of nothing that is not there.
void KeptSource::flush() {
  if (waiting_index_.empty()) return;
  open_pack();
  base::write_all(pack_.get(), std::exchange(waiting_, {}));
  append_entries(contents_ / "index", std::exchange(waiting_index_, {}));
}

void KeptSource::open_pack() {
  if (pack_) return;
  base::make_folders(contents_, 0700);
  pack_.reset(::open(pack_file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!pack_) base::throw_errno(pack_file_);
}

std::map<std::string, std::uintmax_t> KeptSource::large_files() const {
  std::map<std::string, std::uintmax_t> found;
  std::error_code none;  // nothing had to be kept
  for (const auto& entry : fs::directory_iterator(contents_, none))
    found[entry.path().filename().string()] = entry.file_size();
  return found;
}

sync::Composed KeptSource::load(const std::string& tree, const std::string& source) const {
  const std::string bytes = base::read_file(trees_ / tree, sync::kMaxTreeBytes);
  if (base::to_hex(base::checksum(bytes)) != tree)
    throw Error(Code::io, "is not as it was written")
        .at((trees_ / tree).string())
        .hint("the run cannot go on; what it left half done is settled: deploy again");
  sync::Tree kept = sync::decode_tree(bytes);
  const std::map<std::string, std::uintmax_t> large = large_files();
  std::map<std::string, sync::Content, sync::PathLess> contents;
  for (const sync::Folder& folder : kept.folders) {
    for (const sync::Entry& entry : folder.entries) {
      if (entry.kind != sync::Kind::file) continue;
      const std::string path = sync::join_path(folder.path, entry.name);
      const auto small = packed_.find(entry.digest);
      const auto alone = large.find(base::to_hex(entry.digest));
      if (small != packed_.end())
        contents[path] = {pack_file_, nullptr, small->second};
      else if (alone != large.end() && alone->second == entry.size)  // else it was cut short
        contents[path] = {(contents_ / alone->first).string(), nullptr};
    }
  }
  return {std::move(kept), source, std::move(contents)};
}

}  // namespace porter::engine
