#include "core/http/client.h"

#include <chrono>
#include <thread>

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/http_server.h"

using namespace porter;
using namespace porter::http;
using porter::testing::answer_with;
using porter::testing::HttpServer;
using porter::testing::Received;
using namespace std::chrono_literals;

namespace {

base::Error error_of(const Request& request, const base::CancelToken& cancel = {}) {
  try {
    (void)send(request, cancel);
  } catch (const base::Error& error) {
    return error;
  }
  FAIL("no error for " << request.url);
  return {base::Code::internal, ""};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("Form fields arrive decoded as they were given") {
  HttpServer server([](const Received&) { return answer_with("200 OK", "thanks", "X-Seen: Yes\r\n"); });
  Request request;
  request.method = Method::post;
  request.url = server.url("/add");
  request.form = {{"data", "{\"päth\": \"a&b=c+d %41\\n\"}"}, {"big", std::string(3'000'000, '+')}};
  const Response response = send(request, {});
  CHECK(response.status == 200);
  CHECK(response.ok());
  CHECK(response.body == "thanks");
  CHECK(response.header("x-seen") == "Yes");
  const Received got = server.received().at(0);
  CHECK(got.line == "POST /add HTTP/1.1");
  CHECK(got.headers.at("content-type") == "application/x-www-form-urlencoded");
  CHECK(got.form().at("data") == request.form[0].second);
  CHECK(got.form().at("big") == request.form[1].second);
}

TEST_CASE("Methods, headers, body and userinfo reach the server") {
  HttpServer server([](const Received&) { return answer_with("204 No Content", ""); });
  Request request;
  request.method = Method::put;
  request.url = "http://ann:sesame@" + server.authority() + "/x";
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  request.body = "{}";
  CHECK(send(request, {}).status == 204);
  request.method = Method::remove;
  request.body = "";
  CHECK(send(request, {}).status == 204);
  const auto got = server.received();
  CHECK(got.at(0).line == "PUT /x HTTP/1.1");
  CHECK(got.at(0).body == "{}");
  CHECK(got.at(0).headers.at("content-type") == "application/json");
  CHECK(got.at(0).headers.at("authorization") == "Basic YW5uOnNlc2FtZQ==");
  CHECK(got.at(1).line == "DELETE /x HTTP/1.1");
}

TEST_CASE("Error answers are answers") {
  HttpServer server([](const Received&) { return answer_with("500 Internal Server Error", "broken"); });
  Request request;
  request.url = server.url();
  const Response response = send(request, {});
  CHECK(response.status == 500);
  CHECK_FALSE(response.ok());
  CHECK(response.body == "broken");
}

TEST_CASE("A redirect is followed only when asked, and to allowed schemes only") {
  HttpServer server([](const Received& got) {
    if (got.line.starts_with("GET /file"))
      return answer_with("302 Found", "", "Location: file:///etc/passwd\r\n");
    if (got.line.starts_with("GET /from")) return answer_with("302 Found", "", "Location: /to\r\n");
    return answer_with("200 OK", "arrived");
  });
  Request request;
  request.url = server.url("/from");
  CHECK(send(request, {}).status == 302);
  request.max_redirects = 3;
  CHECK(send(request, {}).body == "arrived");
  request.url = server.url("/file");
  CHECK(error_of(request).code() == base::Code::bad_value);
}

TEST_CASE("A dead port is unreachable, and the message holds no userinfo") {
  Request request;
  request.url = "http://ann:sesame@127.0.0.1:" + std::to_string(porter::testing::dead_port()) + "/";
  const base::Error error = error_of(request);
  CHECK(error.code() == base::Code::unreachable);
  CHECK_THAT(error.message(), Catch::Contains("http://***@127.0.0.1"));
  CHECK_THAT(base::format_error(error), !Catch::Contains("sesame"));
}

TEST_CASE("A server that never answers costs the total time-out") {
  HttpServer server([](const Received&) { return std::nullopt; });
  Request request;
  request.url = server.url();
  request.total_timeout = 200ms;
  const auto start = std::chrono::steady_clock::now();
  CHECK(error_of(request).code() == base::Code::timeout);
  CHECK(seconds_since(start) >= 0.15);
  CHECK(seconds_since(start) < 5);
}

TEST_CASE("Cancelling ends an exchange at once") {
  const base::CancelToken cancel;
  HttpServer server([&](const Received&) -> std::optional<std::string> {
    cancel.cancel();  // the request is there: now the client only waits
    return std::nullopt;
  });
  Request request;
  request.url = server.url();
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(send(request, cancel), base::Interrupted);
  CHECK(seconds_since(start) < 10);
}

TEST_CASE("A too large answer is refused") {
  HttpServer server([](const Received&) { return answer_with("200 OK", std::string(1001, 'x')); });
  Request request;
  request.url = server.url();
  request.max_response_bytes = 1000;
  CHECK(error_of(request).code() == base::Code::refused);
  request.max_response_bytes = 1001;
  CHECK(send(request, {}).body.size() == 1001);
}

TEST_CASE("Addresses and headers that could mean something else are refused before connecting") {
  Request request;
  for (const char* url :
       {"file:///etc/passwd", "example.org", "", "gopher://h/", "http://h/a b", "http://h/\r\nX: y"}) {
    CAPTURE(url);
    request.url = url;
    CHECK(error_of(request).code() == base::Code::bad_value);
  }
  request.url = "http://127.0.0.1/";
  request.headers = {{"X", "a\r\nY: b"}};
  CHECK(error_of(request).code() == base::Code::bad_value);
}
