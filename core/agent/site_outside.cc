// What a release does outside of its tree, as Site offers it.
#include <fmt/format.h>

#include "core/agent/outside.h"
#include "core/agent/site_parts.h"
#include "core/base/error.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

void check_known(const SiteFolders& site, const std::string& id) {
  check_release_id(id);
  if (!site.marked(id) && !site.sealed(id))
    throw Error(Code::missing, fmt::format("{}: there is no release {}", site.root.label(), id));
}

}  // namespace

std::unique_ptr<Receiver> Site::install_file(const std::string& id, const std::string& path,
                                             std::uint32_t mode) {
  check_known(parts_->held(), id);
  return receive_outside(parts_->folders, id, path, mode);
}

void Site::add_undo(const std::string& id, const protocol::RunRequest& request) {
  const SiteFolders& site = parts_->held();
  check_known(site, id);
  if (request.arguments.empty()) throw Error(Code::usage, "an undo step without a program");
  UndoList list = open_list(site, id);
  list.add_program(request);
}

void Site::place_files(const std::string& id) {
  const SiteFolders& site = parts_->held();
  check_known(site, id);
  const bool back = !site.marked(id) && site.live() != id;
  if (back) keep_live(site, parts_->self);
  UndoList list = open_list(site, id);
  if (back && !list.last().placing) plan_rollback(site, list);
  place_outside(site, list);
}

void Site::set_lost(base::CancelToken lost) {
  parts_->lost = std::move(lost);
}

}  // namespace porter::agent
