#include "core/http/url.h"

#include "tests/support/catch.h"

using namespace porter::http;

TEST_CASE("Userinfo in addresses is hidden wherever it stands") {
  struct Row {
    const char* text;
    const char* expected;
  };
  const Row rows[] = {
      {"https://example.org/simple", "https://example.org/simple"},
      {"https://example.org:8080/a@b", "https://example.org:8080/a@b"},
      {"https://ann:sesame@example.org/simple", "https://***@example.org/simple"},
      {"https://token@example.org/", "https://***@example.org/"},
      {"https://ann:p@ss@example.org/", "https://***@example.org/"},
      {"https://ann:se/sa@me@example.org/x", "https://***@example.org/x"},
      {"https://ann:se?sa#me@example.org/x", "https://***@example.org/x"},
      {"https://ann:@example.org/", "https://***@example.org/"},
      {"ssh://git@example.org/r.git", "ssh://git@example.org/r.git"},
      {"ssh://git:sesame@example.org/r.git", "ssh://***@example.org/r.git"},
      {"git+https://ann:x@example.org/r.git@v1", "git+https://***@example.org/r.git@v1"},
      {"git://https://ann:x@example.org/r.git", "git://https://***@example.org/r.git"},
      {"two http://a:b@h/ and http://c:d@i/ end", "two http://***@h/ and http://***@i/ end"},
      {"'http://a:b@h/',\"http://c:d@i\"", "'http://***@h/',\"http://***@i\""},
      {"https://[::1]:8080/x@y", "https://[::1]:8080/x@y"},
      {"postgres://u:p@db/x", "postgres://***@db/x"},
      {"http://", "http://"},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(redact_urls(row.text) == row.expected);
  }
}

TEST_CASE("An address is safe for a terminal") {
  CHECK(redact_url("http://a:b@h/\x1b[2J") == "http://***@h/\\x1b[2J");
}

TEST_CASE("The scheme of an address is its lower-case beginning") {
  CHECK(scheme_of("HTTPS://x") == "https");
  CHECK(scheme_of("x y://z") == "");
  CHECK(scheme_of("example.org") == "");
}

TEST_CASE("Form fields are percent-encoded") {
  CHECK(encode_form({{"data", "{\"a\": \"ü&=+%\"}"}, {"b c", ""}}) ==
        "data=%7B%22a%22%3A%20%22%C3%BC%26%3D%2B%25%22%7D&b%20c=");
  CHECK(encode_form({}) == "");
}
