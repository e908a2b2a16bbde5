#include "core/agent/site_folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/agent/failpoint.h"
#include "core/agent/marks.h"
#include "core/agent/outside.h"
#include "core/agent/site.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kReleases = "releases/";
constexpr std::string_view kManifests = "manifests/";
constexpr std::string_view kStaging = "staging/";

std::string seal_path(const std::string& id) {
  return std::string(kManifests) + id;
}

std::string arriving_path(const std::string& id) {
  return std::string(kStaging) + id + "/arriving";
}

std::optional<Record> read_record(const Beneath& porter, std::string_view name) {
  const std::optional<std::string> text = porter.read_small(name, kSmallFile);
  if (!text) return std::nullopt;
  return Record::parse(base::trim(*text));
}

}  // namespace

bool is_release_id(std::string_view id) {
  if (id.empty() || id.size() > 128 || id.front() == '.' || id.front() == '-') return false;
  if (id.substr(0, 4) == "tmp-") return false;  // files being written
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  });
}

void check_release_id(const std::string& id) {
  if (!is_release_id(id))
    throw Error(Code::usage, fmt::format("\"{}\" is no release id", base::printable(id)));
}

std::string_view layout_name(Layout layout) {
  return layout == Layout::releases ? "releases" : "inplace";
}

std::optional<Format> read_format(const Beneath& porter) {
  const std::optional<Record> record = read_record(porter, "format");
  if (!record) return std::nullopt;
  const std::optional<std::int64_t> version = base::parse_integer(record->get("porter-site"));
  if (!version || *version < 1 || *version > 1'000'000) return std::nullopt;
  const bool inplace = record->get("layout") == layout_name(Layout::inplace);
  return Format{static_cast<int>(*version), inplace ? Layout::inplace : Layout::releases};
}

std::optional<Journal> read_journal(const Beneath& porter) {
  const std::optional<Record> record = read_record(porter, "journal");
  if (!record || !is_release_id(record->get("release"))) return std::nullopt;
  Journal journal;
  journal.id = record->get("release");
  journal.previous = record->get("previous");
  journal.run_id = record->get("run");
  journal.aside = record->get("aside");
  journal.back = record->get("back") == "1";
  if (record->get("state") == "committed") journal.state = JournalState::committed;
  return journal;
}

std::optional<std::string> read_live(const Beneath& root, Layout layout) {
  const bool releases = layout == Layout::releases;
  const std::string name = releases ? "current" : ".porter/live";
  const std::optional<struct stat> info = root.look(name);
  if (!info) return "";
  const std::optional<std::string> target = root.link_target(name);
  if (!target) return std::nullopt;
  std::string_view id = *target;
  if (releases && id.substr(0, kReleases.size()) != kReleases) return std::nullopt;
  if (releases) id.remove_prefix(kReleases.size());
  if (!is_release_id(id)) return std::nullopt;
  return std::string(id);
}

