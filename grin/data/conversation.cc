#include "grin/data/conversation.h"

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/space.h"

namespace grin {
namespace {

struct RoleName {
  std::string_view name, role;
};

constexpr RoleName kOtherNames[] = {{"human", "user"},      {"prompter", "user"},
                                    {"gpt", "assistant"},   {"bot", "assistant"},
                                    {"model", "assistant"}, {"chatgpt", "assistant"}};

std::string RoleOf(const std::string& name) {
  const auto found = std::ranges::find(kOtherNames, name, &RoleName::name);
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

}  // namespace

bool IsConversation(const Json& value) {
  return value.is_array() && !value.empty() && value.front().is_object() &&
         Field(value.front(), "role", "from");
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
                        ContentOf(Field(item, "content", "value"), where, number)});
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
