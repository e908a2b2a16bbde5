#pragma once
// What is in a folder, by the kernel's own records: without a stream that has to be made for each folder.

#include <functional>

namespace porter::base {

// An entry's name and its kind, a DT_… of dirent.h; DT_UNKNOWN where the file system does not tell.
using VisitEntry = std::function<void(const char* name, unsigned char type)>;

// Gives every entry but "." and ".." of the folder that `fd` is open on for reading, from the first on. False
// with errno when it cannot be read. Moves the descriptor's position: one thread at a time.
bool for_each_entry(int fd, const VisitEntry& visit);

}  // namespace porter::base
