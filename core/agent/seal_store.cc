#include "core/agent/seal_store.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/sync/file_digest.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kSealLimit = std::size_t{1} << 30U;
constexpr std::size_t kMostKnown = 256;
constexpr std::size_t kMostWhole = 3;  // with their trees: the live one's, and those beside it for a moment

// What is read. Without it the caller does without, which costs time and never gives a wrong tree.
template <class Read>
auto unless_damaged(Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() == Code::refused) throw;
    return std::nullopt;
  }
}

std::optional<sync::Seal> read_seal(const Beneath& porter, const std::string& path) {
  const std::optional<std::string> bytes = porter.read_small(path, kSealLimit);
  if (!bytes) return std::nullopt;
  return unless_damaged([&] { return std::optional(sync::decode_seal(*bytes, porter.label(path))); });
}

std::optional<sync::SealHeader> read_seal_header(const Beneath& porter, const std::string& path) {
  const std::optional<std::string> beginning = porter.read_beginning(path, sync::kSealBeginning);
  if (!beginning) return std::nullopt;
  return unless_damaged([&]() -> std::optional<sync::SealHeader> {
    if (auto header = sync::decode_seal_beginning(*beginning, porter.label(path))) return header;
    const std::optional<std::string> bytes = porter.read_small(path, kSealLimit);
    if (!bytes) return std::nullopt;
    return sync::decode_seal_header(*bytes, porter.label(path));
  });
}

}  // namespace

SealStore::Known* SealStore::find(const Beneath& porter, const std::string& path) {
  const std::string file = porter.label(path);
  const auto at =
      std::find_if(known_.begin(), known_.end(), [&](const Known& one) { return one.file == file; });
  if (at == known_.end()) return nullptr;
  const std::optional<struct stat> now = porter.look(path);
  if (!now || at->stamp != sync::stamp_of(*now)) {
    known_.erase(at);
    return nullptr;
  }
  std::rotate(at, at + 1, known_.end());
  return &known_.back();
}

// `before`: the file before it was read. One that was replaced meanwhile is read anew the next time.
void SealStore::keep(const Beneath& porter, const std::string& path, const std::optional<struct stat>& before,
                     sync::SealHeader header, std::shared_ptr<const sync::Seal> whole) {
  if (!before) return;
  const std::string file = porter.label(path);
  std::erase_if(known_, [&](const Known& one) { return one.file == file; });
  if (known_.size() >= kMostKnown) known_.erase(known_.begin());
  known_.push_back({file, sync::stamp_of(*before), std::move(header), std::move(whole)});
  std::size_t trees = 0;
  for (auto one = known_.rbegin(); one != known_.rend(); ++one)
    if (one->whole && ++trees > kMostWhole) one->whole.reset();
}

std::shared_ptr<const sync::Seal> SealStore::read(const Beneath& porter, const std::string& path) {
  if (const Known* known = find(porter, path); known != nullptr && known->whole) return known->whole;
  const std::optional<struct stat> before = porter.look(path);
  std::optional<sync::Seal> seal = read_seal(porter, path);
  if (!seal) return nullptr;
  auto whole = std::make_shared<const sync::Seal>(std::move(*seal));
  keep(porter, path, before, whole->header, whole);
  return whole;
}

std::optional<sync::SealHeader> SealStore::read_header(const Beneath& porter, const std::string& path) {
  if (const Known* known = find(porter, path)) return known->header;
  const std::optional<struct stat> before = porter.look(path);
  std::optional<sync::SealHeader> header = read_seal_header(porter, path);
  if (header) keep(porter, path, before, *header, nullptr);
  return header;
}

void SealStore::write(const Beneath& porter, const std::string& path, sync::Seal seal,
                      const std::string& bytes, bool sync) {
  porter.write_small(path, bytes, sync);
  auto whole = std::make_shared<const sync::Seal>(std::move(seal));
  keep(porter, path, porter.look(path), whole->header, whole);
}

}  // namespace porter::agent
