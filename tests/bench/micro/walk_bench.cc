// How quickly a source is read: every file hashed, and every file known from before.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/error.h"
#include "core/sync/walk.h"

namespace {

using namespace porter;
namespace fs = std::filesystem;

constexpr int kFolders = 200, kFilesEach = 100;

// 20,000 small files, made once and gone with the program.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "porter-microbench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) base::throw_errno(name);
    path_ = name;
    for (int i = 0; i < kFolders; ++i)
      fill(path_ / ("folder" + std::to_string(i)), i);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  static std::string path() {
    static const Folder folder;
    return folder.path_.string();
  }

 private:
  static void fill(const fs::path& folder, int seed) {
    fs::create_directory(folder);
    for (int i = 0; i < kFilesEach; ++i) {
      std::ofstream(folder / ("file" + std::to_string(i)))
          << std::string(static_cast<std::size_t>(20 + (seed * i) % 980), 'x');
    }
  }

  fs::path path_;
};

sync::WalkOptions options(const sync::Tree* known) {
  sync::WalkOptions options;
  options.identity = sync::Identity::with_mtime;
  options.stamps = sync::Stamps::yes;
  options.known = known;
  return options;
}

void walk_with(benchmark::State& state, const sync::Tree* known) {
  const std::string path = Folder::path();
  for (auto _ : state) {
    sync::Tree tree = sync::walk_folder(path, options(known));
    benchmark::DoNotOptimize(tree);
  }
  state.SetItemsProcessed(state.iterations() * kFolders * kFilesEach);
}

void walk_hashing(benchmark::State& state) {
  walk_with(state, nullptr);
}

void walk_known(benchmark::State& state) {
  const sync::Tree known = sync::walk_folder(Folder::path(), options(nullptr));
  walk_with(state, &known);
}

BENCHMARK(walk_hashing)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(walk_known)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
