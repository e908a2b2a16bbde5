// Files that an interrupted send has brought already.
#include "core/agent/held_folder.h"
#include "core/agent/interrupted.h"
#include "core/agent/stage_parts.h"

namespace porter::agent {

std::uint64_t Stage::take_interrupted(InterruptedSend& from, const std::vector<sync::EntryRef>& files) {
  std::uint64_t bytes = 0;
  std::vector<sync::EntryRef> taken;
  HeldFolder held(parts_->tree);
  for (const sync::EntryRef file : files) {
    const sync::Entry& entry = parts_->wanted.at(file);
    if (has(file) || !from.has(entry.digest)) continue;
    const Slot slot = slot_of(*parts_, held, file);
    const base::UniqueFd fd = from.take(entry.digest, slot.folder, slot.name.c_str());
    if (!fd) continue;
    settle_file(*parts_, fd.get(), file);
    taken.push_back(file);
    bytes += entry.size;
  }
  parts_->made(taken);
  return bytes;
}

}  // namespace porter::agent
