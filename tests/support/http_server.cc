#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::testing {

namespace {

struct Bound {
  base::UniqueFd fd;
  int port;
};

Bound bind_loopback() {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), raw, length) != 0 || ::getsockname(fd.get(), raw, &length) != 0)
    throw std::runtime_error("no port on 127.0.0.1");
  return {std::move(fd), ntohs(address.sin_port)};
}

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void parse_head(const std::string& head, Received& into) {
  const auto lines = base::split(head, '\n');
  into.line = std::string(base::trim(lines.front()));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    if (colon == std::string::npos) continue;
    into.headers[base::lower(lines[i].substr(0, colon))] =
        base::trim(std::string_view(lines[i]).substr(colon + 1));
  }
}

}  // namespace

std::map<std::string, std::string> Received::form() const {
  std::map<std::string, std::string> out;
  for (const std::string& pair : base::split(body, '&')) {
    const std::size_t equals = pair.find('=');
    if (equals != std::string::npos) out[decode(pair.substr(0, equals))] = decode(pair.substr(equals + 1));
  }
  return out;
}

HttpServer::HttpServer(Answer answer) : answer_(std::move(answer)) {
  Bound bound = bind_loopback();
  listener_ = std::move(bound.fd);
  port_ = bound.port;
  if (::listen(listener_.get(), 16) != 0) throw std::runtime_error("cannot listen");
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  stop_.cancel();
  thread_.join();
}

std::string HttpServer::authority() const {
  return "127.0.0.1:" + std::to_string(port_);
}
std::string HttpServer::url(const std::string& path) const {
  return "http://" + authority() + path;
}

std::vector<Received> HttpServer::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

void HttpServer::serve() {
  try {
    for (;;) {
      base::wait_readable(listener_.get(), base::Deadline::never(), stop_);
      base::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) continue;
      try {
        serve_one(connection.release());
      } catch (const base::Error&) {
        // The client went away; the next one is served.
      }
    }
  } catch (const base::Interrupted&) {
    // The end of the test.
  }
}

void HttpServer::serve_one(int raw) {
  base::UniqueFd connection(raw);
  const base::Deadline deadline = base::Deadline::in(std::chrono::seconds(20));
  std::string text;
  Received request;
  std::size_t head_end = std::string::npos;
  for (std::size_t wanted = 1; head_end == std::string::npos || text.size() < wanted;) {
    std::array<std::byte, 65536> buffer{};
    base::wait_readable(connection.get(), deadline, stop_);
    const std::size_t got = base::read_some(connection.get(), buffer);
    if (got == 0) return;
    text.append(reinterpret_cast<const char*>(buffer.data()), got);
    if (head_end == std::string::npos && (head_end = text.find("\r\n\r\n")) != std::string::npos) {
      parse_head(text.substr(0, head_end), request);
      const auto length = base::parse_integer(request.headers["content-length"]).value_or(0);
      wanted = head_end + 4 + static_cast<std::size_t>(length);
    }
  }
  request.body = text.substr(head_end + 4);
  {
    const std::lock_guard lock(mutex_);
    received_.push_back(request);
  }
  const auto answer = answer_(request);
  if (answer) {
    base::write_all(connection.get(), *answer);
  } else {
    held_.push_back(std::move(connection));
  }
}

std::string answer_with(const std::string& status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n" + headers + "\r\n" + body;
}

int dead_port() {
  return bind_loopback().port;
}

}  // namespace porter::testing
