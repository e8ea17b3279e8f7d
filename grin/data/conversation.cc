#include "grin/data/conversation.h"

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/space.h"

namespace grin {
namespace {

struct RoleName {
  std::string_view name, role;
};

constexpr RoleName kOtherNames[] = {
    {"human", "user"},      {"prompter", "user"},      {"gpt", "assistant"}, {"bot", "assistant"},
    {"model", "assistant"}, {"chatgpt", "assistant"},  {"user", "user"},     {"system", "system"},
    {"tool", "tool"},       {"assistant", "assistant"}};

// In small letters where the name is known; templates leave out turns of a "User" without a word.
std::string RoleOf(const std::string& name) {
  std::string small = name;
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto found = std::ranges::find(kOtherNames, small, &RoleName::name);
  return found == std::end(kOtherNames) ? name : std::string(found->role);
}

// A field under one of its two names.
const Json* Field(const Json& message, const char* name, const char* other) {
  for (const char* key : {name, other}) {
    if (const auto found = message.find(key); found != message.end()) return &*found;
  }
  return nullptr;
}

std::string ContentOf(const Json* content, std::string_view where, size_t number) {
  if (!content || content->is_null()) return {};  // a call of a tool has no text
  if (content->is_string()) return content->get<std::string>();
  std::string text;
  const auto refuse = [&](const Json& value) {
    BadInput("data", "{}: message {} holds {}; its content must be text", where, number,
             value.is_object() ? "a part that is not text" : value.type_name());
  };
  if (!content->is_array()) refuse(*content);
  for (const Json& part : *content) {
    const Json* words = part.is_object() ? Field(part, "text", "text") : nullptr;
    if (!words || !words->is_string()) refuse(part);
    text += words->get<std::string>();
  }
  return text;
}

// What a template may know besides role and content; null for none.
Json OtherFields(const Json& message) {
  constexpr std::string_view kOwn[] = {"role", "from", "content", "value"};
  Json others;
  for (const auto& [key, value] : message.items()) {
    if (!value.is_null() && !std::ranges::count(kOwn, key)) others[key] = value;
  }
  return others;
}

}  // namespace

bool IsConversation(const Json& value) {
  return value.is_array() && !value.empty() && value.front().is_object() &&
         Field(value.front(), "role", "from");
}

Json ConversationIn(const Json& value, std::string_view column, std::string_view where) {
  if (IsConversation(value)) return value;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (IsConversation(parsed)) return parsed;
  }
  if (value.is_object() && Field(value, "role", "from")) {
    Json list = Json::array();
    for (const auto& [key, column_of] : value.items()) {
      if (!column_of.is_array()) continue;
      for (size_t i = 0; i < column_of.size(); ++i) list[i][key] = column_of[i];
    }
    if (IsConversation(list)) return list;
  }
  BadInput("data", "{}: '{}' is {}; it must be a list of messages, each with role and content",
           where, column, value.is_array() ? "a list of other things" : value.type_name());
}

std::vector<Message> ReadMessages(const Json& list, std::string_view where) {
  std::vector<Message> messages;
  for (const Json& item : list) {
    const size_t number = messages.size() + 1;
    const Json* role = item.is_object() ? Field(item, "role", "from") : nullptr;
    if (!role || !role->is_string()) {
      BadInput("data", "{}: message {} has no role", where, number);
    }
    messages.push_back({RoleOf(role->get<std::string>()),
                        ContentOf(Field(item, "content", "value"), where, number),
                        OtherFields(item)});
  }
  return messages;
}

std::string TakeLastAnswer(std::vector<Message>& messages, std::string_view where) {
  const auto is_answer = [](const Message& m) {
    return m.role == "assistant" && !IsBlank(m.content);
  };
  const auto last = std::find_if(messages.rbegin(), messages.rend(), is_answer);
  if (last == messages.rend() || last + 1 == messages.rend()) {
    BadInput("data", "{}: the conversation has no assistant's answer to a message", where);
  }
  std::string answer = last->content;
  messages.erase(last.base() - 1, messages.end());
  return answer;
}

std::string JoinContents(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) {
    if (IsBlank(message.content)) continue;
    if (!text.empty()) text += "\n\n";
    text += message.content;
  }
  return text;
}

}  // namespace grin
