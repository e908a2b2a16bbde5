#include "core/protocol/packer.h"

#include <zstd.h>

#include <array>
#include <atomic>
#include <utility>

#include "core/base/error.h"
#include "core/protocol/frame.h"
#include "core/protocol/unpacker.h"

namespace porter::protocol {
namespace {

constexpr std::size_t kSmallest = 512;      // below that the header and the block eat up the gain
constexpr std::size_t kRoomToGrow = 4096;   // what zstd may add to bytes that it cannot make smaller
constexpr std::size_t kSample = 8U << 10U;  // from the middle, to guess by
constexpr int kGuessLevel = 1;
std::atomic<int> heavy_streams{0};  // of this process: what they take together is bounded

std::size_t check(std::size_t answer) {
  if (ZSTD_isError(answer) != 0U)
    throw base::Error(base::Code::internal, std::string("zstd: ") + ZSTD_getErrorName(answer));
  return answer;
}

bool hardly_smaller(std::size_t packed, std::size_t plain) {
  return packed > plain - plain / 16;
}

}  // namespace

void Packer::ContextDeleter::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

void Packer::end() {
  context_.reset();
  if (std::exchange(heavy_, false)) --heavy_streams;
}

bool Packer::may_be_heavy() {
  heavy_ = ++heavy_streams <= kMostHeavy;
  if (!heavy_) --heavy_streams;
  return heavy_;
}

// Files that are packed already come in a row: after one of them a sample is tried first.
bool Packer::is_worth_it(std::string_view frame) const {
  if (frame.size() < kSmallest || frame.size() + kRoomToGrow > kMaxPayload) return false;
  if (!in_doubt_ || frame.size() < kSample * 4) return true;
  std::array<char, 2 * kSample> room;
  const std::string_view sample = frame.substr(frame.size() / 2, kSample);
  return !hardly_smaller(
      check(ZSTD_compress(room.data(), room.size(), sample.data(), sample.size(), kGuessLevel)),
      sample.size());
}

// True when a new stream begins.
bool Packer::begin(int level) {
  if (context_ && level_ == level) return false;
  end();
  context_.reset(ZSTD_createCCtx());
  if (!context_) throw base::Error(base::Code::internal, "zstd: out of memory");
  level_ = level;
  if (level > 1 && !may_be_heavy()) level = 1;
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level));
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kPackWindowLog));
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_contentSizeFlag, 0));
  return true;
}

std::string Packer::squeeze(std::string_view frame, bool fresh) {
  std::string payload(1 + ZSTD_compressBound(frame.size()) + kRoomToGrow, '\0');
  payload[0] = fresh ? 1 : 0;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  ZSTD_outBuffer out{payload.data(), payload.size(), 1};
  const ZSTD_EndDirective how = stream_ == Stream::single ? ZSTD_e_end : ZSTD_e_flush;
  while (check(ZSTD_compressStream2(context_.get(), &out, &in, how)) != 0) {
  }
  payload.resize(out.pos);
  return payload;
}

std::string Packer::pack(std::string frame, int level) {
  if (!is_worth_it(frame)) return frame;
  const bool fresh = begin(level);
  const std::string payload = squeeze(frame, fresh);
  in_doubt_ = hardly_smaller(payload.size(), frame.size());
  if (stream_ == Stream::single) {
    end();
    if (in_doubt_) return frame;
  }
  return encode_frame(kPackedType, payload);
}

}  // namespace porter::protocol
