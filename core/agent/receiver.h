#pragma once
// Where the bytes of one file that the other end writes go. Without finish() nothing comes of them.

#include <string_view>

namespace porter::agent {

class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void write(std::string_view bytes) = 0;
  virtual void finish() = 0;
};

}  // namespace porter::agent
