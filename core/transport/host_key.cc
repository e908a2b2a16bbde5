#include "core/transport/host_key.h"

#include <fmt/format.h>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/transport/base64.h"

namespace porter::transport {

HostKey make_host_key(std::string type, std::string blob) {
  const auto bytes = from_base64(blob);
  if (!bytes)
    throw base::Error(base::Code::bad_value, fmt::format("\"{}\": not a public key", base::printable(blob)));
  const base::Digest digest =
      base::sha256(std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  std::string text = to_base64(digest);
  text.erase(text.find_last_not_of('=') + 1);
  return {std::move(type), std::move(blob), "SHA256:" + text};
}

}  // namespace porter::transport
