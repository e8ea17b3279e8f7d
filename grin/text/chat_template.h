#pragma once
// Chat templates: how a model's makers turn messages into one text, as its tokenizer_config.json
// says, with the same result as `apply_chat_template(tokenize=False)` of `transformers`.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "grin/base/json.h"
#include "grin/jinja/jinja.h"
#include "grin/text/tokenizer_settings.h"

namespace grin {

struct Message {
  std::string role;  // "system", "user", "assistant", or what else the template knows
  std::string content;
  Json others = nullptr;  // its further fields, an object: "tool_calls", "name", ...
};

// Immutable after its setters; Render is safe from several threads.
class ChatTemplate {
 public:
  // From "chat_template" of a tokenizer_config.json: a string, or a list of {name, template}, of
  // which "default" is taken. nullopt where there is none. `where` names the file in errors;
  // throws BadInput where the template cannot be parsed.
  static std::optional<ChatTemplate> FromConfig(const Json& tokenizer_config,
                                                std::string_view where);

  // From the files beside a model: chat_template.jinja, else "chat_template" of its
  // tokenizer_config.json (given), else that of chat_template.json. nullopt where there is none.
  // `where` names their directory.
  static std::optional<ChatTemplate> FromFiles(const ReadSideFile& read,
                                               const Json& tokenizer_config,
                                               const std::string& where);

  // From the text of a chat_template.jinja. The special tokens (bos_token, eos_token, ...; strings
  // or objects with "content") come from the tokenizer_config, which may be an empty object.
  static ChatTemplate FromText(std::string source, const Json& tokenizer_config,
                               std::string_view where);

  // The text of a conversation; with `add_generation_prompt` it ends where the assistant's next
  // turn begins. Throws BadInput where the template refuses the messages (roles that do not
  // alternate, say).
  std::string Render(std::span<const Message> messages, bool add_generation_prompt) const;

  // A variable for the template besides messages, add_generation_prompt and the special tokens:
  // "date_string", "enable_thinking", "tools", ...
  void SetVariable(std::string_view name, Json value);

  // The day for templates that write today's date. Unless set it is 26 July 2024, always, so that
  // results reproduce: the day Llama 3.1 and 3.2 fall back to.
  void SetDate(std::chrono::year_month_day date) { settings_.date = date; }

  // "ChatML", "Llama-2", "Llama-3", "Zephyr", "Mistral", "Qwen", "Gemma", "Phi-3", ..., or
  // "custom".
  std::string_view family() const { return family_; }

 private:
  ChatTemplate(JinjaTemplate jinja, std::string_view family, Json variables)
      : jinja_(std::move(jinja)), family_(family), variables_(std::move(variables)) {}

  JinjaTemplate jinja_;
  std::string_view family_;  // of a table
  Json variables_;
  JinjaSettings settings_;
};

}  // namespace grin
