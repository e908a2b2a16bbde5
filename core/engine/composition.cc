#include "core/engine/composition.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/engine/run.h"
#include "core/sync/ignore.h"
#include "core/sync/walk.h"

namespace porter::engine {
namespace {

sync::IgnoreRules ignore_rules(const std::filesystem::path& folder,
                               const settings::ModuleSettings& settings) {
  sync::IgnoreRules rules = sync::IgnoreRules::standard();
  const std::filesystem::path file = folder / ".porterignore";
  if (std::filesystem::exists(file)) rules.add_file(base::read_file(file), file.string());
  rules.add_all(settings.exclude(), "[module] exclude of " + settings.module_name());
  // In place there is nothing to link: what is at a shared path is left alone, also by the source.
  if (settings.layout() == settings::Layout::inplace) {
    for (const std::string& path : settings.shared_paths())
      rules.add("/" + path, "[shared] paths of " + settings.module_name());
  }
  return rules;
}

sync::Owners to_sync(settings::Owners owners) {
  switch (owners) {
    case settings::Owners::names:
      return sync::Owners::names;
    case settings::Owners::numbers:
      return sync::Owners::numbers;
    case settings::Owners::none:
      break;
  }
  return sync::Owners::none;
}

sync::Keeps keeps_of(const settings::ModuleSettings& settings) {
  return {to_sync(settings.owners()), settings.xattrs()};
}

sync::WalkOptions walk_options(source::Checkout::Identity identity, const sync::IgnoreRules& rules,
                               const settings::ModuleSettings& settings, const base::CancelToken& cancel) {
  const bool plain = identity == source::Checkout::Identity::plain_folder;
  sync::WalkOptions options;
  options.ignore = &rules;
  options.identity = plain ? sync::Identity::with_mtime : sync::Identity::content_only;
  options.modes = plain ? sync::ModePolicy::preserve : sync::ModePolicy::normalise;
  if (plain) options.keeps = keeps_of(settings);
  const bool skip = settings.special() == settings::SpecialFiles::skip;
  options.special = skip ? sync::SpecialFiles::skip : sync::SpecialFiles::refuse;
  options.cancel = cancel;
  return options;
}

// A shared path as the tree knows it: a '/' at the end only says that it is a folder.
std::string bare(const std::string& path) {
  return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// Files of config/<config>/ and links into shared/, on top of the source.
Composition overlay(sync::Tree walked, const std::string& root, std::optional<std::int64_t> mtime_ns,
                    const settings::ModuleSettings& settings) {
  Composition out;
  sync::Composer composer(std::move(walked), root, mtime_ns);
  for (const settings::ConfigFile& file : settings.config_files()) {
    const auto source = config_source(settings, file);
    if (!source) continue;
    composer.add_file(file.destination, source->string(), sync::Layer::config_files,
                      fmt::format("[config_files] at {}:{}", file.where.file, file.where.line));
  }
  // In place the tree itself survives, so there is nothing to link.
  if (settings.layout() == settings::Layout::releases) {
    for (const std::string& written : settings.shared_paths()) {
      const std::string path = bare(written);
      if (composer.add_link(path, sync::shared_link_target(path), sync::Layer::shared,
                            "[shared] paths of " + settings.module_name()))
        out.seeds.push_back(path);
    }
  }
  out.tree = composer.finish();
  return out;
}

// Whether there may be anything on top of the source.
bool has_overlay(const settings::ModuleSettings& settings) {
  return !settings.config_files().empty() || !settings.shared_paths().empty();
}

std::string walk_prefix(const source::Checkout& checkout) {
  return checkout.tree.string() + '\n';
}

// What a walk depends on.
std::string walk_key(const source::Checkout& checkout, const settings::ModuleSettings& settings) {
  std::string key = walk_prefix(checkout) + base::join(settings.exclude(), "\n");
  if (settings.layout() == settings::Layout::inplace)
    key += "\n\n" + base::join(settings.shared_paths(), "\n");
  const bool skip = settings.special() == settings::SpecialFiles::skip;
  return key + fmt::format("\n\n{} {}\n", skip ? "skip" : "refuse", keeps_of(settings).to_byte());
}

// What else a composition depends on.
std::string overlay_key(const settings::ModuleSettings& settings) {
  std::string key = settings.layout() == settings::Layout::inplace ? "\ninplace" : "\nreleases";
  for (const settings::ConfigFile& file : settings.config_files()) {
    if (const auto source = config_source(settings, file))
      key += fmt::format("\n{}\n{}", file.destination, source->string());
  }
  return key + "\n\n" + base::join(settings.shared_paths(), "\n");
}

protocol::Layout layout_of(const settings::ModuleSettings& settings) {
  return settings.layout() == settings::Layout::inplace ? protocol::Layout::inplace
                                                        : protocol::Layout::releases;
}

protocol::LinkMode to_wire(settings::LinkMode link) {
  switch (link) {
    case settings::LinkMode::automatic:
      return protocol::LinkMode::automatic;
    case settings::LinkMode::reflink:
      return protocol::LinkMode::reflink;
    case settings::LinkMode::copy:
      return protocol::LinkMode::copy;
    case settings::LinkMode::hard:
      return protocol::LinkMode::hard;
  }
  return protocol::LinkMode::automatic;
}

// How the agent is told about a shared path: a folder ends in '/' and is made when there is nothing yet. What
// the source has there decides; without it, how it is written, and else a last name with a dot (".env",
// "app.db") is taken for a file.
std::string shared_kind(const std::string& written, const std::vector<std::string>& seeds) {
  const std::string path = bare(written);
  const bool seeded = std::find(seeds.begin(), seeds.end(), path) != seeds.end();
  if (!seeded && path != written) return written;
  const std::string name = path.substr(path.rfind('/') + 1);
  return seeded || name.find('.') != std::string::npos ? path : path + "/";
}

void set_limit(protocol::StageRequest& request, const settings::Limit& limit) {
  if (limit.kind == settings::Limit::Kind::count)
    request.max_delete = static_cast<std::uint64_t>(limit.value);
  if (limit.kind == settings::Limit::Kind::percent)
    request.max_delete_percent = static_cast<std::uint32_t>(limit.value);
}

// In place, shared paths are simply never deleted and never drift.
std::vector<std::string> generated_of(const settings::ModuleSettings& settings) {
  std::vector<std::string> patterns = settings.generated();
  if (settings.layout() == settings::Layout::inplace) {
    for (const std::string& path : settings.shared_paths())
      patterns.push_back("/" + bare(path));
  }
  return patterns;
}

// Why a site is locked, for who finds it so.
std::string reason_of(const Deployment& deployment, const Request& request) {
  std::string why = fmt::format("{} of {}", name_of(request.action), deployment.module_name());
  if (request.action == Action::deploy) why += fmt::format(" ({})", request.ref);
  return request.message.empty() ? why : why + ": " + request.message;
}

}  // namespace

sync::Tree Compositions::walk(const source::Checkout& checkout, const settings::ModuleSettings& settings,
                              const base::CancelToken& cancel) const {
  if (checkout.tree.empty()) return compose_nothing().tree;
  const sync::IgnoreRules rules = ignore_rules(checkout.tree, settings);
  sync::WalkOptions options = walk_options(checkout.identity, rules, settings, cancel);
  if (spool_)
    options.take = [this](const base::Digest& digest, std::string_view bytes) { spool_->add(digest, bytes); };
  const std::string folder = checkout.tree.string();
  return digests_ ? digests_->walk(folder, options) : sync::walk_folder(folder, options);
}

void Compositions::forget(const source::Checkout& checkout) {
  const std::string prefix = walk_prefix(checkout);
  const auto is_of_it = [&](const auto& entry) { return entry.first.starts_with(prefix); };
  std::erase_if(walked_, is_of_it);
  std::erase_if(composed_, is_of_it);
}

std::optional<std::filesystem::path> config_source(const settings::ModuleSettings& settings,
                                                   const settings::ConfigFile& file) {
  // Without a config there is no folder, and the name alone would be looked for wherever the user stands.
  if (settings.config().empty()) return std::nullopt;
  const std::filesystem::path source = settings.config_folder() / file.source;
  if (file.optional && !std::filesystem::exists(source)) return std::nullopt;
  return source;
}

std::shared_ptr<const Composition> Compositions::compose(const source::Checkout& checkout,
                                                         const settings::ModuleSettings& settings,
                                                         const base::CancelToken& cancel) {
  const std::string key = walk_key(checkout, settings);
  std::shared_ptr<const Composition>& known = composed_[key + overlay_key(settings)];
  if (known) return known;
  std::optional<std::int64_t> mtime_ns;
  if (checkout.commit_time != 0) mtime_ns = base::nanoseconds({checkout.commit_time, 0});
  std::shared_ptr<const sync::Tree>& walked = walked_[key];
  const bool alone = !has_overlay(settings);
  if (!walked && !alone) walked = std::make_shared<const sync::Tree>(walk(checkout, settings, cancel));
  known = std::make_shared<const Composition>(overlay(walked ? *walked : walk(checkout, settings, cancel),
                                                      checkout.tree.string(), mtime_ns, settings));
  if (!walked) walked = {known, &known->tree.tree};
  return known;
}

Composition compose_folder(const std::string& folder, const settings::ModuleSettings& settings,
                           const base::CancelToken& cancel) {
  const sync::IgnoreRules rules = ignore_rules(folder, settings);
  const sync::WalkOptions options =
      walk_options(source::Checkout::Identity::plain_folder, rules, settings, cancel);
  return overlay(sync::walk_folder(folder, options), folder, std::nullopt, settings);
}

sync::Composed compose_nothing() {
  sync::Composed nothing;
  nothing.tree.folders.emplace_back();
  nothing.tree.seal_digests();
  return nothing;
}

std::string skip_key(const Deployment& deployment, const std::string& config) {
  base::Sha256 hash;
  // Every part is preceded by its length, so that no two lists of parts read alike.
  const auto add = [&](std::string_view part) { hash.update(fmt::format("{}:", part.size())).update(part); };
  add("porter skip key 1");
  add(base::to_hex(deployment.source_root));
  add(config);
  add(deployment.module->handlers_key);
  add(base::to_hex(deployment.settings->digest()));
  return base::to_hex(hash.finish());
}

protocol::LinkMode link_of(const settings::ModuleSettings& settings) {
  return to_wire(settings.link());
}

protocol::SiteQuery site_query(const Deployment& deployment) {
  protocol::SiteQuery query;
  query.path = deployment.site();
  query.layout = layout_of(*deployment.settings);
  query.generated = generated_of(*deployment.settings);
  return query;
}

protocol::LockNote lock_note(const Run& run, const std::string& what) {
  const std::string who = Run::user();
  const std::size_t at = who.rfind('@');
  return {run.request.run_id, who.substr(0, at), who.substr(at + 1), base::format_iso(run.started), what};
}

protocol::LockRequest lock_request(const Deployment& deployment, const Run& run) {
  protocol::LockRequest lock;
  lock.site = deployment.site();
  lock.layout = layout_of(*deployment.settings);
  lock.adoption = run.request.adopt ? protocol::Adoption::adopt : protocol::Adoption::refuse;
  const bool durable = deployment.settings->durability() == settings::Durability::full;
  lock.durability = durable ? protocol::Durability::full : protocol::Durability::none;
  if (run.request.action == Action::deploy) lock.config = run.request.config;
  if (is_sealed_at(deployment, deployment.before)) lock.keep_release = deployment.release_id;
  lock.note = lock_note(run, reason_of(deployment, run.request));
  return lock;
}

protocol::SealHeader seal_header(const Deployment& deployment, const Run& run) {
  protocol::SealHeader seal;
  seal.release_id = deployment.release_id;
  seal.skip_key = deployment.skip_key;
  seal.version_label = deployment.version;
  seal.commit = deployment.commit;
  seal.run_id = run.request.run_id;
  seal.made_at_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(run.started.time_since_epoch()).count();
  seal.notes = {{"module", deployment.module_name()},
                {"config", run.request.config},
                {"ref", run.request.ref},
                {"by", Run::user()},
                {"message", run.request.message}};
  return seal;
}

protocol::StageRequest stage_request(const Deployment& deployment, const Request& request) {
  const settings::ModuleSettings& settings = *deployment.settings;
  protocol::StageRequest stage;
  stage.site = deployment.site();
  stage.release_id = deployment.release_id;
  stage.run_id = request.run_id;
  stage.link = link_of(settings);
  if (settings.layout() == settings::Layout::releases) {
    for (const std::string& path : settings.shared_paths())
      stage.shared.push_back(shared_kind(path, deployment.seeds));
  }
  stage.generated = generated_of(settings);
  set_limit(stage, settings.max_delete());
  return stage;
}

}  // namespace porter::engine
