#include "core/base/memory.h"

#include <malloc.h>

namespace porter::base {

void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // glibc accepts no more
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

}  // namespace porter::base
