#include "core/base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "core/base/text.h"

namespace porter::base {

Error system_error(std::string_view subject, int errno_value) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT;
  Error error(full ? Code::no_space : Code::io, fmt::format("{}: {}", subject, std::strerror(errno_value)));
  return error;
}

void throw_errno(std::string_view subject) {
  throw system_error(subject, errno);
}

std::string format_error(const Error& error) {
  std::string out = fmt::format("error[P{}] ", static_cast<int>(error.code()));
  const Location& where = error.where();
  if (!where.file.empty() && where.line > 0) out += fmt::format("{}:{}: ", printable(where.file), where.line);
  if (!where.file.empty() && where.line <= 0) out += fmt::format("{}: ", printable(where.file));
  out += printable_lines(error.message());
  for (const std::string& doing : error.trail())
    out += "\n  while " + printable(doing);
  if (!error.hint_text().empty()) out += "\nhint: " + printable_lines(error.hint_text());
  return out;
}

}  // namespace porter::base
