#pragma once
// Extended attributes (xattr(7)) of files and folders. Failures other than those named throw Error(io) or
// Error(no_space) "<subject>: attribute NAME: …".

#include <optional>
#include <string>
#include <vector>

namespace porter::base {

// Whose: an open file or folder, or a name in an open folder, of which no link is followed.
struct AttributesAt {
  int fd = -1;
  const char* name = "";  // "": of the descriptor itself; must live as long as this
};

// In the order of their names. None where the file system knows none.
std::vector<std::string> list_attributes(const AttributesAt& at, const std::string& subject);
// Nothing when there is none of that name. At most 64 KiB, as the kernel has it.
std::optional<std::string> read_attribute(const AttributesAt& at, const std::string& attribute,
                                          const std::string& subject);
void write_attribute(const AttributesAt& at, const std::string& attribute, const std::string& value,
                     const std::string& subject);
// One that is not there is fine.
void remove_attribute(const AttributesAt& at, const std::string& attribute, const std::string& subject);

}  // namespace porter::base
