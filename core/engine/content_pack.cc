#include "core/engine/content_pack.h"

#include <chrono>
#include <utility>

namespace porter::engine {
namespace {

// How often a waiting sender looks whether it is still wanted; contents wake it at once.
constexpr auto kLookUp = std::chrono::milliseconds(200);

}  // namespace

ContentPack::ContentPack(KeptSource& kept, std::shared_ptr<sync::ContentSpool> spool,
                         base::CancelToken cancel)
    : kept_(kept), spool_(std::move(spool)), cancel_(std::move(cancel)) {
  if (spool_) kept_.adopt(*spool_);
  thread_ = std::thread([this] { read_ahead(); });
}

std::optional<sync::Content::Part> ContentPack::in_spool(const base::Digest& digest) const {
  return spool_ ? spool_->find(digest) : std::nullopt;
}

ContentPack::~ContentPack() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ContentPack::expect(const sync::Composed& composed, const std::vector<sync::EntryRef>& files) {
  const std::lock_guard lock(mutex_);
  known_.reserve(known_.size() + files.size());
  for (const sync::EntryRef file : files) {
    const sync::Entry& entry = composed.tree.at(file);
    if (entry.size > kLargest) continue;
    const auto [known, is_new] = known_.try_emplace(entry.digest);
    if (is_new) wishes_.push_back({&composed, file, &known->second});
  }
  changed_.notify_all();
}

std::optional<std::string> ContentPack::read(const sync::Composed& composed, sync::EntryRef file) {
  const base::Digest& digest = composed.tree.at(file).digest;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (failure_) std::rethrow_exception(failure_);
    cancel_.check();
    const Known known = known_.at(digest);
    if (known.state == State::changed) return std::nullopt;
    if (known.state == State::kept) {
      lock.unlock();
      return kept_.read(known.part);
    }
    changed_.wait_for(lock, kLookUp);
  }
}

void ContentPack::keep_large(const sync::Entry& entry, int fd) {
  const std::lock_guard lock(mutex_);
  if (known_.try_emplace(entry.digest, Known{State::kept, {}}).second) kept_.keep_shared(entry.digest, fd);
}

void ContentPack::read_all() {
  std::unique_lock lock(mutex_);
  while (!failure_ && (busy_ || !wishes_.empty())) {
    cancel_.check();
    changed_.wait_for(lock, kLookUp);
  }
  if (failure_) std::rethrow_exception(failure_);
  if (!not_as_composed_.empty()) throw endpoint::not_as_composed(not_as_composed_);
}

void ContentPack::read_ahead() {
  try {
    const sync::Composed* composed = nullptr;
    std::optional<sync::ContentReader> reader;
    while (const std::optional<Wish> wish = next_wish()) {
      if (composed != wish->composed) reader.emplace(*wish->composed);
      composed = wish->composed;
      take(*reader, *wish);
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  changed_.notify_all();
}

// Before it rests, what was read is given out.
std::optional<ContentPack::Wish> ContentPack::next_wish() {
  std::unique_lock lock(mutex_);
  while (wishes_.empty() && !ending_) {
    if (written_.empty()) {
      busy_ = false;
      changed_.notify_all();
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    publish();
    lock.lock();
  }
  if (ending_) return std::nullopt;
  busy_ = true;
  const Wish wish = wishes_.front();
  wishes_.pop_front();
  return wish;
}

void ContentPack::take(sync::ContentReader& reader, const Wish& wish) {
  const sync::Entry& entry = wish.composed->tree.at(wish.file);
  Known known{State::written, {}};
  if (const auto before = kept_.find(entry.digest)) {
    known.part = *before;
  } else if (const auto walked = in_spool(entry.digest)) {
    kept_.note(entry.digest, *walked);
    known.part = *walked;
  } else if (const std::optional<std::string> bytes = reader.read(wish.file)) {
    known.part = kept_.add(entry.digest, *bytes);
  } else {
    known.state = State::changed;
  }
  if (known.state == State::written) written_.push_back(wish.known);
  {
    const std::lock_guard lock(mutex_);
    *wish.known = known;
    if (known.state == State::changed && not_as_composed_.empty())
      not_as_composed_ = wish.composed->content_of(wish.file).path;
  }
  if (kept_.is_full()) publish();
}

void ContentPack::publish() {
  kept_.flush();
  const std::lock_guard lock(mutex_);
  for (Known* known : std::exchange(written_, {}))
    known->state = State::kept;
  changed_.notify_all();
}

}  // namespace porter::engine
