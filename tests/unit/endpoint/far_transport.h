#pragma once
// A local agent that seems to be far away.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/transport/local_transport.h"
#include "core/transport/transport.h"

namespace porter::tests {

class LongLine : public transport::Line {
 public:
  transport::LineState state() const override { return {std::chrono::milliseconds(100), 0}; }
};

class FarTransport : public transport::Transport {
 public:
  transport::Process start(const std::vector<std::string>& arguments) override {
    transport::Process process = local_->start(arguments);
    process.line = std::make_shared<LongLine>();
    return process;
  }
  std::string describe() const override { return "far"; }
  transport::TrafficCount traffic() const override { return {}; }

 private:
  std::unique_ptr<transport::Transport> local_ = transport::make_local_transport("x");
};

}  // namespace porter::tests
