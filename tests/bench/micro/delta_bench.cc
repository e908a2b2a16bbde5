// How quickly a large file's change is found and applied: signature, delta and patch of 32 MiB with an edit
// in the middle.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <string>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/sync/delta.h"

namespace {

using namespace porter;

constexpr std::size_t kSize = 32 << 20;

base::UniqueFd in_memory(const std::string& content) {
  base::UniqueFd fd(::memfd_create("microbench", MFD_CLOEXEC));
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t count = ::write(fd.get(), content.data() + done, content.size() - done);
    if (count < 0) base::throw_errno("memfd");
    done += static_cast<std::size_t>(count);
  }
  return fd;
}

// What both ends have: the old file, the new one, and what travels between them.
struct Files {
  Files() {
    std::mt19937_64 numbers(1);
    std::string content(kSize, '\0');
    for (char& each : content)
      each = static_cast<char>(numbers());
    old = in_memory(content);
    for (std::size_t i = 0; i < 1000; ++i)
      content[kSize / 2 + i] = static_cast<char>(numbers());
    changed = in_memory(content);
    sync::SignatureJob({old.get(), kSize}).run([this](std::string_view bytes) { signature += bytes; });
    sync::DeltaJob(load(), {changed.get(), kSize}).run([this](std::string_view bytes) { delta += bytes; });
  }
  const sync::Signature& load() {
    sync::SignatureLoader loader(kSize);
    loader.feed(signature);
    loaded.emplace(loader.finish());
    return *loaded;
  }
  static Files& get() {
    static Files files;
    return files;
  }

  base::UniqueFd old, changed;
  std::string signature, delta;
  std::optional<sync::Signature> loaded;
};

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kSize));
}

void delta_signature(benchmark::State& state) {
  Files& files = Files::get();
  for (auto _ : state)
    sync::SignatureJob({files.old.get(), kSize}).run([](std::string_view bytes) {
      benchmark::DoNotOptimize(bytes);
    });
  count_bytes(state);
}

void delta_search(benchmark::State& state) {
  Files& files = Files::get();
  for (auto _ : state)
    sync::DeltaJob(*files.loaded, {files.changed.get(), kSize}).run([](std::string_view bytes) {
      benchmark::DoNotOptimize(bytes);
    });
  count_bytes(state);
}

void delta_patch(benchmark::State& state) {
  Files& files = Files::get();
  for (auto _ : state) {
    sync::PatchJob job({files.old.get(), kSize}, kSize,
                       [](std::string_view bytes) { benchmark::DoNotOptimize(bytes); });
    job.feed(files.delta);
    job.finish();
  }
  count_bytes(state);
}

BENCHMARK(delta_signature)->Unit(benchmark::kMillisecond);
BENCHMARK(delta_search)->Unit(benchmark::kMillisecond);
BENCHMARK(delta_patch)->Unit(benchmark::kMillisecond);

}  // namespace
