#pragma once
// Frames that travel smaller. A `packed` frame holds other frames as a piece of a zstd stream (its payload:
// one byte, 1 when a stream begins with it, else 0; then the stream up to a flush); unpacker.h gives them
// back. What does not get smaller travels as it is, and both kinds may follow each other in any order. One
// Packer is one direction of one connection; not thread-safe.

#include <memory>
#include <string>
#include <string_view>

struct ZSTD_CCtx_s;

namespace porter::protocol {

class Packer {
 public:
  // continued: what was packed before makes what follows smaller, and its memory (2 MiB, above level 1 up to
  // 8) stays taken until end(). single: every frame is a stream of its own, and nothing stays taken on either
  // end.
  enum class Stream { continued, single };
  explicit Packer(Stream stream) : stream_(stream) {}
  ~Packer() { end(); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // A whole frame as it is to travel, at this level of zstd (not 0; negative ones are the fastest). Where
  // kMostHeavy others of this process work at levels above 1, this one stays at 1.
  std::string pack(std::string frame, int level);
  // The next frame begins a new stream.
  void end();

  static constexpr int kMostHeavy = 8;

 private:
  struct ContextDeleter {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  bool is_worth_it(std::string_view frame) const;
  bool begin(int level);
  bool may_be_heavy();
  std::string squeeze(std::string_view frame, bool fresh);

  Stream stream_;
  std::unique_ptr<ZSTD_CCtx_s, ContextDeleter> context_;
  int level_ = 0;  // as it was asked for
  bool heavy_ = false;
  bool in_doubt_ = false;  // the last frame hardly got smaller
};

}  // namespace porter::protocol
