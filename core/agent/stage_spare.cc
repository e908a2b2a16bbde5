// Fitting a spare to the wanted tree: one look at everything that is there, folder by folder, several at
// once. Nothing about it is trusted but what a stamp or the content itself proves. A file that differs goes
// and is made anew, unless it is a large one that may become the wanted one where it is (stage_rebuild.cc).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "core/agent/failpoint.h"
#include "core/agent/held_folder.h"
#include "core/agent/stage_parts.h"
#include "core/base/content_digest.h"
#include "core/base/error.h"

namespace porter::agent {
namespace {

using base::Error;

class Fitter {
 public:
  Fitter(StageParts& parts, const sync::Tree& spare, const std::vector<sync::EntryRef>& rebuilt)
      : parts_(parts), spare_(spare), names_(spare), rebuilt_(rebuilt) {}

  bool run() {
    std::vector<std::uint32_t> old;
    for (std::uint32_t i = 0; i < parts_.wanted.folders.size(); ++i) {
      if (prepare_folder(i)) old.push_back(i);
    }
    reach("spare: folders made");
    on_folders(parts_.tree, old, [this](HeldFolder& held, std::uint32_t index) { fit(held, index); });
    reach("spare: fitted");
    return sound_;
  }

 private:
  // Parents first. False for one that is made here and empty.
  bool prepare_folder(std::uint32_t index) {
    const sync::Folder& wanted = parts_.wanted.folders[index];
    if (const sync::Folder* was = spare_.find_folder(wanted.path)) {
      // One that its owner may not write into is opened for as long as this is a stage.
      if ((was->mode & 0700U) != 0700U) open_up(index);
      return true;
    }
    if (spare_.find(wanted.path) != nullptr) parts_.tree.remove_file(wanted.path);
    parts_.tree.make_folder(wanted.path, 0700);
    parts_.changes.add_folder(index);
    parts_.changes.add_folder(
        static_cast<std::uint32_t>(*parts_.wanted.folder_index(sync::parent_path(wanted.path))));
    return false;
  }

  void open_up(std::uint32_t index) {
    parts_.tree.set_mode(parts_.wanted.folders[index].path, 0700);
    parts_.changes.add_folder(index);
  }

  void fit(HeldFolder& held, std::uint32_t index) {
    const sync::Folder& wanted = parts_.wanted.folders[index];
    const Beneath* here = try_open(held, wanted.path);
    if (here == nullptr) {
      sound_ = false;
      return;
    }
    const sync::Folder* was = spare_.find_folder(wanted.path);
    bool changed = false;
    // The root is held by all: it is listed by a descriptor of its own.
    for (const FolderEntry& found : index == 0 ? here->list() : here->list_alone())
      changed |= !stays(*here, found, index, was);
    if (changed) parts_.changes.add_folder(index);
    struct stat info {};
    parts_.settled[index] = ::fstat(here->descriptor(), &info) == 0 && is_settled(parts_, wanted, info) &&
                            parts_.has_attributes({here->descriptor()}, wanted.extra);
  }

  static const Beneath* try_open(HeldFolder& held, const std::string& path) {
    try {
      return held.folder(path);
    } catch (const Error&) {
      return nullptr;  // a link where a folder was
    }
  }

  // False for what is not as wanted; it is removed then.
  bool stays(const Beneath& here, const FolderEntry& found, std::uint32_t index, const sync::Folder* was) {
    const sync::Folder& folder = parts_.wanted.folders[index];
    const sync::Entry* wanted = folder.find(found.name);
    if (wanted != nullptr) {
      const auto entry = static_cast<std::uint32_t>(wanted - folder.entries.data());
      const sync::Entry* known = was == nullptr ? nullptr : was->find_near(entry, found.name);
      if (wanted->kind == sync::Kind::folder && found.kind == EntryKind::folder) return true;
      if (wanted->kind == sync::Kind::link && is_link(parts_, here, found.name, *wanted)) return true;
      if (wanted->kind == sync::Kind::file && found.kind == EntryKind::file &&
          (keep_file(here, {index, entry}, known) || keep_basis(here, {index, entry})))
        return true;
      // Whether it is a name of the right file shows when that is known.
      if (wanted->kind == sync::Kind::hard_link && found.kind == EntryKind::file) return true;
      if (wanted->kind == sync::Kind::folder) sound_ = false;  // its seal said it is one
    }
    if (found.kind == EntryKind::folder)
      here.remove_all(found.name);
    else
      here.remove_file(found.name);
    return false;
  }

