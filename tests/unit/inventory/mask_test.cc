#include "core/inventory/mask.h"

#include "tests/support/catch.h"

using namespace porter::inventory;

TEST_CASE("Keys that hold secrets are known by their name") {
  for (const char* key : {"password",   "db_passwd",   "DB-PASSWORD",      "secret",     "SECRET_KEY",
                          "auth.token", "credentials", "api_key",          "api-key",    "apikey",
                          "X.Api.Key",  "private-key", "private_key_file", "passphrase", "aws_access_key",
                          "DB_PASS",    "pwd",         "smtp-pw",          "SALT",       "session.cookie",
                          "pass"}) {
    CAPTURE(key);
    CHECK(is_secret_key(key));
  }
  for (const char* key : {"path", "user", "keep_releases", "monkey", "public_key", "send-data-url", "compass",
                          "basalt", "pwned", ""}) {
    CAPTURE(key);
    CHECK_FALSE(is_secret_key(key));
  }
}

TEST_CASE("Secret-looking text is masked by its shape") {
  struct Row {
    std::string text;
    std::string expected;
  };
  const std::string tail(36, 'A');
  const Row rows[] = {
      {"", ""},
      {"/srv/apps/root", "/srv/apps/root"},
      {"https://pypi-mirror.example.org/a/long/enough/path/simple/",
       "https://pypi-mirror.example.org/a/long/enough/path/simple/"},
      {"https://ann:sesame@pypi.example.org/simple", "https://***@pypi.example.org/simple"},
      {"-i https://__token__:pypi-x@h/simple --pre", "-i https://***@h/simple --pre"},
      {"ghp_" + tail, "***"},
      {"key ghp_" + tail + ", glpat-" + tail + ".", "key ***, ***"},
      {"ghp_short", "ghp_short"},
      {"AKIAIOSFODNN7EXAMPLE", "***"},
      {"notAKIAIOSFODNN7EXAMPLE", "notAKIAIOSFODNN7EXAMPLE"},
      {"pypi-AgEIcHlwaS5vcmc" + tail, "***"},
      {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl", "***"},
      {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "***\nafter"},
      {"before -----BEGIN PRIVATE KEY-----\nMIIE", "before ***"},
      {"Authorization: Bearer abc.def", "Authorization: Bearer ***"},
      {"host=db password=sesame user=x", "host=db password=*** user=x"},
      {"dsn: db_password = 'open se same' x", "dsn: db_password = *** x"},
      {"{\"api_key\": \"abc\", \"n\": 1}", "{\"api_key\": ***, \"n\": 1}"},
      {"https://h/x?token=abc&page=2", "https://h/x?token=***&page=2"},
      {"tool --password sesame --user x", "tool --password *** --user x"},
      {"no password here", "no password here"},
      {"password=", "password="},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(mask_text(row.text) == row.expected);
  }
}

TEST_CASE("Settings are masked by key and by shape, and empty values stay empty") {
  CHECK(mask_settings({{"password", "x"}, {"token", ""}, {"url", "http://a:b@h/"}, {"path", "/srv"}}) ==
        std::map<std::string, std::string>{
            {"password", "***"}, {"token", ""}, {"url", "http://***@h/"}, {"path", "/srv"}});
}
