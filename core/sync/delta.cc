#include "core/sync/delta.h"

#include <fmt/format.h>
#include <librsync.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "core/base/bytes.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kInputBytes = 256U << 10U;
constexpr std::size_t kOutputBytes = 64U << 10U;
constexpr std::uint32_t kLeastBlock = 1U << 10U;
constexpr std::uint32_t kMostBlock = 1U << 20U;
constexpr std::uint64_t kSignatureHead = 12;  // magic, block length, strong length
constexpr std::uint64_t kWeakBytes = 4;
constexpr std::uint64_t kMostSignature = 1U << 30U;  // some 60 TiB of file
constexpr std::size_t kMostPerWeakSum = 1024;

struct JobDeleter {
  void operator()(rs_job_t* job) const { rs_job_free(job); }
};
using JobPointer = std::unique_ptr<rs_job_t, JobDeleter>;

struct SignatureDeleter {
  void operator()(rs_signature_t* signature) const { rs_free_sumset(signature); }
};
using SignaturePointer = std::unique_ptr<rs_signature_t, SignatureDeleter>;

// librsync talks to stderr by itself; what matters comes back as a result.
void hush() {
  static std::once_flag once;
  std::call_once(once, [] { rs_trace_to([](rs_loglevel, const char*) {}); });
}

JobPointer own(rs_job_t* job, std::string_view subject) {
  if (job == nullptr) throw rsync_error(RS_MEM_ERROR, subject);
  return JobPointer(job);
}

std::uint64_t blocks_of(std::uint64_t size, std::uint32_t block) {
  return size / block + (size % block != 0 ? 1 : 0);
}

// The whole part of the square root.
std::uint64_t square_root(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = 1ULL << 31U; bit > 0; bit >>= 1U)
    if ((root + bit) * (root + bit) <= value) root += bit;
  return root;
}

// Runs the job on what `buffers` holds until it wants more input. True when it is done.
bool crank(rs_job_t* job, rs_buffers_t& buffers, std::vector<char>& space, const Output& output,
           const char* subject) {
  for (;;) {
    buffers.next_out = space.data();
    buffers.avail_out = space.size();
    const std::size_t input_before = buffers.avail_in;
    const rs_result result = rs_job_iter(job, &buffers);
    const std::size_t produced = space.size() - buffers.avail_out;
    if (produced > 0) output({space.data(), produced});
    if (result == RS_DONE) return true;
    if (result != RS_BLOCKED) throw rsync_error(result, subject);
    if (buffers.avail_in == 0 && buffers.avail_out > 0 && buffers.eof_in == 0) return false;
    if (produced == 0 && buffers.avail_in == input_before)
      throw rsync_error(buffers.eof_in != 0 ? RS_INPUT_ENDED : RS_INTERNAL_ERROR, subject);
  }
}

}  // namespace

Error rsync_error(int result, std::string_view subject) {
  const auto code = static_cast<rs_result>(result);
  const std::string message = fmt::format("{}: {}", subject, rs_strerror(code));
  switch (code) {
    case RS_IO_ERROR:
      return {Code::io, message};
    case RS_SYNTAX_ERROR:
    case RS_INPUT_ENDED:
    case RS_BAD_MAGIC:
    case RS_UNIMPLEMENTED:
    case RS_CORRUPT:
      return {Code::protocol, message};
    default:
      return {Code::internal, message};
  }
}

SignatureShape signature_shape(std::uint64_t basis_size) {
  const std::uint64_t root = (square_root(basis_size) + 255) / 256 * 256;
  SignatureShape shape;
  shape.block = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(root, kLeastBlock, kMostBlock));
  const auto bits = static_cast<std::uint32_t>(std::bit_width(basis_size) +
                                               std::bit_width(blocks_of(basis_size, shape.block)) + 24);
  shape.strong = std::clamp((bits + 7) / 8, 8U, 12U);
  return shape;
}

std::uint64_t signature_size(std::uint64_t basis_size, SignatureShape shape) {
  return kSignatureHead + blocks_of(basis_size, shape.block) * (kWeakBytes + shape.strong);
}

// A job that reads one of our own files.
class RsyncJob {
 public:
  RsyncJob(JobPointer job, FileRanges file, const char* subject)
      : job_(std::move(job)),
        file_(std::move(file)),
        subject_(subject),
        input_(kInputBytes),
        space_(kOutputBytes) {}

  bool step(const Output& output) {
    if (ended_) return false;
    ended_ = true;  // also when something is thrown
    refill();
    ended_ = crank(job_.get(), buffers_, space_, output, subject_);
    return !ended_;
  }

