#include "grin/data/template_variables.h"

#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/base/space.h"

namespace grin {
namespace {

Json ParseObject(const std::string& text) {
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    BadUsage("data", "--template-variables '{}' is not a JSON object", text);
  }
  return object;
}

Json ParsePairs(const std::string& text) {
  Json object = Json::object();
  for (const std::string& part : CommaParts(text)) {
    const size_t equals = part.find('=');
    const std::string name(Trimmed(part.substr(0, equals)));
    if (equals == std::string::npos || name.empty()) {
      BadUsage("data",
               "--template-variables '{}': '{}' is not of the form NAME=VALUE; values with commas "
               "go into a JSON object: '{{\"NAME\": \"VALUE\"}}'",
               text, part);
    }
    const std::string value = part.substr(equals + 1);
    const Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
    object[name] = parsed.is_discarded() ? Json(value) : parsed;
  }
  return object;
}

}  // namespace

Json ParseTemplateVariables(const std::string& text) {
  if (text.empty()) return Json::object();
  Json variables = Trimmed(text).starts_with('{') ? ParseObject(text) : ParsePairs(text);
  for (const char* taken : {"messages", "add_generation_prompt"}) {
    if (variables.contains(taken)) {
      BadUsage("data", "--template-variables cannot set '{}': it comes from the data", taken);
    }
  }
  return variables;
}

}  // namespace grin
