#include "core/protocol/unpacker.h"

#include <zstd.h>

#include <algorithm>

#include "core/base/error.h"

namespace porter::protocol {
namespace {

constexpr std::string_view kStreamMagic{"\x28\xb5\x2f\xfd", 4};  // of today's zstd; older formats are refused
constexpr std::size_t kStep = 256U << 10U;

[[noreturn]] void refuse(const std::string& why) {
  throw base::Error(base::Code::protocol, "a packed frame " + why);
}

std::size_t check(std::size_t answer) {
  if (ZSTD_isError(answer) != 0U) refuse(std::string("cannot be unpacked: ") + ZSTD_getErrorName(answer));
  return answer;
}

}  // namespace

void Unpacker::ContextDeleter::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

void Unpacker::begin(std::string_view stream) {
  if (!stream.starts_with(kStreamMagic)) refuse("is none");
  if (!context_) context_.reset(ZSTD_createDCtx());
  if (!context_) throw base::Error(base::Code::internal, "zstd: out of memory");
  check(ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only));
  check(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kPackWindowLog));
}

std::string Unpacker::unpack(std::string_view payload) {
  if (payload.empty() || static_cast<unsigned char>(payload[0]) > 1) refuse("begins with nonsense");
  const bool fresh = payload[0] == 1;
  payload.remove_prefix(1);
  if (fresh) begin(payload);
  if (!context_) refuse("goes on with a stream that never began");
  std::string bytes;
  ZSTD_inBuffer in{payload.data(), payload.size(), 0};
  for (;;) {
    const std::size_t done = bytes.size();
    bytes.resize(std::min(done + kStep, kMaxUnpacked + 1));
    ZSTD_outBuffer out{bytes.data() + done, bytes.size() - done, 0};
    const std::size_t answer = check(ZSTD_decompressStream(context_.get(), &out, &in));
    const bool full = out.pos == out.size;
    bytes.resize(done + out.pos);
    if (bytes.size() > kMaxUnpacked) refuse("holds more than a frame may");
    if (answer == 0) {
      context_.reset();
      if (in.pos < in.size) refuse("goes on behind its end");
      return bytes;
    }
    if (full || in.pos < in.size) continue;
    if (bytes.empty()) refuse("holds nothing");
    return bytes;
  }
}

}  // namespace porter::protocol
