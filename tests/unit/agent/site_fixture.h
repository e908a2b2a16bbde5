#pragma once
// Trees by hand, a whole deploy in one call, and a folder's complete content as one value to compare.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/agent/site.h"
#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/support/error_of.h"

namespace porter::agent::testing {

namespace fs = std::filesystem;

// What a path is: "file:0644:content", "link:target", "folder:0755".
using Listing = std::map<std::string, std::string>;

struct Want {
  sync::Kind kind = sync::Kind::file;
  std::string content;  // or the link's target
  std::uint32_t mode = 0644;
};
using Wants = std::map<std::string, Want>;

inline Want file(std::string content, std::uint32_t mode = 0644) {
  return {sync::Kind::file, std::move(content), mode};
}
inline Want link(std::string target) {
  return {sync::Kind::link, std::move(target), 0777};
}
inline Want folder(std::uint32_t mode = 0755) {
  return {sync::Kind::folder, "", mode};
}

// Folders on the way have to be listed.
inline sync::Tree make_tree(const Wants& wants) {
  sync::Tree tree;
  std::function<void(const std::string&, std::uint32_t)> add = [&](const std::string& path,
                                                                   std::uint32_t mode) {
    sync::Folder here;
    here.path = path;
    here.mode = mode;
    std::vector<std::pair<std::string, std::uint32_t>> below;
    for (const auto& [name, want] : wants) {
      const std::size_t slash = name.rfind('/');
      if ((slash == std::string::npos ? "" : name.substr(0, slash)) != path) continue;
      sync::Entry entry;
      entry.name = slash == std::string::npos ? name : name.substr(slash + 1);
      entry.kind = want.kind;
      entry.mode = want.mode;
      if (want.kind == sync::Kind::file) entry.size = want.content.size();
      if (want.kind == sync::Kind::file) entry.digest = base::content_digest(want.content);
      if (want.kind == sync::Kind::link) entry.target = want.content;
      if (want.kind == sync::Kind::folder) below.emplace_back(name, want.mode);
      here.entries.push_back(std::move(entry));
    }
    std::sort(here.entries.begin(), here.entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    std::sort(below.begin(), below.end());
    tree.folders.push_back(std::move(here));
    for (const auto& [path_below, mode_below] : below)
      add(path_below, mode_below);
  };
  add("", 0755);
  tree.seal_digests();
  return tree;
}

inline Listing listing_of(const Wants& wants) {
  Listing all;
  for (const auto& [path, want] : wants) {
    char mode[16];
    std::snprintf(mode, sizeof mode, "%04o", want.mode);
    if (want.kind == sync::Kind::file) all[path] = std::string("file:") + mode + ":" + want.content;
    if (want.kind == sync::Kind::link) all[path] = "link:" + want.content;
    if (want.kind == sync::Kind::folder) all[path] = std::string("folder:") + mode;
  }
  return all;
}

// Read with std::filesystem, not with our own code.
inline Listing list_folder(const fs::path& root) {
  Listing all;
  if (!fs::exists(root)) return all;
  for (fs::recursive_directory_iterator at(root), end; at != end; ++at) {
    const std::string path = at->path().lexically_relative(root).string();
    if (path == ".porter") {
      at.disable_recursion_pending();
      continue;
    }
    struct stat info {};
    ::lstat(at->path().c_str(), &info);
    char mode[16];
    std::snprintf(mode, sizeof mode, "%04o", info.st_mode & 07777U);
    if (S_ISLNK(info.st_mode))
      all[path] = "link:" + fs::read_symlink(at->path()).string();
    else if (S_ISDIR(info.st_mode))
      all[path] = std::string("folder:") + mode;
    else
      all[path] = std::string("file:") + mode + ":" + base::read_file(at->path());
  }
  return all;
}

inline PrepareOptions options(Adopt adopt = Adopt::no) {
  PrepareOptions result;
  result.adopt = adopt;
  result.self = {"run1", "ada", "laptop", "2026-11-21T07:00:00Z", "test"};
  return result;
}

// How many files were sent, when what interrupted sends left is used.
inline std::size_t fill(Stage& stage, const Wants& wants, InterruptedSend left = {}) {
  stage.set_wanted(make_tree(wants));
  stage.fit_spare({});
  stage.make_folders();
  stage.take_interrupted(left, stage.wanted().files());
  left.drop_all_but({});
  const std::vector<sync::EntryRef> missing = stage.clone_same(stage.wanted().files());
  for (const sync::EntryRef file : missing)
    stage.put_files({{file, wants.at(stage.wanted().path_of(file)).content}});
  stage.make_links();
  stage.finish();
  return missing.size();
}

// A send that ends after so many files; what it has brought is left.
inline void send_part(Site& site, const std::string& id, const Wants& wants, std::size_t files) {
  {
    Stage stage = site.begin_stage(id, "run-" + id);
    stage.set_wanted(make_tree(wants));
    stage.fit_spare({});
    stage.make_folders();
    for (const sync::EntryRef file : stage.wanted().files()) {
      if (files == 0) break;
      if (stage.has(file)) continue;
      stage.put_files({{file, wants.at(stage.wanted().path_of(file)).content}});
      --files;
    }
  }
  site.interrupt(id);
}

// The next one. How many files were sent.
inline std::size_t deploy_rest(Site& site, const std::string& id, const Wants& wants, unsigned keep = 5) {
  Stage stage = site.begin_stage(id, "run-" + id);
  const std::size_t sent = fill(stage, wants, site.interrupted({}, {}));
  stage.seal({});
  site.activate(id, "run-" + id);
  site.commit(id, keep);
  return sent;
}

inline void send(Site& site, const std::string& id, const Wants& wants) {
  Stage stage = site.begin_stage(id, "run-" + id);
  fill(stage, wants);
  sync::SealHeader header;
  header.skip_key = "key-" + id;
  stage.seal(header);
}

inline void deploy(Site& site, const std::string& id, const Wants& wants, unsigned keep = 5) {
  send(site, id, wants);
  site.activate(id, "run-" + id);
  site.commit(id, keep);
}

// While it lives, root works as an ordinary user, whom folders without "w" stop. Does nothing for others, and
// where such a user may not use the folder for temporary files.
class OrdinaryUser {
 public:
  OrdinaryUser() {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() != 0 || ::seteuid(kNobody) != 0) return;
    dropped_ = true;
    if (::eaccess(fs::temp_directory_path().c_str(), W_OK | X_OK) != 0) restore();
  }
  ~OrdinaryUser() { restore(); }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  void restore() {
    if (dropped_ && ::seteuid(0) != 0) std::abort();
    dropped_ = false;
  }
  bool dropped_ = false;
};

using tests::code_of;

}  // namespace porter::agent::testing
