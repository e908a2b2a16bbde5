#pragma once
// A small real HTTP server on 127.0.0.1 for tests: one thread, one connection at a time, each closed after
// its answer. It ends with the object.

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/fd.h"

namespace porter::testing {

struct Received {
  std::string line;                            // "POST /path HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  // The body read as application/x-www-form-urlencoded.
  std::map<std::string, std::string> form() const;
};

class HttpServer {
 public:
  // Nothing: the connection is held open, never answered, until the server ends.
  using Answer = std::function<std::optional<std::string>(const Received&)>;
  explicit HttpServer(Answer answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url(const std::string& path = "") const;  // "http://127.0.0.1:PORT" + path
  std::string authority() const;
  std::vector<Received> received() const;

 private:
  void serve();
  void serve_one(int connection);

  Answer answer_;
  base::UniqueFd listener_;
  int port_ = 0;
  base::CancelToken stop_;
  mutable std::mutex mutex_;
  std::vector<Received> received_;
  std::vector<base::UniqueFd> held_;
  std::thread thread_;
};

// A whole answer with that status line ("200 OK") and body.
std::string answer_with(const std::string& status, const std::string& body, const std::string& headers = "");
// A port of 127.0.0.1 on which nothing listens.
int dead_port();

}  // namespace porter::testing
