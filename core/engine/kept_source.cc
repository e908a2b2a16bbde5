#include "core/engine/kept_source.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <set>
#include <utility>

#include "core/base/clone.h"
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

Error changed(const std::string& file) {
  return Error(Code::source, fmt::format("{}: is not what it was when the run began", base::printable(file)))
      .hint("deploy again, and let nothing write there meanwhile");
}

// Shared blocks where the file system can: never a hard link, since a build may write into the source's
// files, and git takes a file whose link count changed for a changed one and would write all of them anew.
void copy_to(int to, const sync::Content& content, const base::CancelToken& cancel) {
  if (content.bytes) return base::write_all(to, *content.bytes);
  const base::UniqueFd from(::open(content.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!from && errno == ENOENT) throw changed(content.path);
  if (!from) base::throw_errno(content.path);
  base::while_doing("keeping " + base::printable(content.path),
                    [&] { base::clone_content(from.get(), to, &cancel); });
}

bool holds(const fs::path& file, const base::Digest& digest) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  return fd && base::sha256_of_descriptor(fd.get()) == digest;
}

}  // namespace

std::string KeptSource::keep_tree(const sync::Tree& tree) const {
  const std::string bytes = sync::encode_tree(tree, sync::Stamps::no);
  const std::string name = base::to_hex(base::sha256(bytes));
  base::make_folders(trees_, 0700);
  if (!fs::exists(trees_ / name)) base::write_file(trees_ / name, bytes, 0600, base::Durable::yes);
  return name;
}

void KeptSource::keep_file(const base::Digest& digest, const sync::Content& content,
                           const base::CancelToken& cancel) const {
  const std::string name = base::to_hex(digest);
  if (holds(contents_ / name, digest)) return;
  base::make_folders(contents_, 0700);
  const fs::path fresh = contents_ / ("." + name);
  const base::UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) base::throw_errno(fresh.string());
  copy_to(fd.get(), content, cancel);
  if (!holds(fresh, digest)) throw changed(content.path);
  fs::rename(fresh, contents_ / name);
}

sync::Composed KeptSource::load(const std::string& tree, const std::string& source) const {
  const std::string bytes = base::read_file(trees_ / tree, sync::kMaxTreeBytes);
  if (base::to_hex(base::sha256(bytes)) != tree)
    throw Error(Code::io, "is not as it was written").at((trees_ / tree).string());
  sync::Tree kept = sync::decode_tree(bytes);
  std::set<std::string> names;
  std::error_code none;  // nothing had to be kept
  for (const auto& entry : fs::directory_iterator(contents_, none))
    names.insert(entry.path().filename().string());
  std::map<std::string, sync::Content, sync::PathLess> contents;
  for (const sync::Folder& folder : kept.folders) {
    for (const sync::Entry& entry : folder.entries) {
      const std::string name = base::to_hex(entry.digest);
      if (entry.kind == sync::Kind::file && names.contains(name))
        contents[sync::join_path(folder.path, entry.name)] = {(contents_ / name).string(), nullptr};
    }
  }
  return {std::move(kept), source, std::move(contents)};
}

}  // namespace porter::engine