  void run(const Output& output) {
    while (step(output)) {
    }
  }

 private:
  void refill() {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(input_.size(), file_.size() - position_));
    const std::span into = std::span(input_).first(wanted);
    const std::size_t got = file_.read(std::as_writable_bytes(into), position_, subject_);
    if (got < wanted)
      throw Error(Code::io,
                  fmt::format("{}: the file became shorter than its {} bytes", subject_, file_.size()));
    position_ += got;
    buffers_.next_in = input_.data();
    buffers_.avail_in = got;
    buffers_.eof_in = position_ == file_.size() ? 1 : 0;
  }

  JobPointer job_;
  FileRanges file_;
  const char* subject_;
  std::uint64_t position_ = 0;
  bool ended_ = false;
  std::vector<char> input_;
  std::vector<char> space_;
  rs_buffers_t buffers_{};
};

SignatureJob::SignatureJob(FileRanges basis) {
  hush();
  const SignatureShape shape = signature_shape(basis.size());
  job_ = std::make_unique<RsyncJob>(
      own(rs_sig_begin(shape.block, shape.strong, RS_RK_BLAKE2_SIG_MAGIC), "signature"), std::move(basis),
      "signature");
}
SignatureJob::~SignatureJob() = default;
bool SignatureJob::step(const Output& output) {
  return job_->step(output);
}
void SignatureJob::run(const Output& output) {
  job_->run(output);
}

struct Signature::State {
  SignaturePointer signature;
  base::Digest digest{};
};
Signature::Signature(std::unique_ptr<State> state) : state_(std::move(state)) {}
Signature::Signature(Signature&&) noexcept = default;
Signature& Signature::operator=(Signature&&) noexcept = default;
Signature::~Signature() = default;
const base::Digest& Signature::digest() const {
  return state_->digest;
}

SignatureLoader::SignatureLoader(std::uint64_t basis_size)
    : shape_(signature_shape(basis_size)), expected_(signature_size(basis_size, shape_)) {
  if (expected_ > kMostSignature)
    throw Error(Code::protocol,
                fmt::format("signature: a file of {} bytes is beyond what deltas are made for", basis_size));
}

void SignatureLoader::feed(std::string_view bytes) {
  if (bytes.size() > expected_ - bytes_.size())
    throw Error(Code::protocol,
                fmt::format("signature: longer than the {} bytes that the file's size allows", expected_));
  bytes_.append(bytes);
}

namespace {

void check_head(std::string_view bytes, SignatureShape shape) {
  base::ByteReader reader(bytes, "signature");
  if (reader.u32() != RS_RK_BLAKE2_SIG_MAGIC) throw reader.error("not of the kind that is used here");
  const std::uint32_t block = reader.u32();
  const std::uint32_t strong = reader.u32();
  if (block != shape.block || strong != shape.strong)
    throw reader.error(fmt::format("blocks of {} bytes with {} bytes of sum, where {} and {} are the rule",
                                   block, strong, shape.block, shape.strong));
}

void check_collisions(std::string_view blocks, std::size_t width) {
  std::vector<std::string_view> sums;
  sums.reserve(blocks.size() / width);
  for (std::size_t at = 0; at + width <= blocks.size(); at += width)
    sums.push_back(blocks.substr(at, width));
  std::sort(sums.begin(), sums.end());
  sums.erase(std::unique(sums.begin(), sums.end()), sums.end());
  std::size_t run = 0;
  for (std::size_t i = 1; i < sums.size(); ++i) {
    run = sums[i].substr(0, kWeakBytes) == sums[i - 1].substr(0, kWeakBytes) ? run + 1 : 0;
    if (run >= kMostPerWeakSum) throw Error(Code::protocol, "signature: too many blocks with one weak sum");
  }
}

}  // namespace

Signature SignatureLoader::finish() {
  hush();
  check_head(bytes_, shape_);
  if (bytes_.size() != expected_)
    throw Error(Code::protocol,
                fmt::format("signature: {} bytes, the file's size asks for {}", bytes_.size(), expected_));
  check_collisions(std::string_view(bytes_).substr(kSignatureHead), kWeakBytes + shape_.strong);
  rs_signature_t* loaded = nullptr;
  const JobPointer job = own(rs_loadsig_begin(&loaded), "signature");
  rs_buffers_t buffers{};
  buffers.next_in = bytes_.data();
  buffers.avail_in = bytes_.size();
  buffers.eof_in = 1;
  const rs_result result = rs_job_iter(job.get(), &buffers);
  auto state = std::make_unique<Signature::State>();
  state->signature.reset(loaded);
  if (result != RS_DONE) throw rsync_error(result, "signature");
  if (const rs_result built = rs_build_hash_table(loaded); built != RS_DONE)
    throw rsync_error(built, "signature");
  state->digest = base::sha256(std::exchange(bytes_, {}));
  return Signature(std::move(state));
}

