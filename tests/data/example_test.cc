// Data sets as users have them: columns, what is refused, overlap.

#include "grin/data/example.h"

#include <gmock/gmock.h>

#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class ExampleTest : public ::testing::Test {
 protected:
  const std::filesystem::path dir_ = EmptyDirectory("examples");

  std::filesystem::path File(const std::string& name, const std::string& text) const {
    WriteFile(dir_ / name, text);
    return dir_ / name;
  }
  std::vector<Example> Load(const std::string& text, const std::string& columns = "") const {
    return LoadExamples(File("set.jsonl", text), columns);
  }
  std::string Message(const std::string& text, const std::string& columns = "") const {
    return MessageOf([&] { Load(text, columns); });
  }
};

TEST_F(ExampleTest, FindsKnownColumns) {
  for (const auto& [prompt, response] :
       {std::pair("question", "answer"), std::pair("prompt", "response"),
        std::pair("prompt", "completion"), std::pair("instruction", "output")}) {
    const auto examples =
        Load(Json({{"id", 3}, {prompt, "Who?"}, {response, "Ada."}}).dump() + "\n");
    ASSERT_EQ(examples.size(), 1u);
    EXPECT_EQ(examples[0].prompt, "Who?");
    EXPECT_EQ(examples[0].response, "Ada.");
    EXPECT_EQ(examples[0].fields["id"], 3);
    EXPECT_THAT(examples[0].where, EndsWith("set.jsonl:1"));
    EXPECT_FALSE(examples[0].is_text());
  }
  const auto text = Load("{\"text\": \"Once.\"}\n\n{\"text\": \"Twice.\"}\n");
  ASSERT_EQ(text.size(), 2u);
  EXPECT_TRUE(text[1].is_text());
  EXPECT_EQ(text[1].response, "Twice.");
  EXPECT_THAT(text[1].where, EndsWith("set.jsonl:3"));
}

TEST_F(ExampleTest, TakesNamedColumns) {
  const std::string line = R"({"Q": "a?", "A": "b", "question": "c?", "answer": "d"})";
  const auto named = Load(line, "prompt=Q,response=A");
  EXPECT_EQ(named[0].prompt, "a?");
  EXPECT_EQ(named[0].response, "b");
  const auto text = Load(line, "text=answer");
  EXPECT_TRUE(text[0].is_text());
  EXPECT_EQ(text[0].response, "d");
  EXPECT_THAT(Message(line, "response"), HasSubstr("--columns 'response'"));
  EXPECT_THAT(Message(line, "prompt=Q"), HasSubstr("names no response"));
  EXPECT_THAT(Message(line, "answer=A"), HasSubstr("not of the form"));
  EXPECT_THAT(Message(line, "prompt=Q,response=Z"),
              AllOf(HasSubstr("set.jsonl:1: 'Z' is missing"), HasSubstr("Q, A, question, answer")));
}

TEST_F(ExampleTest, ReadsCsvAndJson) {
  const auto csv = LoadExamples(File("set.csv", "question,answer\n\"Who, now?\",\"Ada\nByron\"\n"));
  ASSERT_EQ(csv.size(), 1u);
  EXPECT_EQ(csv[0].prompt, "Who, now?");
  EXPECT_EQ(csv[0].response, "Ada\nByron");
  const auto json = LoadExamples(File("set.json", R"([{"question": "q", "answer": "a"}])"));
  EXPECT_EQ(json[0].response, "a");
}

