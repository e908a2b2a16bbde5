#pragma once
// One HTTP exchange at a time, on libcurl. Used by reporting, packages and the hub's clients. Any thread;
// calls do not share anything, and there is no global state but libcurl's own once-initialisation, so that
// plugins can hold a hidden copy. Proxies are taken from the environment (http_proxy, https_proxy, no_proxy)
// as curl does.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/http/url.h"

namespace porter::http {

enum class Method { get, head, post, put, remove };

struct Request {
  Method method = Method::get;
  std::string url;  // may hold userinfo, which is sent as basic authentication and never printed
  Fields headers;
  std::string body;  // sent as it is; name its type in `headers`
  Fields form;       // when not empty it becomes the body, application/x-www-form-urlencoded
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds total_timeout{60'000};  // name lookup to last byte
  std::size_t max_response_bytes = 16U << 20U;
  std::vector<std::string> schemes{"https", "http"};  // what `url`, and a redirect, may be
  // Redirects are answers unless this is more than 0; from https never to http.
  int max_redirects = 0;
  std::string certificate_authorities;  // a PEM file; "" means the system's
};

struct Response {
  int status = 0;
  Fields headers;  // of the last answer; names in lower case
  std::string body;

  bool ok() const { return status >= 200 && status < 300; }
  // The first header of that name (lower case), or "".
  std::string header(std::string_view name) const;
};

// Any status is a Response. Throws Error: bad_value (url, header), unreachable (name, connection, TLS),
// timeout, refused (too large, too many redirects), protocol (no HTTP); and Interrupted on cancel. Messages
// name the address without userinfo.
Response send(const Request& request, const base::CancelToken& cancel);

}  // namespace porter::http
