#pragma once
// What each message is on the wire, as describe_values.h says it of values. Used by messages.cc alone.

#include <vector>

#include "core/protocol/describe_values.h"

namespace porter::protocol {

template <class A>
void describe(A& a, Welcome& m) {
  a.number(m.major), a.number(m.minor), a.text(m.version, kMaxWord), a.text(m.run_id, kMaxWord);
  a.number(m.idle_seconds), texts(a, m.features, kMaxWord);
}
template <class A>
void describe(A&, Beat&) {}
template <class A>
void describe(A&, Goodbye&) {}
template <class A>
void describe(A& a, Stripe& m) {
  a.text(m.token, kMaxWord);
}
template <class A>
void describe(A&, Done&) {}
template <class A>
void describe(A&, StageEnd&) {}
template <class A>
void describe(A&, StageAbort&) {}
template <class A>
void describe(A& a, HelloMessage& m) {
  describe(a, m.hello);
}
template <class A>
void describe(A& a, Failure& m) {
  a.small_signed(m.code), a.text(m.message, kMaxText), a.text(m.hint, kMaxText), texts(a, m.trail, kMaxText);
}
template <class A>
void describe(A& a, Look& m) {
  a.list(m.sites, [](A& inner, SiteQuery& site) { describe(inner, site); });
}
template <class A>
void describe(A& a, Looked& m) {
  describe(a, m.site);
}
template <class A>
void describe(A& a, LockSite& m) {
  describe(a, m.request);
}
template <class A>
void describe(A& a, UnlockSite& m) {
  a.text(m.site, kMaxPath);
}
template <class A>
void describe(A& a, AskHistory& m) {
  a.text(m.site, kMaxPath), a.choice(m.layout, 2), a.number(m.limit);
}
template <class A>
void describe(A& a, HistoryLines& m) {
  a.flag(m.last), a.list(m.lines, [](A& inner, HistoryRecord& line) { describe(inner, line); });
}
template <class A>
void describe(A& a, AskDifferences& m) {
  describe(a, m.query);
}
template <class A>
void describe(A& a, DifferenceLines& m) {
  a.flag(m.last), a.list(m.lines, [](A& inner, Difference& line) { describe(inner, line); });
}
template <class A>
void describe(A& a, MarkRelease& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.choice(m.mark, 4), a.text(m.reason, kMaxText);
}
template <class A>
void describe(A& a, FreezeSite& m) {
  a.text(m.site, kMaxPath), describe(a, m.freeze);
}
template <class A>
void describe(A& a, UnfreezeSite& m) {
  a.text(m.site, kMaxPath), a.text(m.config, kMaxWord);
}
template <class A>
void describe(A& a, StageBegin& m) {
  describe(a, m.request), a.choice(m.identity, 3), a.number(m.keeps), a.digest(m.wanted);
}
template <class A>
void describe(A& a, CompareBegin& m) {
  describe(a, m.site), a.choice(m.identity, 3), a.number(m.keeps);
}
template <class A>
void describe(A& a, FolderDigests& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, BaseTree& m) {
  describe(a, m.piece);
  for (std::vector<base::Digest>* contents : {&m.whole, &m.begun})
    a.list(*contents, [](A& inner, base::Digest& digest) { inner.digest(digest); });
}
template <class A>
void describe(A& a, WantedTree& m) {
  describe(a, m.piece);
}

template <class A>
void numbers(A& a, std::vector<FileNumber>& items) {
  a.list(items, [](A& inner, FileNumber& item) { inner.number(item); });
}

template <class A>
void describe(A& a, FilesToCome& m) {
  a.flag(m.last), numbers(a, m.whole), numbers(a, m.delta);
}
template <class A>
void describe(A& a, Batch& m) {
  a.list(m.files,
         [](A& inner, Batch::File& file) { inner.number(file.number), inner.text(file.bytes, kMaxPiece); });
}
template <class A>
void describe(A& a, ContentPiece& m) {
  a.number(m.number), describe(a, m.piece);
}
template <class A>
void describe(A& a, BlockTablePiece& m) {
  a.number(m.number), a.number(m.basis_size), describe(a, m.piece);
}
template <class A>
void describe(A& a, Copies& m) {
  a.number(m.number), a.flag(m.last);
  a.list(m.copies, [](A& inner, Copies::Copy& copy) {
    inner.number(copy.from), inner.number(copy.to), inner.number(copy.size);
  });
}
template <class A>
void describe(A& a, SignaturePiece& m) {
  a.number(m.number), a.number(m.basis_size), describe(a, m.piece);
}
template <class A>
void describe(A& a, DeltaPiece& m) {
  a.number(m.number), describe(a, m.piece);
}
template <class A>
void describe(A& a, Missing& m) {
  a.flag(m.last), numbers(a, m.files);
}
template <class A>
void describe(A& a, Staged& m) {
  describe(a, m.report);
}
template <class A>
void describe(A& a, SealStage& m) {
  a.text(m.site, kMaxPath), describe(a, m.header), a.choice(m.touched, 2);
}
template <class A>
void describe(A& a, Sealed& m) {
  describe(a, m.header);
}
template <class A>
void describe(A& a, Activate& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.text(m.run_id, kMaxWord),
      a.choice(m.deletion, 2);
}
template <class A>
void describe(A& a, Reseal& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord);
}
template <class A>
void describe(A& a, Revert& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.text(m.reason, kMaxText);
}
template <class A>
void describe(A& a, Commit& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.number(m.keep_releases);
  describe(a, m.note);
}
template <class A>
void describe(A& a, Committed& m) {
  texts(a, m.report.pruned, kMaxWord), texts(a, m.report.warnings, kMaxText);
}
template <class A>
void describe(A& a, Discard& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord);
}
template <class A>
void describe(A& a, InstallBegin& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), a.text(m.path, kMaxPath), a.number(m.mode);
}
template <class A>
void describe(A& a, AddUndo& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord), describe(a, m.request);
}
template <class A>
void describe(A& a, PlaceFiles& m) {
  a.text(m.site, kMaxPath), a.text(m.release_id, kMaxWord);
}
template <class A>
void describe(A& a, Run& m) {
  describe(a, m.request);
}
template <class A>
void describe(A& a, RunEnded& m) {
  describe(a, m.result);
}
template <class A>
void describe(A& a, AskStat& m) {
  a.text(m.path, kMaxPath);
}
template <class A>
void describe(A& a, StatAnswer& m) {
  describe(a, m.state);
}
template <class A>
void describe(A& a, ReadFile& m) {
  a.text(m.path, kMaxPath), a.number(m.limit);
}
template <class A>
void describe(A& a, FileData& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, WriteBegin& m) {
  a.text(m.path, kMaxPath), a.number(m.mode);
}
template <class A>
void describe(A& a, WriteData& m) {
  describe(a, m.piece);
}
template <class A>
void describe(A& a, RemovePath& m) {
  a.text(m.path, kMaxPath);
}
template <class A>
void describe(A& a, RenamePath& m) {
  a.text(m.from, kMaxPath), a.text(m.to, kMaxPath);
}
template <class A>
void describe(A& a, MakeFolder& m) {
  a.text(m.path, kMaxPath), a.number(m.mode);
}
template <class A>
void describe(A& a, MakeLink& m) {
  a.text(m.path, kMaxPath), a.text(m.target, kMaxPath);
}

}  // namespace porter::protocol
