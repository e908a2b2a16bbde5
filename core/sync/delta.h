#pragma once
// Deltas of large files, or of what blocks (block_match.h) leave of them, by librsync, streaming: memory
// stays bounded whatever the size. The target makes a signature of its old file (SignatureJob), the
// operator's side loads it (SignatureLoader) and makes a delta of the new file (DeltaJob), the target patches
// (PatchJob). All signatures are RabinKarp + BLAKE2.
//
// librsync cannot tell that a basis is the wrong one, and strong sums are cut short: callers check the
// digest of what came out, and send the whole file when it is another. Each job is used by one thread at a
// time; descriptors stay the caller's and are read with pread(2), so their position does not matter.
//
// Errors: Error(protocol) for what a peer sent (junk, cut short, copies beyond the basis, more than
// announced), Error(io) for our own files, also when one became shorter meanwhile. The first error ends a
// job.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/sync/file_ranges.h"

namespace porter::sync {

// Takes the next bytes of a job's output; what it throws passes through the job.
using Output = std::function<void(std::string_view)>;

struct SignatureShape {
  std::uint32_t block = 0;   // bytes
  std::uint32_t strong = 0;  // bytes of BLAKE2 kept for each block
  friend bool operator==(const SignatureShape&, const SignatureShape&) = default;
};

// The rule. Blocks are about the square root of the size (signature and the cost of one changed byte then
// grow alike), a multiple of 256, from 1 KiB to 1 MiB. Strong sums keep log2(size) + log2(blocks) + 24 bits,
// in bytes, from 8 to 12: among all pairs of a window and a block a false match is then one in 2^24, not
// counting the weak sum's 32 bits; a false match costs a resend, not a wrong file.
SignatureShape signature_shape(std::uint64_t basis_size);
// How long the signature of a file is: 12 bytes, then 4 + strong for each block begun.
std::uint64_t signature_size(std::uint64_t basis_size, SignatureShape shape);

class RsyncJob;

class SignatureJob {
 public:
  explicit SignatureJob(FileRanges basis);
  ~SignatureJob();
  // Works on about 256 KiB of input; false once all is done.
  bool step(const Output& output);
  void run(const Output& output);

 private:
  std::unique_ptr<RsyncJob> job_;
};

// A loaded signature. Used by one DeltaJob at a time.
class Signature {
 public:
  Signature(Signature&&) noexcept;
  Signature& operator=(Signature&&) noexcept;
  ~Signature();
  // Of its bytes as they came.
  const base::Digest& digest() const;

 private:
  friend class SignatureLoader;
  friend class DeltaJob;
  struct State;
  explicit Signature(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Loads a signature from a peer. Accepted is only what SignatureJob writes for a file of that size, to the
// byte; memory is bounded by that. Many blocks with one weak sum and different strong ones, which would make
// searching quadratic, are refused.
class SignatureLoader {
 public:
  explicit SignatureLoader(std::uint64_t basis_size);
  void feed(std::string_view bytes);
  Signature finish();

 private:
  SignatureShape shape_;
  std::uint64_t expected_;
  std::string bytes_;
};

class DeltaJob {
 public:
  // The signature must outlive the job.
  DeltaJob(const Signature& signature, FileRanges wanted);
  ~DeltaJob();
  bool step(const Output& output);
  void run(const Output& output);

 private:
  std::unique_ptr<RsyncJob> job_;
};

class PatchJob {
 public:
  // `new_size` is what was announced; output beyond it is an error before any of it is handed on.
  PatchJob(FileRanges basis, std::uint64_t new_size, Output output);
  ~PatchJob();
  PatchJob(const PatchJob&) = delete;
  PatchJob& operator=(const PatchJob&) = delete;
  void feed(std::string_view delta);
  // Throws unless the delta is complete and gave exactly the announced size.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The one place where librsync's results become errors. `result` is an rs_result.
base::Error rsync_error(int result, std::string_view subject);

}  // namespace porter::sync
