// How quickly content is told apart: SHA-256 of a small and of a large text.
#include <benchmark/benchmark.h>

#include <string>

#include "core/base/digest.h"

namespace {

using namespace porter;

void digest(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state)
    benchmark::DoNotOptimize(base::sha256(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK(digest)->Arg(500)->Arg(1 << 20);

}  // namespace