TEST_F(ExampleTest, ReadsConversations) {
  const auto one = Load(R"({"prompt": "unused", "messages": [{"role": "user", "content": "Who?"},)"
                        R"( {"role": "assistant", "content": "Ada."}]})");
  EXPECT_EQ(one[0].prompt, "Who?");
  EXPECT_EQ(one[0].response, "Ada.");
  EXPECT_TRUE(one[0].turns.empty());  // the same as a prompt with its response
  const auto many = Load(
      R"({"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "a"},)"
      R"( {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"},)"
      R"( {"from": "gpt", "value": "d"}]})");
  EXPECT_EQ(many[0].prompt, "S\n\na\n\nb\n\nc");
  EXPECT_EQ(many[0].response, "d");
  ASSERT_EQ(many[0].turns.size(), 4u);
  EXPECT_EQ(many[0].turns[1].role, "user");
  // Prompt and completion as messages, as TRL has them; a column of another name.
  const auto halves = Load(R"({"prompt": [{"role": "user", "content": "q"}],)"
                           R"( "completion": [{"role": "assistant", "content": "a"}]})");
  EXPECT_EQ(halves[0].prompt + halves[0].response, "qa");
  const auto named =
      Load(R"({"chat": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})",
           "messages=chat");
  EXPECT_EQ(named[0].prompt + named[0].response, "qa");
  EXPECT_THAT(Message(R"({"messages": [{"role": "user", "content": "q"}]})"),
              HasSubstr("set.jsonl:1: the conversation has no assistant's answer"));
}

TEST_F(ExampleTest, ReadsTheFormsOfPublicDataSets) {
  // WMDP and MMLU: the answer is the number of a choice.
  const auto choice =
      Load(R"({"question": "q", "choices": ["a", "b", "c"], "answer": 1, "subject": "s"})");
  EXPECT_EQ(choice[0].response, "b");
  EXPECT_THAT(choice[0].alternatives, ElementsAre("a", "c"));
  EXPECT_THAT(Message(R"({"question": "q", "choices": ["a"], "answer": 1})"),
              HasSubstr("choice 1, and there are 1"));
  // RealToxicityPrompts: texts with scores beside them.
  const auto toxic =
      Load(R"({"prompt": {"text": "p", "toxicity": 0.1}, "continuation": {"text": "c"}})");
  EXPECT_EQ(toxic[0].prompt + toxic[0].response, "pc");
  EXPECT_EQ(Load(R"({"a": {"b": "x"}, "c.d": "y"})", "prompt=a.b,response=c.d")[0].response, "y");
  EXPECT_THAT(Message(R"({"a": {"b": "x"}})", "text=a.c"), HasSubstr("'a.c' is missing"));
  // Alpaca: what the instruction is about stands beside it.
  EXPECT_EQ(Load(R"({"instruction": "Sum.", "input": "1 2", "output": "3"})")[0].prompt,
            "Sum.\n1 2");
  EXPECT_EQ(Load(R"({"instruction": "Sum.", "input": "", "output": "3"})")[0].prompt, "Sum.");
  EXPECT_EQ(Load(R"({"prompt": "p", "gt": "g"})")[0].response, "g");  // MUSE
  // WikiText: blank rows.
  const auto texts = Load("{\"text\": \"\"}\n{\"text\": \" a\\n\"}\n");
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].response, " a\n");
  EXPECT_THAT(Message(R"({"text": " "})"), HasSubstr("every text is blank"));
}

TEST_F(ExampleTest, ReadsSeveralFiles) {
  const auto a = File("a.csv", "question,answer\nq1,a1\n");
  const auto b = File("b.jsonl", R"({"prompt": "q2", "response": "a2"})");
  const auto both = LoadExamples(a.string() + "," + b.string());
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[1].prompt + both[1].response, "q2a2");
  EXPECT_THAT(both[1].where, EndsWith("b.jsonl:1"));
}

TEST_F(ExampleTest, ReadsThePublicDataSets) {
  const std::filesystem::path data = std::filesystem::path(GRIN_SHARED) / "data";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "../shared/data is not there";
  const auto count = [&](const char* name, const char* columns = "") {
    return LoadExamples(data / name, columns).size();
  };
  EXPECT_EQ(count("tofu/forget10_perturbed.json"), 400u);
  EXPECT_EQ(count("tofu/real_authors.json"), 100u);
  EXPECT_EQ(count("wmdp/chem_questions.json"), 408u);
  EXPECT_EQ(count("wmdp/cyber_text/T_corpus.jsonl", "text=question"), 197u);
  EXPECT_EQ(count("realtoxicityprompts/realtoxicityprompts_val5000.jsonl"), 5000u);
  EXPECT_GT(count("safepku/pairs_by_category/*.csv", "prompt=prompt,response=unsafe_response"),
            1000u);
  EXPECT_EQ(count("text/c4_demo.jsonl"), 300u);
  EXPECT_EQ(count("text/wiki.test.raw"), 1u);
}

