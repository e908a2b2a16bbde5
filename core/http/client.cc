#include "core/http/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::http {

namespace {

using base::Code;
using base::Error;

struct Freer {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, Freer>;
using List = std::unique_ptr<curl_slist, Freer>;

void initialise_once() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw Error(Code::internal, "libcurl cannot be initialised");
}

// What the callbacks write to, for the time of one exchange.
struct Receiver {
  Response response;
  std::size_t limit = 0;
  bool too_large = false;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  auto& receiver = *static_cast<Receiver*>(user);
  const std::size_t length = size * count;
  if (length > receiver.limit - receiver.response.body.size()) {
    receiver.too_large = true;
    return length + 1;  // anything but `length` ends the transfer
  }
  try {
    receiver.response.body.append(data, length);
  } catch (...) {
    return length + 1;
  }
  return length;
}

void take_header(Response& response, std::string_view line) {
  if (line.starts_with("HTTP/")) {  // a new answer: after a redirect or "100 Continue"
    response.headers.clear();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  response.headers.emplace_back(base::lower(line.substr(0, colon)), base::trim(line.substr(colon + 1)));
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  const std::size_t length = size * count;
  try {
    take_header(static_cast<Receiver*>(user)->response, {data, length});
  } catch (...) {
    return length + 1;
  }
  return length;
}

// The one place where libcurl's codes become ours.
Code code_for(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      return Code::timeout;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return Code::bad_value;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_WRITE_ERROR:
      return Code::refused;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return Code::protocol;
    case CURLE_LOGIN_DENIED:
      return Code::authentication;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
      return Code::internal;
    default:
      return Code::unreachable;
  }
}

std::string hint_for(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "is the host name in the address right?";
    case CURLE_COULDNT_CONNECT:
      return "does the server run, and on that port?";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "the server's certificate is not trusted here: add its authority to the system's certificates";
    default:
      return "";
  }
}

const char* name_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::remove:
      return "DELETE";
  }
  return "GET";
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

void check(const Request& request) {
  const std::string scheme = scheme_of(request.url);
  if (std::find(request.schemes.begin(), request.schemes.end(), scheme) == request.schemes.end())
    throw Error(Code::bad_value, fmt::format("{}: the address must begin with {}://", redact_url(request.url),
                                             base::join(request.schemes, ":// or ")));
  if (has_control(request.url) || request.url.find(' ') != std::string::npos)
    throw Error(Code::bad_value,
                fmt::format("{}: blanks in an address must be written %20", redact_url(request.url)));
  for (const auto& [name, value] : request.headers)
    if (name.empty() || has_control(name) || has_control(value))
      throw Error(Code::bad_value, fmt::format("header {}: control characters", base::printable(name)));
}

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  if (const CURLcode result = curl_easy_setopt(handle, option, value); result != CURLE_OK)
    throw Error(Code::internal,
                fmt::format("libcurl option {}: {}", static_cast<int>(option), curl_easy_strerror(result)));
}

void append(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  (void)list.release();
  list.reset(longer);
}

List header_list(const Request& request) {
  List list;
  // Without this a large body first waits up to a second for "100 Continue".
  append(list, "Expect:");
  if (!request.form.empty()) append(list, "Content-Type: application/x-www-form-urlencoded");
  for (const auto& [name, value] : request.headers)
    append(list, value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
  return list;
}

void set_method(CURL* handle, const Request& request, const std::string& body) {
  const bool sends = request.method == Method::post || request.method == Method::put || !body.empty();
  if (sends) {
    set(handle, CURLOPT_POST, 1L);
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    set(handle, CURLOPT_POSTFIELDS, body.c_str());
  }
  if (request.method == Method::head) set(handle, CURLOPT_NOBODY, 1L);
  // Naming POST here would make it stay POST after a "303 See Other".
  const bool named = request.method == Method::put || request.method == Method::remove;
  if (named) set(handle, CURLOPT_CUSTOMREQUEST, name_of(request.method));
}

void set_limits(CURL* handle, const Request& request) {
  // Signals belong to the program; time-outs of name lookups come from libcurl's resolver thread, and
  // QUICK_EXIT keeps a clean-up from waiting for a lookup that was given up.
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_QUICK_EXIT, 1L);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
  const std::string schemes = base::join(request.schemes, ",");
  set(handle, CURLOPT_PROTOCOLS_STR, schemes.c_str());
  set(handle, CURLOPT_FOLLOWLOCATION, request.max_redirects > 0 ? 1L : 0L);
  set(handle, CURLOPT_MAXREDIRS, static_cast<long>(request.max_redirects));
  const std::string onward = scheme_of(request.url) == "https" ? "https" : schemes;
  set(handle, CURLOPT_REDIR_PROTOCOLS_STR, onward.c_str());
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!request.certificate_authorities.empty())
    set(handle, CURLOPT_CAINFO, request.certificate_authorities.c_str());
}

