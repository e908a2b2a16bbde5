#pragma once
// The other end of packer.h: gives back what a packed payload holds. Trusts nothing: neither memory nor
// output grow beyond the limits here, whatever comes. One Unpacker is one direction of one connection; not
// thread-safe.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/protocol/frame.h"

struct ZSTD_DCtx_s;

namespace porter::protocol {

// The type of a packed frame: a way to carry messages, none itself. Both directions.
constexpr std::uint8_t kPackedType = 4;
// The feature of whoever can unpack (Hello, Welcome); who has not named it is sent no packed frame.
constexpr std::string_view kPacking = "zstd";
constexpr int kPackWindowLog = 20;  // how far back a stream may reach: 1 MiB
// What one packed payload may hold: the largest frame.
constexpr std::size_t kMaxUnpacked = kHeaderSize + kMaxPayload;

class Unpacker {
 public:
  // Throws Error(protocol). After that it is good for nothing more.
  std::string unpack(std::string_view payload);

 private:
  struct ContextDeleter {
    void operator()(ZSTD_DCtx_s* context) const;
  };

  void begin(std::string_view stream);

  std::unique_ptr<ZSTD_DCtx_s, ContextDeleter> context_;  // while a stream goes on
};

}  // namespace porter::protocol