DeltaJob::DeltaJob(const Signature& signature, FileRanges wanted) {
  job_ = std::make_unique<RsyncJob>(own(rs_delta_begin(signature.state_->signature.get()), "delta"),
                                    std::move(wanted), "delta");
}
DeltaJob::~DeltaJob() = default;
bool DeltaJob::step(const Output& output) {
  return job_->step(output);
}
void DeltaJob::run(const Output& output) {
  job_->run(output);
}

struct PatchJob::State {
  explicit State(FileRanges ranges) : basis(std::move(ranges)) {}

  JobPointer job;
  FileRanges basis;
  std::uint64_t new_size = 0;
  std::uint64_t written = 0;
  Output output;
  std::exception_ptr failure;  // of copy(), which C code calls
  bool ended = false;
  bool done = false;
  std::vector<char> space = std::vector<char>(kOutputBytes);
  rs_buffers_t buffers{};

  void work();
  void emit(std::string_view bytes);
  void read_basis(rs_long_t position, std::size_t length, char* into) const;
  static rs_result copy(void* opaque, rs_long_t position, std::size_t* length, void** buffer);
};

void PatchJob::State::emit(std::string_view bytes) {
  if (bytes.size() > new_size - written)
    throw Error(Code::protocol,
                fmt::format("patch: the delta makes more than the {} bytes announced", new_size));
  written += bytes.size();
  output(bytes);
}

void PatchJob::State::read_basis(rs_long_t position, std::size_t length, char* into) const {
  const auto from = static_cast<std::uint64_t>(position);
  if (position < 0 || length == 0 || from > basis.size() || length > basis.size() - from)
    throw Error(Code::protocol, fmt::format("patch: the delta copies {} bytes at {} of a basis of {} bytes",
                                            length, position, basis.size()));
  if (basis.read(std::as_writable_bytes(std::span(into, length)), from, "patch") < length)
    throw Error(Code::io, fmt::format("patch: the basis became shorter than its {} bytes", basis.size()));
}

// Called by librsync: no exception may leave. It must never give RS_DONE with nothing, which would make
// librsync ask for ever.
rs_result PatchJob::State::copy(void* opaque, rs_long_t position, std::size_t* length, void** buffer) {
  auto& state = *static_cast<State*>(opaque);
  try {
    state.read_basis(position, *length, static_cast<char*>(*buffer));
    return RS_DONE;
  } catch (...) {
    state.failure = std::current_exception();
    return RS_INPUT_ENDED;
  }
}

void PatchJob::State::work() {
  if (ended) throw Error(Code::internal, "patch: used after it failed");
  ended = true;
  try {
    done = crank(
        job.get(), buffers, space, [this](std::string_view bytes) { emit(bytes); }, "patch");
  } catch (const Error&) {
    if (failure != nullptr) std::rethrow_exception(failure);
    throw;
  }
  ended = false;
}

PatchJob::PatchJob(FileRanges basis, std::uint64_t new_size, Output output)
    : state_(std::make_unique<State>(std::move(basis))) {
  hush();
  state_->new_size = new_size;
  state_->output = std::move(output);
  state_->job = own(rs_patch_begin(&State::copy, state_.get()), "patch");
}
PatchJob::~PatchJob() = default;

void PatchJob::feed(std::string_view delta) {
  if (delta.empty()) return;
  if (state_->done) throw Error(Code::protocol, "patch: bytes after the delta's end");
  // librsync does not write to its input, though its type says so.
  state_->buffers.next_in = const_cast<char*>(delta.data());
  state_->buffers.avail_in = delta.size();
  state_->work();
  if (state_->buffers.avail_in > 0) throw Error(Code::protocol, "patch: bytes after the delta's end");
}

void PatchJob::finish() {
  state_->buffers.avail_in = 0;
  state_->buffers.eof_in = 1;
  if (!state_->done) state_->work();
  if (state_->written != state_->new_size)
    throw Error(Code::protocol, fmt::format("patch: the delta made {} bytes, {} were announced",
                                            state_->written, state_->new_size));
}

}  // namespace porter::sync
