#include "core/protocol/messages.h"

#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/unit/protocol/samples.h"

using namespace porter;
using namespace porter::tests;

TEST_CASE("every message has the bytes it always had", "[messages]") {
  const std::filesystem::path folder = PORTER_TEST_DATA;
  for (const Sample& one : samples()) {
    CAPTURE(one.name);
    const std::filesystem::path file = folder / (one.name + ".bin");
    if (std::getenv("PORTER_REGENERATE") != nullptr) {
      base::make_folders(folder);
      base::write_file(file, one.bytes);
    }
    const std::string golden = base::read_file(file);
    CHECK(one.bytes == golden);
    CHECK(one.again(golden) == golden);
  }
}

TEST_CASE("every type of message is sampled, and has a name", "[messages]") {
  std::set<std::string> sampled;
  for (const Sample& one : samples())
    sampled.insert(one.name);
  for (int type = 0; type < 256; ++type) {
    const std::string_view name = protocol::name_of(static_cast<protocol::Type>(type));
    if (!name.empty()) CHECK(sampled.contains(std::string(name)));
  }
  CHECK(sampled.size() == samples().size());
}

TEST_CASE("half a message and one byte too many are refused", "[messages]") {
  for (const Sample& one : samples()) {
    CAPTURE(one.name);
    for (std::size_t length = 0; length < one.bytes.size(); ++length) {
      CAPTURE(length);
      CHECK_THROWS_AS(one.again(std::string_view(one.bytes).substr(0, length)), base::Error);
    }
    CHECK_THROWS_AS(one.again(one.bytes + '\0'), base::Error);
  }
}

TEST_CASE("a changed byte gives another message or an error, never a crash", "[messages]") {
  for (const Sample& one : samples()) {
    for (std::size_t at = 0; at < one.bytes.size(); ++at) {
      for (const int change : {1, 0x7F, 0x80, 0xFF}) {
        std::string bytes = one.bytes;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        try {
          const std::string again = one.again(bytes);
          CHECK(again == bytes);  // one spelling for each value
        } catch (const base::Error& error) {
          CHECK(error.code() == base::Code::protocol);
        }
      }
    }
  }
}

TEST_CASE("what the fields cannot say is checked on receipt", "[messages]") {
  using namespace protocol;
  const auto refused = [](const auto& message) {
    using Message = std::decay_t<decltype(message)>;
    CHECK_THROWS_AS(decode<Message>(encode(message)), base::Error);
  };
  refused(AskStat{"relative"});
  refused(AskStat{std::string("/a\0b", 4)});
  refused(RemovePath{""});
  refused(WriteBegin{"/x", 010000});
  refused(MakeFolder{"x", 0755});
  refused(RenamePath{"/x", "y"});
  refused(FilesToCome{true, {2, 1}, {}});
  refused(Missing{true, {1, 1}});
  refused(Run{});
  RunRequest run;
  run.arguments = {"x"};
  run.environment = {"no equals sign"};
  refused(Run{run});
  refused(SignaturePiece{1, SignaturePiece::kNoBasis, {true, "bytes"}});
  refused(SignaturePiece{1, std::uint64_t{1} << 60U, {false, "x"}});
  refused(BlockTablePiece{1, std::uint64_t{1} << 60U, {false, "x"}});
  refused(LockSite{});
}

TEST_CASE("a frame of another type is an error that names both", "[messages]") {
  try {
    protocol::expect<protocol::Done>({static_cast<std::uint8_t>(protocol::Type::looked), ""});
    FAIL("accepted");
  } catch (const base::Error& error) {
    CHECK(error.message() == "the other end said looked where done was due");
  }
}

TEST_CASE("an error survives the wire with its code, hint and trail", "[messages]") {
  base::Error error = base::Error(base::Code::locked, "locked by ada").hint("wait");
  error.add_trail("locking");
  error.add_trail("deploying");
  const base::Error back =
      protocol::to_error(protocol::decode<protocol::Failure>(protocol::encode(protocol::to_failure(error))));
  CHECK(back.code() == base::Code::locked);
  CHECK(back.message() == "locked by ada");
  CHECK(back.hint_text() == "wait");
  CHECK(back.trail() == error.trail());
  // A peer cannot choose a code that means something about this side.
  CHECK(protocol::to_error({401, "host key", "", {}}).code() == base::Code::remote);
}
