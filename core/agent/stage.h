#pragma once
// A release being built. Layout releases: directly in releases/<id>, its final name, unsealed until the seal
// exists. Layout inplace: the files that change, in .porter/staging/<id>. Nothing outside is touched.
//
// Order of use: set_wanted → fit_spare → make_folders → take_interrupted → clone_same → put_files /
// begin_file / rebuild for what is missing → make_hard_links → make_links → finish → (handlers, seed_shared)
// → seal. clone_same, put_files, begin_file, open_basis, rebuild and the calls of a FileWriter or FileRebuild
// may run in several threads at once for different files; the rest is for one thread. Errors carry the path.
// The Site must outlive its Stage.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/sync/block_match.h"
#include "core/sync/manifest.h"
#include "core/sync/tree.h"

namespace porter::agent {

enum class Layout : std::uint8_t { releases, inplace };
// none: nothing is synced; a power failure may lose or tear a release that was reported as done.
enum class Durability : std::uint8_t { full, none };

// How content of the live release gets into the stage.
enum class Take : std::uint8_t {
  automatic,  // shared blocks where the file system can, else a copy
  reflink,    // shared blocks or an error
  copy,
  hard,  // a second name of the same file where mode and time allow it, else as automatic
};

// Whether others than the stage may have written into it.
enum class Touched : std::uint8_t { maybe, no };

class InterruptedSend;
struct SiteFolders;
struct StageParts;

// One file on its way into the stage. Without finish() there is none, but a large one's beginning is kept for
// the next send (interrupted.h).
class FileWriter {
 public:
  FileWriter(FileWriter&&) noexcept;
  FileWriter& operator=(FileWriter&&) noexcept;
  ~FileWriter();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes);
  std::uint64_t written() const;
  // Checks size and digest, gives the file its mode and time. A mismatch removes the file and throws
  // Error(protocol) with both values; the file may then be sent again.
  void finish();

 private:
  friend class Stage;
  struct State;
  explicit FileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// An old version of a file, to make the new one from.
struct Basis {
  base::UniqueFd fd;
  std::uint64_t size = 0;
  // The stage's own, at the very place of the new one, and nobody else's: it may be changed.
  bool own = false;
};

// A large file on its way into the stage that has much of its content from an old one. When the basis is the
// stage's own and everything stays at its place, that file is changed where it differs; otherwise a new one
// is made. Without finish() the file is removed, whichever it is.
class FileRebuild {
 public:
  FileRebuild(FileRebuild&&) noexcept;
  FileRebuild& operator=(FileRebuild&&) noexcept;
  ~FileRebuild();

  // What the copies leave, and the basis for it.
  const sync::Rest& rest() const;
  int basis() const;
  // Brings over what is copied: the long part of the work. May be called by any thread while another one
  // writes; finish() does it if nobody did. Both throw Interrupted when `stop` comes.
  void copy(const base::CancelToken& stop = {});
  // The next bytes of what the copies leave of the new file.
  void write(std::string_view bytes);
  // Gives the file its mode and time, then checks the digest of all of it, on all cores. A mismatch removes
  // the file and throws Error(protocol); it may then be sent whole.
  void finish(const base::CancelToken& stop = {});

 private:
  friend class Stage;
  struct State;
  explicit FileRebuild(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Stage {
 public:
  Stage(Stage&&) noexcept;
  Stage& operator=(Stage&&) noexcept;
  ~Stage();

  const std::string& id() const;
  // Absolute: the release's final folder, or the site's for inplace.
  const std::string& path() const;

  // The complete tree this release shall be, sealed. Throws Error(protocol) when it is not canonical,
  // Error(refused) when it would write into .porter, or has owners whom this user may not give files to.
  void set_wanted(sync::Tree wanted);
  const sync::Tree& wanted() const;

  // A stage that was made from a spare keeps what is right already; what is not goes, but for large old
  // versions of the files `rebuilt` (ascending) that can become the new ones in place. False when there was
  // none, or it was of no use: the stage is empty then.
  bool fit_spare(const std::vector<sync::EntryRef>& rebuilt);
  // Those old versions go as well, for the room that they take.
  void drop_bases();
  // All of them, unless a spare was fitted.
  void make_folders();
  // Whether it is there already.
  bool has(sync::EntryRef file) const;

  // Moves here what is not there yet and was left by an interrupted send. Gives how many bytes that were.
  std::uint64_t take_interrupted(InterruptedSend& from, const std::vector<sync::EntryRef>& files);
  // Takes files that are not there yet from the live release: those whose content is there (by path, or by
  // digest under another name), proven by an untouched stamp or by hashing. Returns those that are not, and
  // have to be sent.
  std::vector<sync::EntryRef> clone_same(const std::vector<sync::EntryRef>& files);

  struct Whole {
    sync::EntryRef file;
    std::string_view bytes;
  };
  // Whole files. Returns those whose content is not the wanted one: nothing is written of them.
  std::vector<sync::EntryRef> put_files(const std::vector<Whole>& files);
  // Size, mode, time and digest come from the wanted tree. Of large files of one content one after the other.
  FileWriter begin_file(sync::EntryRef file);
  // The old version of this file: the spare's that was kept for it, else what an interrupted send has brought
  // of it, else the live one; nothing when there is none.
  std::optional<Basis> open_basis(sync::EntryRef file) const;
  // Size, mode, time and digest come from the wanted tree. Throws Error(protocol) for copies that do not fit.
  FileRebuild rebuild(sync::EntryRef file, Basis basis, std::vector<sync::Copy> copies);

  // Further names of files, when all files are there.
  void make_hard_links();
  // Symbolic ones.
  void make_links();
  // Modes and times of folders, children first. Throws Error(protocol) when a wanted file was never written.
  void finish();

  // Layout releases, between finish() and seal(): moves what the stage has at `path` to shared/, unless it is
  // there already, and leaves a link in its place.
  void seed_shared(const std::string& path);

  // Has everything on disk and writes the seal; the release is complete then. Unless nobody but this stage
  // wrote into it, it is walked before, and what handlers added belongs to it. `info` is stored with the root
  // digest.
  sync::SealHeader seal(sync::SealHeader info, Touched touched = Touched::maybe);

  // Entries that the live release lists and this one does not, for max_delete.
  std::uint64_t deletions() const;

 private:
  friend class Site;
  explicit Stage(std::unique_ptr<StageParts> parts);
  std::unique_ptr<StageParts> parts_;
};

}  // namespace porter::agent