  bool keep_file(const Beneath& here, sync::EntryRef ref, const sync::Entry* known) {
    sync::Entry& entry = parts_.wanted.at(ref);
    struct stat info {};
    if (::fstatat(here.descriptor(), entry.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (!S_ISREG(info.st_mode) || !is_our_own(ref, info)) return false;
    if (!holds(here, entry, info, known)) return false;
    if (is_settled(parts_, entry, info) && has_attributes(here, entry, info, known)) {
      entry.stamp = stamp_of(info);
      return true;
    }
    const base::UniqueFd fd(::openat(here.descriptor(), entry.name.c_str(),
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd) return false;
    settle_file(parts_, fd.get(), ref);
    parts_.changes.add({ref});
    return true;
  }

  // A file that was not touched since has those that it was sealed with.
  bool has_attributes(const Beneath& here, const sync::Entry& entry, const struct stat& info,
                      const sync::Entry* known) const {
    const bool untouched = known != nullptr && known->kind == sync::Kind::file &&
                           known->stamp == stamp_of(info) && spare_.keeps.attributes;
    return untouched ? known->extra == entry.extra
                     : parts_.has_attributes({here.descriptor(), entry.name.c_str()}, entry.extra);
  }

  // A second name of a file in a release that stays: its mode and time are that one's, too. With all its
  // names in the spare, and all of them wanted, it is the spare's alone.
  bool is_our_own(sync::EntryRef ref, const struct stat& info) const {
    if (info.st_nlink == 1) return true;
    const std::string path = parts_.wanted.path_of(ref);
    return names_.count(path) == info.st_nlink &&
           sync::HardLinks::same_names(names_, parts_.wanted_names, path);
  }

  // Of the same size, since then what did not change is likely to be where it was; and one whose blocks will
  // be compared. It is nobody's to read while it changes.
  bool keep_basis(const Beneath& here, sync::EntryRef ref) {
    if (!std::binary_search(rebuilt_.begin(), rebuilt_.end(), ref)) return false;
    const sync::Entry& entry = parts_.wanted.at(ref);
    struct stat info {};
    const char* name = entry.name.c_str();
    if (::fstatat(here.descriptor(), name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode) ||
        info.st_nlink > 1 || entry.size < sync::kTableFrom ||
        static_cast<std::uint64_t>(info.st_size) != entry.size)
      return false;
    here.set_mode(entry.name, 0600);
    parts_.bases.add(ref);
    return true;
  }

  static bool holds(const Beneath& here, const sync::Entry& entry, const struct stat& info,
                    const sync::Entry* known) {
    if (const std::optional<bool> told = content_by_stamp(entry, info, known)) return *told;
    try {
      const std::optional<base::UniqueFd> fd = here.try_open_file(entry.name);
      return fd && base::content_digest(fd->get(), entry.size) == entry.digest;
    } catch (const Error&) {
      return false;
    }
  }

  StageParts& parts_;
  const sync::Tree& spare_;
  const sync::HardLinks names_;  // of the spare
  const std::vector<sync::EntryRef>& rebuilt_;
  std::atomic<bool> sound_{true};
};

}  // namespace

bool fit_spare(StageParts& parts, const sync::Tree& spare, const std::vector<sync::EntryRef>& rebuilt) {
  try {
    return Fitter(parts, spare, rebuilt).run();
  } catch (const Error&) {
    return false;  // what stands in the way here does not in an empty folder
  }
}

}  // namespace porter::agent
