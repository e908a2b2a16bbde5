#include "core/event/reply.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace porter::event {

using nlohmann::json;

std::string encode(const Reply& reply) {
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer == nullptr) return R"({"stop":true})";
  json object = {{"answer", answer->question}};
  if (answer->text) object["text"] = answer->text->reveal();
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Reply decode_reply(std::string_view text) {
  try {
    const json object = json::parse(text);
    if (object.contains("stop")) return Stop{};
    if (!object.at("answer").is_number_unsigned())
      throw base::Error(base::Code::protocol, "not a reply: its number is none");
    Answer answer;
    answer.question = object.at("answer").get<std::uint64_t>();
    if (object.contains("text")) answer.text = base::Secret(object.at("text").get<std::string>());
    return answer;
  } catch (const json::exception&) {
    throw base::Error(base::Code::protocol, "not a reply");  // the text may hold a secret: it is not quoted
  }
}

}  // namespace porter::event