// Runs the handle to its end. A multi handle, because its wait also wakes up on the cancel descriptor.
CURLcode perform(CURL* handle, base::Deadline deadline, const base::CancelToken& cancel) {
  struct Multi {
    CURLM* multi = curl_multi_init();
    CURL* easy = nullptr;
    ~Multi() {
      if (easy != nullptr) curl_multi_remove_handle(multi, easy);
      curl_multi_cleanup(multi);
    }
  } scope;
  if (scope.multi == nullptr || curl_multi_add_handle(scope.multi, handle) != CURLM_OK)
    return CURLE_FAILED_INIT;
  scope.easy = handle;
  constexpr int kLongestWait = 1000;  // milliseconds; curl wakes earlier for its own timers
  for (int running = 1; running > 0;) {
    cancel.check();
    if (curl_multi_perform(scope.multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (running == 0) break;
    if (deadline.passed()) return CURLE_OPERATION_TIMEDOUT;
    curl_waitfd extra{cancel.descriptor(), CURL_WAIT_POLLIN, 0};
    const int wait = std::min(kLongestWait, std::max(0, deadline.poll_timeout()));
    curl_multi_poll(scope.multi, &extra, 1, wait, nullptr);
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(scope.multi, &left);
  return message == nullptr ? CURLE_FAILED_INIT : message->data.result;
}

[[noreturn]] void fail(const Request& request, CURLcode result, const Receiver& receiver,
                       const char* explanation) {
  std::string reason = *explanation != '\0' ? explanation : curl_easy_strerror(result);
  if (receiver.too_large)
    reason = fmt::format("the answer is larger than {}", base::format_bytes(receiver.limit));
  if (result == CURLE_OPERATION_TIMEDOUT)
    reason = fmt::format("no answer within {}",
                         base::format_seconds(static_cast<double>(request.total_timeout.count()) / 1000));
  throw Error(code_for(result), fmt::format("{} {}: {}", name_of(request.method), redact_url(request.url),
                                            base::printable(redact_urls(reason))))
      .hint(hint_for(result));
}

}  // namespace

std::string Response::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return "";
}

Response send(const Request& request, const base::CancelToken& cancel) {
  check(request);
  initialise_once();
  const base::Deadline deadline = base::Deadline::in(request.total_timeout);
  const std::string body = request.form.empty() ? request.body : encode_form(request.form);
  const List headers = header_list(request);
  Receiver receiver;
  receiver.limit = request.max_response_bytes;
  std::array<char, CURL_ERROR_SIZE> explanation{};

  const Handle handle(curl_easy_init());
  if (!handle) throw Error(Code::internal, "libcurl has no handle left");
  set(handle.get(), CURLOPT_ERRORBUFFER, explanation.data());
  set(handle.get(), CURLOPT_URL, request.url.c_str());
  set(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  set(handle.get(), CURLOPT_USERAGENT, "porter-admin");
  set(handle.get(), CURLOPT_WRITEFUNCTION, &on_body);
  set(handle.get(), CURLOPT_WRITEDATA, static_cast<void*>(&receiver));
  set(handle.get(), CURLOPT_HEADERFUNCTION, &on_header);
  set(handle.get(), CURLOPT_HEADERDATA, static_cast<void*>(&receiver));
  set_limits(handle.get(), request);
  set_method(handle.get(), request, body);

  const CURLcode result = perform(handle.get(), deadline, cancel);
  if (result != CURLE_OK) fail(request, result, receiver, explanation.data());
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  receiver.response.status = static_cast<int>(status);
  return std::move(receiver.response);
}

}  // namespace porter::http
