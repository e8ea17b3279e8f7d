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
