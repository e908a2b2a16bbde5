#include "core/agent/marks.h"

#include <fmt/format.h>

#include "core/agent/failpoint.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

const std::string kPinned = "pinned";
const std::string kBad = "bad";
const std::string kFrozen = "frozen";
const std::string kKept = "kept";

void write_mark(const SiteFolders& site, const std::string& folder, const std::string& name,
                const std::string& content) {
  reach("small mark: before");
  site.porter.write_small(folder + "/" + name, content, site.durable());
  reach("small mark: written");
}

void remove_mark(const SiteFolders& site, const std::string& folder, const std::string& name) {
  if (!site.porter.remove_file(folder + "/" + name)) return;
  reach("small mark: removed");
  if (site.durable()) site.porter.sync_folder(folder);
}

// Nothing when there is no such file, an empty record when it is damaged.
std::optional<Record> read_mark(const SiteFolders& site, const std::string& folder, const std::string& name) {
  if (!is_release_id(name)) return std::nullopt;
  const std::optional<std::string> text = site.porter.read_small(folder + "/" + name, kSmallFile);
  if (!text) return std::nullopt;
  return Record::parse(base::trim(*text)).value_or(Record());
}

void check_config(const std::string& config) {
  if (!is_release_id(config))
    throw Error(Code::usage, fmt::format("\"{}\" is no config that can be frozen", base::printable(config)))
        .hint("letters, digits, '.', '_' and '-', at most 128");
}

}  // namespace

bool is_pinned(const SiteFolders& site, const std::string& id) {
  return site.porter.exists(kPinned + "/" + id);
}

void pin(const SiteFolders& site, const std::string& id) {
  if (!is_pinned(site, id)) write_mark(site, kPinned, id, "");
}

void unpin(const SiteFolders& site, const std::string& id) {
  remove_mark(site, kPinned, id);
}

std::optional<BadMark> bad_mark(const SiteFolders& site, const std::string& id) {
  const std::optional<Record> record = read_mark(site, kBad, id);
  if (!record) return std::nullopt;
  return BadMark{shortened(record->get("reason")), record->get("since"), record->get("failed") == "1"};
}

bool is_failed(const SiteFolders& site, const std::string& id) {
  const std::optional<BadMark> mark = bad_mark(site, id);
  return mark && mark->failed;
}

void set_bad(const SiteFolders& site, const std::string& id, const BadMark& mark) {
  Record record;
  record.set("reason", shortened(mark.reason))
      .set("since", mark.since)
      .set("failed", mark.failed ? "1" : "0");
  write_mark(site, kBad, id, record.line() + "\n");
}

void clear_bad(const SiteFolders& site, const std::string& id) {
  remove_mark(site, kBad, id);
}

std::vector<std::string> bad_ids(const SiteFolders& site) {
  return site.ids_in(kBad);
}

std::optional<protocol::Freeze> freeze_of(const SiteFolders& site, const std::string& config) {
  const std::optional<Record> record = read_mark(site, kFrozen, config);
  if (!record) return std::nullopt;
  return protocol::Freeze{config, shortened(record->get("reason")), shortened(record->get("who")),
                          record->get("since")};
}

std::vector<protocol::Freeze> all_freezes(const SiteFolders& site) {
  std::vector<protocol::Freeze> all;
  for (const std::string& config : site.ids_in(kFrozen)) {
    if (std::optional<protocol::Freeze> freeze = freeze_of(site, config)) all.push_back(std::move(*freeze));
  }
  return all;
}

void set_freeze(const SiteFolders& site, const protocol::Freeze& freeze) {
  check_config(freeze.config);
  Record record;
  record.set("reason", shortened(freeze.reason));
  record.set("who", shortened(freeze.who)).set("since", freeze.since);
  write_mark(site, kFrozen, freeze.config, record.line() + "\n");
}

void clear_freeze(const SiteFolders& site, const std::string& config) {
  check_config(config);
  remove_mark(site, kFrozen, config);
}

std::optional<KeptRelease> kept_release(const SiteFolders& site) {
  const std::optional<std::string> text = site.porter.read_small(kKept, kSmallFile);
  const std::optional<Record> record = text ? Record::parse(base::trim(*text)) : std::nullopt;
  if (!record) return std::nullopt;
  return KeptRelease{record->get("release"), record->get("run")};
}

void set_kept(const SiteFolders& site, const KeptRelease& kept) {
  reach("kept: before");
  site.porter.write_small(kKept, Record().set("release", kept.id).set("run", kept.run_id).line() + "\n",
                          site.durable());
  reach("kept: written");
}

void clear_kept(const SiteFolders& site) {
  if (!site.porter.remove_file(kKept)) return;
  reach("kept: removed");
  if (site.durable()) site.porter.sync_folder();
}

void remove_marks(const SiteFolders& site, const std::string& id) {
  unpin(site, id);
  clear_bad(site, id);
}

}  // namespace porter::agent
