#include "grin/text/chat_template.h"

#include "grin/base/error.h"

namespace grin {
namespace {

// A family is known by what its template writes around turns; the first that has all marks.
struct FamilyMarks {
  std::string_view family;
  std::string_view mark;
  std::string_view other_mark = "";
};
constexpr FamilyMarks kFamilyMarks[] = {
    {"Llama-3", "<|start_header_id|>"},
    {"Llama-4", "<|header_start|>"},
    {"Llama-2", "[INST]", "<<SYS>>"},
    {"Mistral", "[INST]"},
    {"Gemma", "<start_of_turn>"},
    {"Gemma-4", "<|turn>"},
    {"Phi-4", "<|im_start|>", "<|im_sep|>"},
    {"Qwen", "<|im_start|>", "Qwen"},
    {"Qwen", "<|im_start|>", "reasoning_content"},
    {"ChatML", "<|im_start|>"},
    {"OLMo", "<|user|>", "<|endoftext|>"},
    {"Phi-3", "<|user|>", "<|end|>"},
    {"Phi-3", "'<|' + message['role'] + '|>'", "<|end|>"},
    {"Zephyr", "<|user|>"},
    {"Granite", "<|start_of_role|>"},
    {"Command-R", "<|START_OF_TURN_TOKEN|>"},
    {"GPT-OSS", "<|start|>", "<|channel|>"},
    {"DeepSeek", "<\uff5cUser\uff5c>"},
    {"Vicuna", "USER: ", "ASSISTANT:"},
    {"Alpaca", "### Instruction:"},
};

std::string_view FamilyOf(std::string_view source) {
  for (const auto& [family, mark, other_mark] : kFamilyMarks) {
    if (source.find(mark) == source.npos || source.find(other_mark) == source.npos) continue;
    return family;
  }
  return "custom";
}

Json SpecialTokens(const Json& config) {
  Json tokens = Json::object();
  for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
    if (auto text = SpecialTokenText(config, name)) tokens[name] = std::move(*text);
  }
  return tokens;
}

// Runs `work`; an error of the template says how to do without it.
template <typename Work>
auto WithAdvice(std::string_view family, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kBadInput) throw;
    std::string_view message = error.what();
    message.remove_prefix(std::min(message.find("] ") + 2, message.size()));
    BadInput("text", "{} ({} chat template); --template FILE takes another one", message, family);
  }
}

}  // namespace

std::optional<ChatTemplate> ChatTemplate::FromFiles(const ReadSideFile& read,
                                                    const Json& tokenizer_config,
                                                    const std::string& where) {
  if (auto source = read("chat_template.jinja")) {
    return FromText(std::move(*source), tokenizer_config, where + "/chat_template.jinja");
  }
  if (auto chat = FromConfig(tokenizer_config, where + "/tokenizer_config.json")) return chat;
  Json config = tokenizer_config;
  config.update(ReadSideObject(read, "chat_template.json", where));
  return FromConfig(config, where + "/chat_template.json");
}

std::optional<ChatTemplate> ChatTemplate::FromConfig(const Json& tokenizer_config,
                                                     std::string_view where) {
  if (!tokenizer_config.is_object() || !tokenizer_config.contains("chat_template")) {
    return std::nullopt;
  }
  const Json& given = tokenizer_config["chat_template"];
  if (given.is_null()) return std::nullopt;
  const std::string name = fmt::format("{}: chat_template", where);
  if (given.is_string()) return FromText(given.get<std::string>(), tokenizer_config, name);
  if (!given.is_array()) {
    BadInput("text",
             "{} is a {}; a string or a list of named templates was expected; give one by "
             "--template FILE",
             name, given.type_name());
  }
  std::string names;
  for (const Json& entry : given) {
    const auto text = [&](const char* key) {
      return entry.is_object() ? entry.value(key, Json()) : Json();
    };
    const Json label = text("name");
    const Json source = text("template");
    if (!label.is_string() || !source.is_string()) {
      BadInput("text", "{}: an entry of the list lacks a string 'name' or 'template'", name);
    }
    if (label == "default") return FromText(source.get<std::string>(), tokenizer_config, name);
    names += (names.empty() ? "" : ", ") + label.get<std::string>();
  }
  if (names.empty()) return std::nullopt;
  BadInput("text", "{} has no template named 'default', only {}; give one by --template FILE", name,
           names);
}

ChatTemplate ChatTemplate::FromText(std::string source, const Json& tokenizer_config,
                                    std::string_view where) {
  const std::string_view family = FamilyOf(source);
  JinjaTemplate jinja =
      WithAdvice(family, [&] { return JinjaTemplate(source, std::string(where)); });
  return ChatTemplate(std::move(jinja), family, SpecialTokens(tokenizer_config));
}

void ChatTemplate::SetVariable(std::string_view name, Json value) {
  variables_[std::string(name)] = std::move(value);
}

std::string ChatTemplate::Render(std::span<const Message> messages,
                                 bool add_generation_prompt) const {
  // None, not absent, as `transformers` passes them: a template may ask for either.
  Json variables = {{"tools", nullptr}, {"documents", nullptr}};
  variables.update(variables_);
  Json& list = variables["messages"] = Json::array();
  for (const Message& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
    if (message.others.is_object()) list.back().update(message.others);
  }
  variables["add_generation_prompt"] = add_generation_prompt;
  return WithAdvice(family_, [&] { return jinja_.Render(variables, settings_); });
}

}  // namespace grin
