#pragma once
// Named moments in the store's work, at each of which a test may end the process to show that nothing is
// lost. Outside tests no function is set and a moment costs one load and branch.

namespace porter::agent {

using FailPoint = void (*)(const char* step);

// Set before any thread uses the store.
inline FailPoint fail_point = nullptr;

inline void reach(const char* step) {
  if (fail_point != nullptr) fail_point(step);
}

}  // namespace porter::agent
