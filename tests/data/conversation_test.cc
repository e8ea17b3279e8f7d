// Chat records: roles, contents, which turn is the answer.

#include "grin/data/conversation.h"

#include <gmock/gmock.h>

#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

std::string Script(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) text += message.role + ":" + message.content + "|";
  return text;
}

std::vector<Message> Parse(const char* json) { return ReadMessages(Json::parse(json), "a:1"); }

TEST(Conversation, ReadsBothNamings) {
  EXPECT_EQ(Script(Parse(R"([{"role": "system", "content": "S"}, {"role": "user", "content": "U"},
                             {"role": "assistant", "content": "A"}])")),
            "system:S|user:U|assistant:A|");
  EXPECT_EQ(Script(Parse(R"([{"from": "human", "value": "U"}, {"from": "gpt", "value": "A"},
                             {"from": "tool", "value": "T"}])")),
            "user:U|assistant:A|tool:T|");
  EXPECT_EQ(Script(Parse(R"([{"role": "System", "content": "S"}, {"from": "USER", "value": "U"},
                             {"role": "Critic", "content": "C"}])")),
            "system:S|user:U|Critic:C|");
  EXPECT_EQ(Script(Parse(R"([{"role": "user", "content": [{"type": "text", "text": "a"},
                             {"type": "text", "text": "b"}]}, {"role": "assistant"}])")),
            "user:ab|assistant:|");
  EXPECT_TRUE(IsConversation(Json::parse(R"([{"role": "user"}])")));
  EXPECT_FALSE(IsConversation(Json::parse(R"(["user"])")));
  EXPECT_FALSE(IsConversation(Json::parse(R"([])")));
  EXPECT_FALSE(IsConversation(Json("user")));
}

// transformers hands whole messages to the template.
TEST(Conversation, KeepsWhatATemplateMayWantToKnow) {
  const auto messages = Parse(R"([{"role": "assistant", "content": null, "name": null,
      "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
      {"role": "tool", "content": "T", "tool_call_id": "7"}, {"role": "user", "content": "U"}])");
  EXPECT_EQ(messages[0].others.dump(),
            R"({"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]})");
  EXPECT_EQ(messages[1].others.dump(), R"({"tool_call_id":"7"})");
  EXPECT_TRUE(messages[2].others.is_null());
}

TEST(Conversation, IsFoundInTheFormsThatTablesHave) {
  const Json plain = Json::parse(R"([{"role": "user", "content": "U"},
                                     {"role": "assistant", "content": "A"}])");
  EXPECT_EQ(ConversationIn(plain, "messages", "a:1"), plain);
  EXPECT_EQ(ConversationIn(plain.dump(), "messages", "a:1"), plain);
  EXPECT_EQ(
      ConversationIn({{"role", {"user", "assistant"}}, {"content", {"U", "A"}}}, "messages", "a:1"),
      plain);
  for (const Json& other : {Json("hello"), Json("[{'role': 'user'}]"), Json(7), Json(nullptr),
                            Json::array(), Json{{"content", {"U"}}}, Json::array({"U", "A"})}) {
    EXPECT_THAT(MessageOf([&] { ConversationIn(other, "messages", "a:1"); }),
                ::testing::AllOf(HasSubstr("a:1: 'messages' is "), HasSubstr("list of messages")))
        << other;
  }
}

TEST(Conversation, NamesTheMessageThatIsWrong) {
  EXPECT_THAT(MessageOf([] { Parse(R"([{"role": "user", "content": "U"}, {"content": "x"}])"); }),
              HasSubstr("a:1: message 2 has no role"));
  EXPECT_THAT(MessageOf([] { Parse(R"([{"role": "user", "content": 7}])"); }),
              HasSubstr("a:1: message 1 holds number"));
  EXPECT_THAT(MessageOf([] { Parse(R"([{"role": "user", "content": [{"type": "image"}]}])"); }),
              HasSubstr("a part that is not text"));
}

TEST(Conversation, TheLastAnswerIsTheResponse) {
  auto messages = Parse(R"([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"},
      {"role": "user", "content": "3"}, {"role": "assistant", "content": "4"},
      {"role": "assistant", "content": " "}, {"role": "user", "content": "thanks"}])");
  EXPECT_EQ(TakeLastAnswer(messages, "a:1"), "4");
  EXPECT_EQ(Script(messages), "user:1|assistant:2|user:3|");
  EXPECT_EQ(JoinContents(messages), "1\n\n2\n\n3");
  for (const char* none :
       {R"([{"role": "user", "content": "1"}])", R"([{"role": "assistant", "content": "1"}])"}) {
    auto few = Parse(none);
    EXPECT_THAT(MessageOf([&] { TakeLastAnswer(few, "a:1"); }), HasSubstr("no assistant's answer"));
  }
}

}  // namespace
}  // namespace grin
