#pragma once
// The composed tree: what the operator's side wants on a host, from the walked source up through packages,
// config files, templates and handlers' additions to links into shared/. Used by the engine, once per module,
// on one thread; the result may be read by many.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/sync/tree.h"

namespace porter::sync {

// Where the bytes of a file are: in memory when `bytes` is set, else in the file `path`, absolute, on the
// operator's side; all of it, or this part. Whoever sends a file checks what it read against the entry's
// digest.
struct Content {
  struct Part {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  std::string path;
  std::shared_ptr<const std::string> bytes;
  std::optional<Part> part = {};

  bool is_file() const { return !bytes && !part; }
  // Throws as base::read_file() does; a part that reaches beyond the end of its file comes short.
  std::string read(std::size_t limit) const;
};

// A part of the open file `subject`; short when that ends before. Any thread. Throws Error(io).
std::string read_part(int fd, const Content::Part& part, const std::string& subject);

// Lowest first: a higher layer replaces files of the lower ones; twice the same path within one is a
// conflict.
enum class Layer : std::uint8_t { source, packages, config_files, templates, handlers, shared };

// Compares paths by components; what is below a path follows it at once.
struct PathLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return compare_paths(a, b) < 0; }
};

class Composed {
 public:
  Tree tree;  // sealed, canonical

  Composed() = default;
  // A tree that was composed before. Contents of files are in `contents`, by path, and of all others below
  // `root`, under the paths they have in the tree.
  Composed(Tree composed, std::string root, std::map<std::string, Content, PathLess> contents)
      : tree(std::move(composed)), root_(std::move(root)), overlaid_(std::move(contents)) {}

  // Of an entry of kind file.
  Content content_of(EntryRef ref) const;
  // Where it is, when that is not in folder_path(); null otherwise.
  const Content* overlaid(EntryRef ref) const;
  // Of the source, on the operator's side.
  std::string folder_path(std::size_t folder) const;

 private:
  friend class Composer;
  std::string root_;
  std::map<std::string, Content, PathLess> overlaid_;
};

class Composer {
 public:
  // `walked` is the source as read from the folder `root` (absolute), sealed. `fixed_mtime_ns`, when given,
  // becomes the mtime of everything (the commit's time, for sources whose mtimes mean nothing). What is added
  // to a tree that keeps owners gets that of its folder. Without a fixed mtime
  // files that have none of their own, and folders made here, get the newest mtime that `walked` holds, so
  // that composing twice gives the same tree.
  Composer(Tree walked, std::string root, std::optional<std::int64_t> fixed_mtime_ns);

  // Puts the file `source` (absolute; links are followed) at `path`, making folders on the way (0755).
  // `origin` names who wants it, in messages: "[config_files] in root/root.ini:12". Without `mode`, the
  // source file's (without setuid, setgid, sticky). Throws Error(bad_value) for a path that is no canonical
  // relative one, Error(refused) on a conflict, naming both origins, Error(missing) and Error(io).
  void add_file(std::string_view path, const std::string& source, Layer layer, const std::string& origin,
                std::optional<std::uint32_t> mode = {});
  void add_bytes(std::string_view path, std::shared_ptr<const std::string> bytes, std::uint32_t mode,
                 Layer layer, const std::string& origin);
  void add_folder(std::string_view path, std::uint32_t mode, Layer layer, const std::string& origin);
  // A symbolic link, verbatim. In Layer::shared it takes the place of whatever is at `path`, also of a whole
  // folder, and returns whether there was something: it can seed shared/.
  bool add_link(std::string_view path, std::string_view target, Layer layer, const std::string& origin);

  // Ends the composition; the composer must not be used again.
  Composed finish();

 private:
  // Who brought an entry that is not the source's.
  struct Origin {
    Layer layer = Layer::source;
    std::string text;
  };

  Folder& folder_at(std::string_view path);
  Origin origin_of(std::string_view path) const;
  PackedExtra extra_for(std::string_view path);
  void insert(std::string_view path, Entry entry, const Origin& origin);
  void place(std::string_view path, Entry entry, Layer layer, const std::string& origin);
  void make_parents(std::string_view path, const Origin& origin);
  void give_up_names_at(std::string_view path);
  void take_away(std::string_view path);

  std::string root_;
  std::optional<std::int64_t> fixed_mtime_ns_;
  std::int64_t newest_mtime_ns_ = 0;
  Tree tree_;  // in order; digests of folders are those of the source
  std::map<std::string, Origin, PathLess> origins_;
  std::map<std::string, Content, PathLess> overlaid_;
};

// The target of a link at `path` inside releases/<id> that leads to the same path in shared/:
// "var/uploads" → "../../../shared/var/uploads".
std::string shared_link_target(std::string_view path);

}  // namespace porter::sync
