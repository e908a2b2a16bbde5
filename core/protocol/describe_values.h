#pragma once
// What the values of values.h are on the wire: one description each, from which both encoding and decoding
// follow; `a` is a FieldWriter or a FieldReader (describe.h). A field that is added later comes behind a
// feature or a higher minor version, never in the middle. Used by messages.cc alone.

#include <limits>
#include <string>
#include <vector>

#include "core/protocol/describe.h"
#include "core/protocol/messages.h"

namespace porter::protocol {

inline constexpr std::size_t kMaxPath = 4096;
inline constexpr std::size_t kMaxWord = 255;              // names, ids, versions
inline constexpr std::size_t kMaxText = 64U << 10U;       // what people read
inline constexpr std::size_t kMaxArgument = 128U << 10U;  // Linux's own limit for one argument

template <class A>
void texts(A& a, std::vector<std::string>& items, std::size_t limit) {
  a.list(items, [limit](A& inner, std::string& item) { inner.text(item, limit); });
}

template <class A>
void describe(A& a, Hello& v) {
  a.number(v.major), a.number(v.minor);
  texts(a, v.features, kMaxWord);
  a.text(v.version, kMaxWord), a.digest(v.digest);
  a.number(v.pid), a.number(v.uid);
  a.text(v.user, kMaxWord), a.text(v.home, kMaxPath), a.text(v.hostname, kMaxWord), a.text(v.ipv4, kMaxWord);
  a.text(v.machine, kMaxWord), a.text(v.system, kMaxWord), a.signed_number(v.clock);
}

template <class A>
void describe(A& a, SealHeader& v) {
  a.text(v.release_id, kMaxWord), a.text(v.skip_key, kMaxWord), a.text(v.version_label, kMaxText);
  a.text(v.commit, kMaxWord), a.text(v.run_id, kMaxWord), a.signed_number(v.made_at_ns);
  a.text(v.layout, kMaxWord), a.digest(v.root_digest);
  a.list(v.notes, [](A& inner, std::pair<std::string, std::string>& note) {
    inner.text(note.first, kMaxWord), inner.text(note.second, kMaxText);
  });
}

template <class A>
void describe(A& a, LockNote& v) {
  a.text(v.run_id, kMaxWord), a.text(v.who, kMaxText), a.text(v.host, kMaxText);
  a.text(v.since, kMaxText), a.text(v.message, kMaxText);
}

template <class A>
void describe(A& a, LockRequest& v) {
  a.text(v.site, kMaxPath), a.choice(v.layout, 2), a.choice(v.adoption, 2), a.choice(v.durability, 2);
  a.text(v.keep_release, kMaxWord), a.text(v.config, kMaxWord), describe(a, v.note);
}

template <class A>
void describe(A& a, SiteQuery& v) {
  a.text(v.path, kMaxPath), a.choice(v.layout, 2), a.choice(v.drift, 2);
  texts(a, v.generated, kMaxPath);
}

template <class A>
void describe(A& a, BadRelease& v) {
  a.text(v.release_id, kMaxWord), a.text(v.reason, kMaxText), a.text(v.since, kMaxWord);
}

template <class A>
void describe(A& a, Freeze& v) {
  a.text(v.config, kMaxWord), a.text(v.reason, kMaxText), a.text(v.who, kMaxText), a.text(v.since, kMaxWord);
}

template <class A>
void describe(A& a, SiteState& v) {
  a.text(v.path, kMaxPath), a.choice(v.standing, 4), a.text(v.reason, kMaxText), a.text(v.current, kMaxWord);
  describe(a, v.seal), a.flag(v.seal_damaged);
  a.number(v.drift_changed), a.number(v.drift_missing), texts(a, v.drift, kMaxPath);
  a.list(v.releases, [](A& inner, SealHeader& header) { describe(inner, header); });
  texts(a, v.pinned, kMaxWord);
  a.list(v.bad, [](A& inner, BadRelease& bad) { describe(inner, bad); });
  a.list(v.frozen, [](A& inner, Freeze& freeze) { describe(inner, freeze); });
  a.number(v.leftovers), a.flag(v.one_file_system);
  a.text(v.pending, kMaxWord), a.text(v.pending_previous, kMaxWord), a.text(v.pending_run, kMaxWord);
  a.flag(v.locked), describe(a, v.holder), a.number(v.free_bytes), a.number(v.free_inodes);
}

template <class A>
void describe(A& a, StageRequest& v) {
  a.text(v.site, kMaxPath), a.text(v.release_id, kMaxWord), a.text(v.run_id, kMaxWord), a.choice(v.link, 4);
  texts(a, v.shared, kMaxPath), texts(a, v.generated, kMaxPath);
  a.number(v.max_delete), a.number(v.max_delete_percent);
}

template <class A>
void describe(A& a, StageReport& v) {
  a.text(v.destination, 2 * kMaxPath);
  for (std::uint64_t* count :
       {&v.files_kept, &v.files_whole, &v.files_delta, &v.files_cloned, &v.files_deleted, &v.bytes_whole,
        &v.bytes_delta, &v.bytes_saved, &v.bytes_resumed, &v.resent, &v.wire_in, &v.wire_out})
    a.number(*count);
}

template <class A>
void describe(A& a, RunRequest& v) {
  texts(a, v.arguments, kMaxArgument), a.text(v.directory, kMaxPath), texts(a, v.environment, kMaxArgument);
  a.text(v.input, kMaxInput), a.choice(v.privilege, 2);
  a.number(v.deadline_seconds), a.number(v.output_limit);
}

template <class A>
void describe(A& a, RunResult& v) {
  a.small_signed(v.status), a.small_signed(v.signal);
  a.text(v.output, kMaxOutput), a.text(v.errors, kMaxOutput), a.flag(v.output_cut);
}

template <class A>
void describe(A& a, PathState& v) {
  a.choice(v.kind, 5), a.number(v.mode), a.number(v.size), a.signed_number(v.mtime_ns),
      a.text(v.target, kMaxPath);
}

template <class A>
void describe(A& a, HistoryRecord& v) {
  for (std::string* field :
       {&v.time, &v.action, &v.release, &v.previous, &v.run_id, &v.who, &v.version, &v.config, &v.message})
    a.text(*field, kMaxText);
}

template <class A>
void describe(A& a, CommitNote& v) {
  a.text(v.action, kMaxWord), a.text(v.config, kMaxWord), a.text(v.message, kMaxText);
  a.choice(v.link, 4);
}

template <class A>
void describe(A& a, DifferenceQuery& v) {
  a.text(v.site, kMaxPath), a.choice(v.layout, 2), a.text(v.release_id, kMaxWord);
  texts(a, v.generated, kMaxPath), a.flag(v.every_byte), a.flag(v.added);
}

template <class A>
void describe(A& a, Difference& v) {
  a.choice(v.kind, 3), a.text(v.path, kMaxPath), a.text(v.what, kMaxText);
}

template <class A>
void describe(A& a, Piece& v) {
  a.flag(v.last), a.text(v.bytes, kMaxPiece);
}

}  // namespace porter::protocol
