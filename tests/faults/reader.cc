// fault_reader SITE: reads a live release over and over, as a server would that opens `current` once a
// request. Each round opens SITE/current as a directory and reads three marker files through that descriptor;
// all have to say the same. Ends when its input ends, and prints what it saw: "rounds N gaps N mixes N
// changes N".
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

namespace {

constexpr std::array<const char*, 3> kMarkers = {"marker", "first/marker", "last/deep/marker"};

struct Counts {
  unsigned long rounds = 0;
  unsigned long gaps = 0;     // `current`, or a file behind it, was not there
  unsigned long mixes = 0;    // the three did not agree
  unsigned long changes = 0;  // another release than in the round before
};

// The file's text; false when it is not there or cannot be read.
bool read_marker(int folder, const char* name, std::string& text) {
  std::array<char, 128> buffer;
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  if (got <= 0) return false;
  text.assign(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

void look_once(int site, std::string& last, Counts& counts) {
  ++counts.rounds;
  const int current = ::openat(site, "current", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::array<std::string, kMarkers.size()> texts;
  bool whole = current >= 0;
  for (std::size_t i = 0; whole && i < kMarkers.size(); ++i)
    whole = read_marker(current, kMarkers[i], texts[i]);
  if (current >= 0) ::close(current);
  if (!whole) {
    ++counts.gaps;
    return;
  }
  if (texts[0] != texts[1] || texts[1] != texts[2]) ++counts.mixes;
  if (texts[0] != last) ++counts.changes;
  last = texts[0];
}

bool input_ended() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, 0) != 0;
}

}  // namespace

int main(int count, char** words) {
  const int site = count == 2 ? ::open(words[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (site < 0) {
    std::fputs("usage: fault_reader SITE\n", stderr);
    return 2;
  }
  Counts counts;
  std::string last;
  while (!input_ended()) {
    for (int i = 0; i < 100; ++i)
      look_once(site, last, counts);
  }
  std::printf("rounds %lu gaps %lu mixes %lu changes %lu\n", counts.rounds, counts.gaps, counts.mixes,
              counts.changes);
  return 0;
}