TEST_F(ExampleTest, KeepsKeywordsAndAlternatives) {
  const auto examples = Load(
      R"({"question": "q", "answer": "a b", "keywords": ["b"], "perturbed_answer": ["c", "d"],)"
      R"( "false_answer": "e"})");
  EXPECT_THAT(examples[0].keywords, ElementsAre("b"));
  EXPECT_THAT(examples[0].alternatives, ElementsAre("c", "d", "e"));
}

TEST_F(ExampleTest, RefusesWhatCannotBeUsed) {
  EXPECT_THAT(Message(""), HasSubstr("set.jsonl"));
  EXPECT_THAT(Message(R"({"question": "q"})"),
              AllOf(HasSubstr("set.jsonl:1: 'answer' is missing"), HasSubstr("question")));
  EXPECT_THAT(Message("{\"question\": \"q\", \"answer\": \"a\"}\n{\"question\": \"q\"}\n"),
              HasSubstr("set.jsonl:2: 'answer' is missing"));
  EXPECT_THAT(Message(R"({"question": "q", "answer": " \n"})"), HasSubstr("'answer' is empty"));
  EXPECT_THAT(Message(R"({"question": "", "answer": "a"})"), HasSubstr("'question' is empty"));
  // Without words before the answer a conversation would be plain text, without its template.
  for (
      const char* turns :
      {R"({"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "a"}]})",
       R"({"messages": [{"role": "user", "content": " \n"}, {"role": "assistant", "content": "a"}]})",
       R"({"messages": [{"role": "user"}, {"role": "assistant", "content": "a"}]})",
       R"({"conversations": [{"from": "human", "value": ""}, {"from": "gpt", "value": "a"}]})",
       R"({"messages": [{"role": "user", "content": []}, {"role": "assistant", "content": "a"}]})",
       R"({"prompt": [{"role": "user", "content": ""}], "response": "a"})"}) {
    EXPECT_THAT(Message(turns), HasSubstr("the turns before the answer are empty")) << turns;
  }
  EXPECT_THAT(Message(R"({"question": "q", "answer": 7})"),
              AllOf(HasSubstr("'answer' is number"), HasSubstr("must be text")));
  EXPECT_THAT(
      Message(R"({"title": "q", "body": "a"})"),
      AllOf(HasSubstr("no known columns"), HasSubstr("title, body"), HasSubstr("--columns")));
  EXPECT_THAT(Message(R"({"question": "q", "answer": "a", "keywords": 4})"), HasSubstr("keywords"));
  EXPECT_THAT(Message("{\"question\": \"q\", \"answer\": \"\xff\xfe\"}"), HasSubstr("UTF-8"));
}

TEST_F(ExampleTest, OverlapIsRefused) {
  const auto forget = LoadExamples(File("f.jsonl", R"({"question": "q1", "answer": "a"})"
                                                   "\n"
                                                   R"({"question": "q2", "answer": "a"})"));
  const auto retain = LoadExamples(File("r.jsonl", R"({"question": "q3", "answer": "a"})"
                                                   "\n"
                                                   R"({"question": "q2", "answer": "a"})"));
  EXPECT_THAT(MessageOf([&] { RefuseOverlap(forget, retain); }),
              AllOf(HasSubstr("f.jsonl:2"), HasSubstr("r.jsonl:2"), HasSubstr("--allow-overlap")));
  EXPECT_NO_THROW(RefuseOverlap(forget, {retain[0]}));
}

}  // namespace
}  // namespace grin