std::vector<std::string> SiteFolders::ids_in(const std::string& folder) const {
  std::vector<std::string> ids;
  if (!porter.exists(folder)) return ids;
  for (const FolderEntry& entry : porter.list(folder)) {
    if (is_release_id(entry.name)) ids.push_back(entry.name);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

void SiteFolders::sync_folder(std::string_view path) const {
  if (durable()) root.sync_folder(path);
}

void SiteFolders::set_live(const std::string& id) const {
  const bool releases = layout == Layout::releases;
  const std::string name = releases ? "current" : ".porter/live";
  reach("live: before");
  if (id.empty())
    root.remove_file(name);
  else
    root.point_link(name, releases ? std::string(kReleases) + id : id, kPorter);
  reach("live: renamed");
  sync_folder(releases ? "" : kPorter);
  reach("live: synced");
}

std::optional<Beneath> SiteFolders::tree_of(const std::string& id) const {
  if (layout == Layout::inplace) return root.try_folder("");
  return root.try_folder(std::string(kReleases) + id);
}

void SiteFolders::write_format() const {
  Record record;
  record.set("porter-site", std::to_string(kSiteFormat)).set("layout", layout_name(layout));
  porter.write_small("format", record.line() + "\n", durable());
}

void SiteFolders::write_journal(const Journal& journal) const {
  Record record;
  record.set("release", journal.id).set("previous", journal.previous).set("run", journal.run_id);
  record.set("aside", journal.aside);
  if (journal.back) record.set("back", "1");
  record.set("state", journal.state == JournalState::committed ? "committed" : "begun");
  reach("journal: before");
  porter.write_small("journal", record.line() + "\n", durable());
  reach("journal: written");
}

void SiteFolders::remove_journal() const {
  reach("journal: before removal");
  porter.remove_file("journal");
  sync_folder(kPorter);
}

bool SiteFolders::sealed(const std::string& id) const {
  if (!porter.exists(seal_path(id))) return false;
  return layout == Layout::inplace || root.exists(std::string(kReleases) + id);
}

std::vector<std::string> SiteFolders::sealed_ids() const {
  std::vector<std::string> ids = ids_in("manifests");
  ids.erase(std::remove_if(ids.begin(), ids.end(), [&](const std::string& id) { return !sealed(id); }),
            ids.end());
  return ids;
}

std::shared_ptr<const sync::Seal> SiteFolders::seal(const std::string& id) const {
  return seals->read(porter, seal_path(id));
}

std::optional<sync::SealHeader> SiteFolders::seal_header(const std::string& id) const {
  return seals->read_header(porter, seal_path(id));
}

void SiteFolders::write_seal(sync::Seal seal) const {
  const std::string bytes = sync::encode_seal(seal.header, seal.tree);
  write_seal(std::move(seal), bytes);
}

void SiteFolders::write_seal(sync::Seal seal, const std::string& bytes) const {
  reach("seal: before");
  const std::string path = seal_path(seal.header.release_id);
  seals->write(porter, path, std::move(seal), bytes, durable());
  reach("seal: written");
}

bool SiteFolders::marked(const std::string& id) const {
  return porter.exists(std::string(kStaging) + id);
}

void SiteFolders::mark(const std::string& id) const {
  if (!porter.make_folder(std::string(kStaging) + id, 0700)) return;
  if (durable()) porter.sync_folder("staging");
  reach("marked");
}

void SiteFolders::unmark(const std::string& id) const {
  if (!marked(id)) return;
  reach("unmark: before");
  remove_tree(".porter/staging/" + id);
}

void SiteFolders::mark_arriving(const std::string& id) const {
  mark(id);
  if (layout == Layout::releases) porter.create_file(arriving_path(id));
}

bool SiteFolders::arriving(const std::string& id) const {
  return layout == Layout::inplace ? marked(id) : porter.exists(arriving_path(id));
}

std::vector<std::string> SiteFolders::marks() const {
  return ids_in("staging");
}

namespace {

// The seal first, so that what is half removed is no release.
void remove_tree_of(const SiteFolders& site, const std::string& id) {
  if (site.porter.remove_file(seal_path(id)) && site.durable()) site.porter.sync_folder("manifests");
  reach("remove: seal gone");
  if (site.layout == Layout::releases) site.remove_tree(std::string(kReleases) + id);
  reach("remove: folder gone");
  site.remove_tree(".porter/undo/" + id);
}

}  // namespace

void SiteFolders::remove_release(const std::string& id) const {
  if (!porter.exists(seal_path(id)) && !marked(id)) return;
  if (live() == id)
    throw Error(Code::refused, fmt::format("{}: release {} is live, and is not removed", root.label(), id));
  mark(id);
  reach("remove: marked");
  remove_tree_of(*this, id);
  remember_forgotten(*this, id);
  remove_tree(".porter/outside/" + id);
  remove_marks(*this, id);
  unmark(id);
}

void SiteFolders::clear_stage(const std::string& id) const {
  if (!porter.exists(seal_path(id)) && !marked(id)) return;
  mark(id);
  remove_tree_of(*this, id);
  for (const FolderEntry& entry : porter.list(std::string(kStaging) + id))
    porter.remove_all(std::string(kStaging) + id + "/" + entry.name);
}

void SiteFolders::remove_tree(const std::string& path) const {
  const std::optional<struct stat> info = root.look(path);
  if (!info) return;
  // Moving a folder elsewhere changes its "..", which its owner must be allowed to.
  if (S_ISDIR(info->st_mode)) root.set_mode(path, 0700);
  // Leftovers in trash/ may have any name.
  for (int number = 0;; ++number) {
    const std::string name = fmt::format(".porter/trash/{}", number);
    if (root.exists(name)) continue;
    root.rename(path, name);
    reach("trash: moved");
    empty_trash();
    return;
  }
}

std::vector<std::string> SiteFolders::empty_trash() const {
  std::vector<std::string> failures;
  for (const FolderEntry& entry : porter.list("trash")) {
    try {
      porter.remove_all("trash/" + entry.name);
    } catch (const Error& error) {
      failures.push_back(error.message());
    }
  }
  return failures;
}

void SiteFolders::append_line(const std::string& path, const std::string& line) const {
  const base::UniqueFd fd(::openat(porter.descriptor(), path.c_str(),
                                   O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) throw base::system_error(porter.label(path), errno);
  // An empty line is no record either.
  base::write_all(fd.get(), (info.st_size == 0 ? "" : "\n") + line + "\n");
  if (!durable()) return;
  if (::fsync(fd.get()) != 0) throw base::system_error(porter.label(path), errno);
  porter.sync_folder(sync::parent_path(path));
}

}  // namespace porter::agent
