#pragma once
// How this process uses memory.

namespace porter::base {

// Keeps freed memory for the next use instead of giving it back in between. A deploy makes and drops blocks
// of many MiB in turn (trees, their encodings), and to have each of them cleared by the kernel anew costs
// more than the work on it. Never more is kept than was in use at once. Call once, first.
void keep_freed_memory();

}  // namespace porter::base
