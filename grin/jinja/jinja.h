#pragma once
// Jinja templates, as far as chat templates use them, rendered as `transformers` does: blocks are
// trimmed (trim_blocks, lstrip_blocks), nothing is escaped, values cannot be changed in place,
// break/continue, raise_exception, strftime_now and {% generation %} are known.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "grin/base/json.h"

namespace grin {

namespace jinja {
struct Statement;
}

struct JinjaSettings {
  // The day strftime_now speaks of, at midnight. Fixed, so that a text is the same tomorrow: it is
  // the day Llama 3.1 and 3.2 fall back to where there is no strftime_now ("26 Jul 2024").
  std::chrono::year_month_day date{std::chrono::year{2024}, std::chrono::July,
                                   std::chrono::day{26}};
  // Work a rendering may take, about one step per expression or per 16 bytes of text made.
  int64_t max_steps = 10'000'000;
};

// A parsed template; immutable and safe to share between threads.
class JinjaTemplate {
 public:
  // `name` stands in front of every error ("model/tokenizer_config.json: chat_template"). Throws
  // BadInput with the line where the text is no template.
  JinjaTemplate(std::string_view source, std::string name);

  // `variables` is an object; its members are the variables the template sees. Throws BadInput
  // with the line where the template fails, calls raise_exception, or takes too many steps.
  std::string Render(const Json& variables, const JinjaSettings& settings = {}) const;

 private:
  std::string name_;
  std::shared_ptr<const jinja::Statement> root_;
};

}  // namespace grin
