#include "grin/text/chat_template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "grin/base/error.h"

namespace grin {
namespace {

Json ReadGolden(const std::string& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

std::vector<Message> Messages(const Json& json) {
  std::vector<Message> messages;
  for (const Json& message : json) messages.push_back({message["role"], message["content"]});
  return messages;
}

void ExpectCases(const Json& golden, const Json& config) {
  const auto chat = ChatTemplate::FromConfig(config, "tokenizer_config.json");
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(chat->family(), golden["family"].get<std::string>());
  for (const Json& one : golden["cases"]) {
    SCOPED_TRACE(one.dump());
    const std::vector<Message> messages = Messages(one["messages"]);
    const bool prompt = one["add_generation_prompt"];
    if (one["text"].is_null()) {
      EXPECT_THROW(chat->Render(messages, prompt), Error);
    } else {
      EXPECT_EQ(chat->Render(messages, prompt), one["text"].get<std::string>());
    }
  }
}

TEST(ChatTemplate, ModelsAsTransformersRendersThem) {
  const Json goldens = ReadGolden(GRIN_TEST_DATA "/text/chat_templates.json");
  ASSERT_GE(goldens.size(), 14u);
  for (const Json& golden : goldens) {
    SCOPED_TRACE(golden["family"].dump());
    ExpectCases(golden, golden["config"]);
  }
}

TEST(ChatTemplate, SharedModelsAsTransformersRendersThem) {
  const Json goldens = ReadGolden(GRIN_TEST_DATA "/text/chat_shared.json");
  for (const Json& golden : goldens) {
    const std::string path = GRIN_SHARED "/" + golden["file"].get<std::string>();
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "NOT TESTED: " << path << " is missing";
    SCOPED_TRACE(path);
    ExpectCases(golden, ReadGolden(path));
  }
}

TEST(ChatTemplate, NoneWhereTheConfigHasNone) {
  EXPECT_FALSE(ChatTemplate::FromConfig(Json::object(), "c").has_value());
  EXPECT_FALSE(ChatTemplate::FromConfig({{"chat_template", nullptr}}, "c").has_value());
  EXPECT_FALSE(ChatTemplate::FromConfig(Json{{"chat_template", Json::array()}}, "c").has_value());
}

TEST(ChatTemplate, OfAListTheDefaultIsTaken) {
  const Json config = {{"chat_template",
                        {{{"name", "tool_use"}, {"template", "tools"}},
                         {{"name", "default"}, {"template", "{{ bos_token }}{{ pad_token }}!"}}}},
                       {"bos_token", {{"content", "<s>"}, {"lstrip", false}}},
                       {"pad_token", nullptr}};
  const auto chat = ChatTemplate::FromConfig(config, "c");
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(chat->Render({}, false), "<s>!");
  EXPECT_EQ(chat->family(), "custom");
}

TEST(ChatTemplate, ErrorsNameTheFile) {
  const auto error_of = [](const Json& chat_template) -> std::string {
    try {
      const auto chat = ChatTemplate::FromConfig({{"chat_template", chat_template}}, "m/c.json");
      return "rendered: " + chat->Render({}, false);
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(error_of(5),
            "[text] m/c.json: chat_template is a number; a string or a list of named "
            "templates was expected; give one by --template FILE");
  EXPECT_EQ(error_of({{{"name", "rag"}, {"template", "x"}}}),
            "[text] m/c.json: chat_template has no template named 'default', only rag; give one "
            "by --template FILE");
  EXPECT_EQ(error_of({{{"name", "rag"}}}),
            "[text] m/c.json: chat_template: an entry of the list lacks a string 'name' or "
            "'template'");
  EXPECT_EQ(error_of("\n{{ messages[0].role }}"),
            "[text] m/c.json: chat_template: line 2: there is no item 0 in a list of 0 (custom "
            "chat template); --template FILE takes another one");
  EXPECT_EQ(error_of("<|im_start|>{% nonsense %}").find("[text] m/c.json: chat_template: line 1: "),
            0u);
  EXPECT_NE(error_of("<|im_start|>{% nonsense %}").find("(ChatML chat template)"),
            std::string::npos);
}

TEST(ChatTemplate, FilesBesideTheModelInOrder) {
  std::map<std::string, std::string, std::less<>> files;
  const ReadSideFile read = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = files.find(name);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  const auto text = [&](const Json& config) {
    const auto chat = ChatTemplate::FromFiles(read, config, "m");
    return chat ? chat->Render({}, false) : "none";
  };
  const Json config = {{"chat_template", "config {{ bos_token }}"}, {"bos_token", "<s>"}};
  EXPECT_EQ(text(Json::object()), "none");
  files["chat_template.json"] = R"({"chat_template": "json"})";
  EXPECT_EQ(text(Json::object()), "json");
  EXPECT_EQ(text(config), "config <s>");
  files["chat_template.jinja"] = "jinja {{ bos_token }}\n";
  EXPECT_EQ(text(config), "jinja <s>");
  files["special_tokens_map.json"] = R"({"bos_token": {"content": "<b>"}})";
  EXPECT_EQ(text(ReadTokenizerConfig(read, "m")), "jinja <b>");
}

TEST(ChatTemplate, VariablesAndDateCanBeSet) {
  ChatTemplate chat = ChatTemplate::FromText(
      "{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}"
      "{% endif %}{{ date_string }}{{ tools is none }}{{ enable_thinking | default(true) }}",
      Json::object(), "chat_template.jinja");
  EXPECT_EQ(chat.Render({}, false), "26 Jul 2024TrueTrue");
  chat.SetDate(std::chrono::year{2025} / 1 / 2);
  chat.SetVariable("enable_thinking", false);
  EXPECT_EQ(chat.Render({}, false), "02 Jan 2025TrueFalse");
  chat.SetVariable("date_string", "10 Apr 2025");
  chat.SetVariable("tools", Json::array());
  EXPECT_EQ(chat.Render({}, false), "10 Apr 2025FalseFalse");
}

}  // namespace
}  // namespace grin
