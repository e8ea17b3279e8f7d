#include "grin/jinja/jinja.h"

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/jinja/evaluator.h"

namespace grin {

JinjaTemplate::JinjaTemplate(std::string_view source, std::string name)
    : name_(std::move(name)), root_(jinja::Parse(LossyUtf8(source), name_)) {}

std::string JinjaTemplate::Render(const Json& variables, const JinjaSettings& settings) const {
  if (!variables.is_object()) {
    Defect("text", "{}: the variables are a {}, not an object", name_, variables.type_name());
  }
  jinja::Rendering rendering{
      .name = name_, .date = settings.date, .steps_left = settings.max_steps};
  const jinja::Value values = jinja::Value::FromJson(rendering, variables);
  return jinja::Evaluator(rendering, values).Run(*root_);
}

}  // namespace grin
