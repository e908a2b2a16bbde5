#pragma once
// The requests that are one frame, whose answer follows at once. Those that begin a conversation are
// server.cc's own.

#include <functional>
#include <string>

#include "core/agent/command_sites.h"
#include "core/agent/server_output.h"
#include "core/base/cancel.h"
#include "core/protocol/frame.h"

namespace porter::agent {

struct Request {
  std::string place;           // the path that it is about, "" for none
  std::function<void()> work;  // does it and sends the answer, or throws the Error that is the answer
};

// The path of a message, of several the first; "" when it is about none.
template <class Message>
std::string place_of(const Message& message) {
  if constexpr (requires { message.sites.front().path; })
    return message.sites.empty() ? "" : message.sites.front().path;
  if constexpr (requires { message.request.site; }) return message.request.site;
  if constexpr (requires { message.query.site; }) return message.query.site;
  if constexpr (requires { std::string(message.site); }) return message.site;
  if constexpr (requires { std::string(message.path); }) return message.path;
  return "";
}

// What `frame` asks for. Throws Error(protocol) for a frame that is malformed or no such request. The work
// uses `sites` and `output`.
Request read_request(const protocol::Frame& frame, Sites& sites, Output& output,
                     const base::CancelToken& lost);

}  // namespace porter::agent
