#include "core/transport/known_hosts.h"

#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/transport/base64.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::transport;
using Verdict = KeyLookup::Verdict;

namespace {

// Any base64 will do: what is inside a key is the library's business.
const HostKey ours = make_host_key("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIOur");
const HostKey other = make_host_key("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIOth");

Verdict verdict(const std::string& text, const char* host = "web", int port = 22) {
  KnownHosts known;
  known.add(text, "known_hosts");
  return known.look_up(host, port, ours).verdict;
}

}  // namespace

TEST_CASE("base64 is decoded only when it is correct", "[base64]") {
  CHECK(from_base64("aGVsbG8=") == std::vector<std::uint8_t>{'h', 'e', 'l', 'l', 'o'});
  CHECK(to_base64(*from_base64("aGVsbG8=")) == "aGVsbG8=");
  for (const char* bad : {"", "a", "aGVsbG8", "aG=sbG8=", "aGVs bG8", "====", "aGVs\n\n\n\n", "!!!!"}) {
    INFO(bad);
    CHECK_FALSE(from_base64(bad));
  }
}

TEST_CASE("a host key is known, unknown or changed", "[known_hosts]") {
  CHECK(verdict("web ssh-ed25519 " + ours.blob) == Verdict::known);
  CHECK(verdict("a,WEB,b ssh-ed25519 " + ours.blob + " comment") == Verdict::known);
  CHECK(verdict("w* ssh-ed25519 " + ours.blob) == Verdict::known);
  CHECK(verdict("db ssh-ed25519 " + ours.blob) == Verdict::unknown);
  CHECK(verdict("*,!web ssh-ed25519 " + ours.blob) == Verdict::unknown);
  CHECK(verdict("web ssh-ed25519 " + other.blob) == Verdict::changed);
  CHECK(verdict("web ssh-ed25519 " + other.blob + "\nweb ssh-ed25519 " + ours.blob) == Verdict::known);
  CHECK(verdict("# web ssh-ed25519 " + ours.blob + "\n\nnonsense\n") == Verdict::unknown);
  CHECK(verdict("@cert-authority web ssh-ed25519 " + ours.blob) == Verdict::unknown);
}

TEST_CASE("a host beside port 22 stands in brackets with its port", "[known_hosts]") {
  CHECK(verdict("[web]:2222 ssh-ed25519 " + ours.blob, "web", 2222) == Verdict::known);
  CHECK(verdict("[web]:2222 ssh-ed25519 " + ours.blob, "web", 22) == Verdict::unknown);
  CHECK(verdict("web ssh-ed25519 " + ours.blob, "web", 2222) == Verdict::unknown);
  CHECK(verdict("[*]:2222 ssh-ed25519 " + ours.blob, "web", 2222) == Verdict::known);
}

TEST_CASE("a revoked key is revoked, whatever other lines say", "[known_hosts]") {
  const std::string good = "web ssh-ed25519 " + ours.blob + "\n";
  CHECK(verdict(good + "@revoked * ssh-ed25519 " + ours.blob) == Verdict::revoked);
  CHECK(verdict("@revoked web ssh-ed25519 " + ours.blob + "\n" + good) == Verdict::revoked);
  CHECK(verdict("@revoked web ssh-ed25519 " + other.blob + "\n" + good) == Verdict::known);
  CHECK(verdict("@revoked db ssh-ed25519 " + ours.blob + "\n" + good) == Verdict::known);
  CHECK(verdict("@revoked web ssh-ed25519 " + other.blob) == Verdict::unknown);
}

TEST_CASE("hashed names are found, revoked or not", "[known_hosts]") {
  if (::system("command -v ssh-keygen >/dev/null") != 0) {
    WARN("SKIPPED: no ssh-keygen on this machine");
    return;
  }
  const base::TemporaryFolder folder;
  const auto file = folder.path() / "known_hosts";
  base::write_file(file, "[web]:2222 ssh-ed25519 " + ours.blob + "\nplain ssh-ed25519 " + ours.blob + "\n");
  base::Command hash;
  hash.arguments = {"ssh-keygen", "-q", "-H", "-f", file.string()};
  base::run_command(hash, base::Deadline::in(std::chrono::seconds(20)), {});
  const std::string text = base::read_file(file);
  if (text.find("|1|") == std::string::npos) {
    // ssh-keygen drops lines whose key it cannot read; then this machine's cannot help here.
    FAIL("ssh-keygen hashed nothing: " << text);
  }
  CHECK(verdict(text, "web", 2222) == Verdict::known);
  CHECK(verdict(text, "plain", 22) == Verdict::known);
  CHECK(verdict(text, "web", 22) == Verdict::unknown);
  CHECK(verdict("@revoked " + text.substr(0, text.find('\n')), "web", 2222) == Verdict::revoked);
}

TEST_CASE("a trusted key is appended to a private file, and nothing else changes", "[known_hosts]") {
  const base::TemporaryFolder folder;
  const auto file = folder.path() / "ssh" / "known_hosts";
  append_known_host(file, "Web", 22, ours);
  append_known_host(file, "web", 2222, other);
  CHECK(base::read_file(file) ==
        "web ssh-ed25519 " + ours.blob + "\n[web]:2222 ssh-ed25519 " + other.blob + "\n");
  struct stat info = {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  base::write_file(file, "# no newline at the end");
  append_known_host(file, "web", 22, ours);
  CHECK(base::read_file(file) == "# no newline at the end\nweb ssh-ed25519 " + ours.blob + "\n");
}

TEST_CASE("a known_hosts file behind a link stays behind it", "[known_hosts]") {
  const base::TemporaryFolder folder;
  base::write_file(folder.path() / "real", "");
  std::filesystem::create_symlink("real", folder.path() / "link");
  append_known_host(folder.path() / "link", "web", 22, ours);
  CHECK(std::filesystem::is_symlink(folder.path() / "link"));
  CHECK_FALSE(base::read_file(folder.path() / "real").empty());
}

TEST_CASE("a device is never replaced by a known_hosts file", "[known_hosts]") {
  const base::TemporaryFolder folder;
  const auto link = folder.path() / "known_hosts";
  std::filesystem::create_symlink("/dev/null", link);
  CHECK_THROWS_AS(append_known_host(link, "web", 22, ours), base::Error);
  CHECK_THROWS_AS(append_known_host(folder.path(), "web", 22, ours), base::Error);
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK(KnownHosts::read({link}).look_up("web", 22, ours).verdict == Verdict::unknown);
}
