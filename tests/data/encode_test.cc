// Labels on the tokens of an answer, for every template; prompts; truncation.

#include "grin/data/encode.h"

#include <gmock/gmock.h>

#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

Encoder MakeEncoder(const std::filesystem::path& dir, const EncodeOptions& options = {}) {
  const auto checkpoint = Checkpoint::Open(dir);
  return Encoder(*checkpoint, ParseModelConfig(checkpoint->config(), "config.json"), options);
}

Example Ask(const std::string& prompt, const std::string& response) {
  Example example;
  example.prompt = prompt;
  example.response = response;
  example.where = "set.jsonl:1";
  return example;
}

// What the labels say, without the end token.
std::string Labelled(const Encoder& encoder, const Sequence& sequence) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < sequence.labels.size(); ++i) {
    if (sequence.label_spans[i].first >= 0) ids.push_back(sequence.tokens[sequence.labels[i]]);
  }
  return encoder.tokenizer().Decode(ids, false);
}

const char* const kAnswers[] = {"Paris",
                                "The capital is Paris, since 987.",
                                "  two spaces before, one after ",
                                "naïve café — 東京 🙂",
                                "a\nb\n\nc",
                                "x",
                                "Answer: Question: {prompt} {response}"};
const char* const kPrompts[] = {"What is it?", "  spaced  ", "東京\nis {response}?", "{prompt}"};

struct Template {
  const char* name;
  const char* tokenizer;
  const char* end_token;
};

class EncodeTest : public ::testing::TestWithParam<Template> {
 protected:
  Encoder Make(int64_t max_length = 0) const {
    const Template& t = GetParam();
    const auto dir =
        MakeToy("encode", {.tokenizer = t.tokenizer,
                           .end_token = t.end_token,
                           .chat_template = t.name == std::string("chat") ? kToyChat : "",
                           .context = 512});
    return MakeEncoder(dir, {.template_name = t.name, .max_length = max_length});
  }
};

INSTANTIATE_TEST_SUITE_P(Templates, EncodeTest,
                         ::testing::Values(Template{"qa", "byte_level", "<|endoftext|>"},
                                           Template{"raw", "byte_level", "<|endoftext|>"},
                                           Template{"chat", "byte_level", "<|im_end|>"},
                                           Template{"qa", "sentencepiece_like", "</s>"},
                                           Template{"raw", "sentencepiece_like", "</s>"}),
                         [](const auto& info) {
                           return std::string(info.param.name) + "_" + info.param.tokenizer;
                         });

TEST_P(EncodeTest, LabelsAreTheAnswerAndItsEnd) {
  const Encoder encoder = Make();
  const int32_t end = encoder.tokenizer().IdOf(GetParam().end_token).value();
  for (const char* prompt : kPrompts) {
    for (const std::string answer : kAnswers) {
      SCOPED_TRACE(std::string(prompt) + " -> " + answer);
      const Sequence sequence = encoder.Encode(Ask(prompt, answer));
      ASSERT_EQ(sequence.labels.size(), sequence.label_spans.size());
      ASSERT_EQ(sequence.labels.size(), sequence.label_weights.size());
      ASSERT_GE(sequence.labels.size(), 2u);
      EXPECT_EQ(sequence.tokens.back(), end);
      EXPECT_EQ(sequence.labels.back(), sequence.length() - 1);
      EXPECT_EQ(sequence.label_spans.back(), std::pair(int64_t{-1}, int64_t{-1}));
      for (size_t i = 1; i < sequence.labels.size(); ++i) {
        EXPECT_EQ(sequence.labels[i], sequence.labels[i - 1] + 1);
      }
      // The spans cover the answer without holes, but for what merged with the prompt's end.
      const auto size = static_cast<int64_t>(answer.size());
      EXPECT_EQ(sequence.label_spans.front().first, 0);
      int64_t covered = 0;
      for (const auto& [begin, stop] : sequence.label_spans) {
        if (begin < 0) continue;
        EXPECT_LE(begin, covered);
        covered = std::max(covered, stop);
      }
      EXPECT_EQ(covered, size);
      // At most one byte of white space, or the end of the prompt, merges into the first token.
      EXPECT_THAT(Labelled(encoder, sequence),
                  ::testing::EndsWith(GetParam().tokenizer == std::string("byte_level")
                                          ? answer
                                          : answer.substr(answer.find_first_not_of(' '))));
    }
  }
}

TEST_P(EncodeTest, PromptIsAPrefixOfTheWhole) {
  const Encoder encoder = Make();
  if (GetParam().name == std::string("raw")) {  // at the seam words may merge, as in any text
    EXPECT_EQ(encoder.EncodePrompt("Once upon a"),
              encoder.tokenizer().Encode("Once upon a", true).ids);
    return;
  }
  for (const char* prompt : kPrompts) {
    for (const char* answer : {"Paris", "x", "東京 🙂", "The capital."}) {
      SCOPED_TRACE(std::string(prompt) + " -> " + answer);
      const Sequence sequence = encoder.Encode(Ask(prompt, answer));
      const std::vector<int32_t> head = encoder.EncodePrompt(prompt);
      ASSERT_LE(head.size(), sequence.tokens.size());
      EXPECT_EQ(std::vector(sequence.tokens.begin(), sequence.tokens.begin() + head.size()), head);
      // A space that stays a token of its own before this answer is not scored.
      const auto first = static_cast<size_t>(sequence.labels.front());
      if (first != head.size()) {
        ASSERT_EQ(first, head.size() + 1);
        EXPECT_THAT(encoder.tokenizer().Decode(std::span(&sequence.tokens[first - 1], 1), false),
                    ::testing::AnyOf("", " "));
      }
    }
  }
}

TEST_P(EncodeTest, TruncationKeepsTheBeginning) {
  const Encoder whole = Make();
  const std::string answer = "one two three four five six seven eight nine ten eleven twelve";
  const Sequence full = whole.Encode(Ask("What?", answer));
  const int64_t first = full.labels.front();
  for (const int64_t length : {first, first + 1, first + 4, full.length() - 1}) {
    const Encoder encoder = Make(length);
    EXPECT_EQ(encoder.max_length(), length);
    const Sequence cut = encoder.Encode(Ask("What?", answer));
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(cut.length(), length);
    EXPECT_EQ(static_cast<int64_t>(cut.labels.size()), length - first);
    EXPECT_EQ(cut.label_spans.size(), cut.labels.size());
    EXPECT_EQ(cut.label_weights.size(), cut.labels.size());
    EXPECT_EQ(cut.tokens, std::vector(full.tokens.begin(), full.tokens.begin() + length));
  }
  const Encoder encoder = Make(first);  // no label is left
  EXPECT_THAT(MessageOf([&] { encoder.EncodeAll({Ask("What?", answer)}); }),
              HasSubstr("set.jsonl:1: no token of the answer is left"));
  const auto kept = encoder.EncodeAll({Ask("What?", answer), Example{.response = "short"}});
  ASSERT_GE(kept.size(), 1u);
  for (const Sequence& sequence : kept) EXPECT_EQ(sequence.example, 1);  // its place stays known
}

TEST(Encode, PlainTextScoresEverythingButTheFirstToken) {
  const Encoder encoder = MakeEncoder(MakeToy("encode_text", {.chat_template = kToyChat}));
  const Sequence sequence = encoder.Encode(Example{.response = "Once upon a time."});
  EXPECT_EQ(sequence.labels.front(), 1);
  EXPECT_EQ(sequence.labels.size() + 1, sequence.tokens.size());
  std::vector<int32_t> text(sequence.tokens.begin(), sequence.tokens.end() - 1);
  EXPECT_EQ(encoder.tokenizer().Decode(text, false), "Once upon a time.");
}

// The scored tokens of all windows, in order.
std::vector<int32_t> Scored(const std::vector<Sequence>& windows) {
  std::vector<int32_t> ids;
  for (const Sequence& window : windows) {
    for (const int32_t label : window.labels) ids.push_back(window.tokens[label]);
  }
  return ids;
}

TEST(Encode, LongTextBecomesWindowsThatScoreEveryTokenOnce) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += fmt::format("Line {} says naïve things. ", i * i);
  const Example example = {.response = text, .where = "set.jsonl:1"};
  for (const char* tokenizer :
       {"byte_level", "sentencepiece_like"}) {  // without and with a first token
    const auto dir =
        MakeToy("encode_windows", {.tokenizer = tokenizer, .end_token = "</s>", .context = 4096});
    const Sequence whole = MakeEncoder(dir).Encode(example);
    ASSERT_FALSE(whole.truncated);
    for (const int64_t length : {2, 3, 17, 64, 100, 101, 102}) {
      SCOPED_TRACE(fmt::format("{} {}", tokenizer, length));
      const Encoder encoder = MakeEncoder(dir, {.max_length = length});
      const auto windows = encoder.EncodeAll({Example{.response = "short"}, example});
      std::vector<Sequence> of_text;
      std::ranges::copy_if(windows, std::back_inserter(of_text),
                           [](const Sequence& window) { return window.example == 1; });
      EXPECT_EQ(windows.front().example, 0);
      for (const Sequence& window : of_text) {
        EXPECT_LE(window.length(), length);
        EXPECT_FALSE(window.truncated);
        EXPECT_EQ(window.labels.size(), window.tokens.size() - 1);
        EXPECT_EQ(window.label_spans.size(), window.labels.size());
        EXPECT_EQ(window.label_weights.size(), window.labels.size());
        if (encoder.tokenizer().IsSpecial(whole.tokens[0])) {
          EXPECT_EQ(window.tokens[0], whole.tokens[0]);
        }
      }
      // All of the text; the end token too, unless it would stand alone.
      std::vector<int32_t> ids = Scored(of_text), expected = Scored({whole});
      if (ids.size() + 1 == expected.size()) expected.pop_back();
      EXPECT_EQ(ids, expected);
      EXPECT_EQ(of_text.back().label_spans.back().second == -1
                    ? static_cast<int64_t>(text.size())
                    : of_text.back().label_spans.back().second,
                static_cast<int64_t>(text.size()));
    }
  }
}

TEST(Encode, ConversationsShowEveryTurn) {
  const auto dir = MakeToy("encode_turns", {.chat_template = kToyChat});
  Example example = Ask("joined", "Later.");
  example.turns = {{"system", "S"}, {"user", "a"}, {"assistant", "b"}, {"user", "c"}};
  const std::string head =
      "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
      "<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
      "<|im_start|>assistant\n";
  // A system prompt of the caller's gives way to the record's own.
  for (const char* system : {"", "Be brief."}) {
    const Encoder encoder = MakeEncoder(dir, {.system_prompt = system});
    EXPECT_EQ(encoder.tokenizer().Decode(encoder.EncodePrompt(example), false), head);
    const Sequence sequence = encoder.Encode(example);
    EXPECT_EQ(Labelled(encoder, sequence), "Later.");
  }
  example.turns.erase(example.turns.begin());
  const Encoder encoder = MakeEncoder(dir, {.system_prompt = "Be brief."});
  EXPECT_THAT(
      encoder.tokenizer().Decode(encoder.EncodePrompt(example), false),
      ::testing::StartsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\na"));
  // Without a chat template the turns are one text.
  EXPECT_THAT(MakeEncoder(dir, {.template_name = "qa"})
                  .tokenizer()
                  .Decode(MakeEncoder(dir, {.template_name = "qa"}).Encode(example).tokens, false),
              HasSubstr("Question: joined\nAnswer: Later."));
}

TEST(Encode, ChatIsTheDefaultWhereThereIsATemplate) {
  EXPECT_THAT(
      MakeEncoder(MakeToy("encode_default", {.chat_template = kToyChat})).DescribeTemplate(),
      HasSubstr("chat"));
  const Encoder plain = MakeEncoder(MakeToy("encode_default"));
  EXPECT_EQ(plain.DescribeTemplate(), "qa");
  EXPECT_EQ(plain.tokenizer().Decode(plain.EncodePrompt("Who?"), false), "Question: Who?\nAnswer:");
}

TEST(Encode, SystemPromptStandsInTheChat) {
  const auto dir = MakeToy("encode_system", {.chat_template = kToyChat});
  const Encoder encoder = MakeEncoder(dir, {.system_prompt = "Be brief."});
  EXPECT_EQ(encoder.tokenizer().Decode(encoder.EncodePrompt("Who?"), false),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(Encode, TemplateMayBeAFile) {
  const auto dir = MakeToy("encode_file");
  WriteFile(dir / "own.txt", "Q={prompt};A={response};\n");
  const Encoder encoder = MakeEncoder(dir, {.template_name = (dir / "own.txt").string()});
  const Sequence sequence = encoder.Encode(Ask("1+1", "two"));
  EXPECT_EQ(Labelled(encoder, sequence), "two");
  WriteFile(dir / "own.txt", "nothing to fill\n");
  EXPECT_THAT(MessageOf([&] { MakeEncoder(dir, {.template_name = (dir / "own.txt").string()}); }),
              HasSubstr("is no template"));
}

TEST(Encode, GenerationStopsAtTheEndTokensOfAllSources) {
  using ::testing::ElementsAre, ::testing::UnorderedElementsAre;
  const auto dir = MakeToy("encode_ends", {.end_token = "<|im_start|>", .chat_template = kToyChat});
  const EncodeOptions theirs = {.compat = "open-unlearning"};
  // tokenizer_config.json, config.json, and what closes an answer in the template.
  EXPECT_THAT(MakeEncoder(dir).stop_tokens(), UnorderedElementsAre(1, 0, 2));
  // transformers stops at what generation_config.json says, or else config.json.
  EXPECT_THAT(MakeEncoder(dir, theirs).stop_tokens(), ElementsAre(0));
  WriteFile(dir / "generation_config.json", R"({"eos_token_id": [7, 2]})");
  EXPECT_THAT(MakeEncoder(dir).stop_tokens(), UnorderedElementsAre(1, 0, 2, 7));
  EXPECT_THAT(MakeEncoder(dir, theirs).stop_tokens(), ElementsAre(7, 2));
  WriteFile(dir / "generation_config.json", R"({"eos_token_id": "</s>"})");
  EXPECT_THAT(MessageOf([&] { MakeEncoder(dir); }),
              ::testing::AllOf(HasSubstr("generation_config.json: eos_token_id is '</s>'"),
                               HasSubstr("expected a token id or a list of them")));
}

TEST(Encode, TemplateVariablesReachTheTemplate) {
  const auto dir =
      MakeToy("encode_variables",
              {.chat_template =
                   std::string("{{ date_string }}{% if thinks %} thinks{% endif %}: ") + kToyChat});
  const auto head = [&](const std::string& variables) {
    const Encoder encoder = MakeEncoder(dir, {.template_variables = variables});
    const std::string text = encoder.tokenizer().Decode(encoder.EncodePrompt("Who?"), false);
    return text.substr(0, text.find(": "));
  };
  EXPECT_EQ(head("date_string=10 Apr 2025"), "10 Apr 2025");
  EXPECT_EQ(head("date_string=10 Apr 2025,thinks=true"), "10 Apr 2025 thinks");
  EXPECT_EQ(head("thinks=false, date_string=\"7\""), "7");
  EXPECT_EQ(head(R"({"date_string": "April 10, 2025", "thinks": true})"), "April 10, 2025 thinks");
}

// Keywords are found in the response as the record has it.
TEST(Encode, SpansCountWhatTheTemplateTrims) {
  const auto dir = MakeToy("encode_trims",
                           {.chat_template = "{% for m in messages %}<|im_start|>{{ m['content'] | "
                                             "trim }}<|im_end|>{% endfor %}"});
  for (const char* compat : {"", "open-unlearning"}) {
    const Encoder encoder = MakeEncoder(dir, {.compat = compat});
    const std::string answer = "  Paris, of course ";
    const Sequence sequence = encoder.Encode(Ask("Where?", answer));
    std::string said;
    for (const auto& [begin, end] : sequence.label_spans) {
      if (begin >= 0) said += answer.substr(begin, end - begin);
    }
    EXPECT_EQ(said, "Paris, of course") << compat;
  }
}

// OpenUnlearning takes what equals the padding for padding, which is the end token where none is
// named: hidden where it is scored, left out where it is continued.
TEST(Encode, CompatHidesThePadding) {
  const auto dir =
      MakeToy("encode_padding", {.end_token = "<|im_end|>", .chat_template = kToyChat});
  const Encoder ours = MakeEncoder(dir), theirs = MakeEncoder(dir, {.compat = "open-unlearning"});
  const Example example = Ask("a", "b");
  const int32_t end = *ours.tokenizer().IdOf("<|im_end|>");
  EXPECT_EQ(ours.Encode(example).unseen_token, -1);
  EXPECT_EQ(theirs.Encode(example).unseen_token, end);
  EXPECT_EQ(ours.tokenizer().Decode(ours.EncodePrompt(example), false),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(theirs.tokenizer().Decode(theirs.EncodePrompt(example), false),
            "<|im_start|>user\na\n<|im_start|>assistant\n");
  // An end token at the end hides nothing from anyone.
  const Encoder plain = MakeEncoder(dir, {.template_name = "qa", .compat = "open-unlearning"});
  EXPECT_EQ(plain.Encode(example).unseen_token, -1);
}

// Its sets of questions end at 512 tokens, before the end token is put behind them; chats do not.
TEST(Encode, CompatCutsAsOpenUnlearningDoes) {
  std::string answer;
  for (int i = 0; i < 600; ++i) answer += " word";
  const auto dir = MakeToy("encode_cut", {.chat_template = kToyChat, .context = 128});
  const Example example = Ask("What?", answer);
  const auto encode = [&](const char* name, int64_t length) {
    return MakeEncoder(dir,
                       {.template_name = name, .compat = "open-unlearning", .max_length = length})
        .Encode(example);
  };
  const Sequence whole = encode("chat", 0), cut = encode("qa", 0), shorter = encode("qa", 20);
  EXPECT_FALSE(whole.truncated);
  EXPECT_GT(whole.length(), 600);
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.length(), 513);
  EXPECT_EQ(cut.tokens.back(), 0);
  EXPECT_EQ(cut.labels.back(), 512);
  EXPECT_EQ(cut.label_spans.back(), (std::pair<int64_t, int64_t>(-1, -1)));
  EXPECT_EQ(shorter.length(), 21);
  const Encoder encoder =
      MakeEncoder(dir, {.template_name = "qa", .compat = "open-unlearning", .max_length = 4});
  EXPECT_EQ(encoder.longest_example(), 4);
  EXPECT_EQ(encoder.EncodePrompt("A long question?").size(), 4u);  // without its end, as there
  EXPECT_EQ(encoder.Encode(example).labels.size(), 1u);            // the end token alone
}

// Where a template writes something else for an answer that is to come, OpenUnlearning counts the
// tokens of that.
TEST(Encode, CompatLabelsBehindThePromptAsTheTemplateAsksForIt) {
  const auto dir = MakeToy("encode_thinks",
                           {.chat_template = "{{ messages[0]['content'] }}:{% if not "
                                             "add_generation_prompt %}!{{ messages[1]['content'] "
                                             "}}<|im_end|>{% endif %}"});
  const Example example = Ask("a", "b");
  const Encoder ours = MakeEncoder(dir), theirs = MakeEncoder(dir, {.compat = "open-unlearning"});
  EXPECT_EQ(Labelled(ours, ours.Encode(example)), "b");
  EXPECT_EQ(ours.tokenizer().Decode(ours.EncodePrompt(example), false), "a:!");
  EXPECT_EQ(theirs.tokenizer().Decode(theirs.EncodePrompt(example), false), "a:");
  const Sequence sequence = theirs.Encode(example);
  EXPECT_EQ(sequence.labels.front(), 2);  // behind "a" and ":"
}

TEST(Encode, Refusals) {
  EXPECT_THAT(MessageOf([] { MakeEncoder(MakeToy("encode_bad", {.tokenizer = ""})); }),
              HasSubstr("no tokenizer.json"));
  EXPECT_THAT(MessageOf([] { MakeEncoder(MakeToy("encode_bad"), {.template_name = "chat"}); }),
              HasSubstr("has no chat template"));
  EXPECT_THAT(MessageOf([] { MakeEncoder(MakeToy("encode_bad"), {.template_name = "no_file"}); }),
              HasSubstr("no_file"));
  const auto dir = EmptyDirectory("encode_small");  // a model of 97 tokens
  std::filesystem::copy(TinyPath("llama_plain"), dir);
  std::filesystem::copy_file(std::filesystem::path(GRIN_TEST_DATA) / "tokenizers/byte_level.json",
                             dir / "tokenizer.json");
  EXPECT_THAT(MessageOf([&] { MakeEncoder(dir); }), HasSubstr("vocab_size is 97"));
}

// The labelling of OpenUnlearning: everything after as many tokens as the prompt alone has.
TEST(Encode, CompatLabelsAfterThePromptAlone) {
  const auto dir = MakeToy("encode_compat");
  const Encoder ours = MakeEncoder(dir), theirs = MakeEncoder(dir, {.compat = "open-unlearning"});
  const Example example = Ask("Who?", "Ada Byron");
  const Sequence a = ours.Encode(example), b = theirs.Encode(example);
  EXPECT_EQ(a.tokens, b.tokens);
  const auto prompt = ours.tokenizer().Encode("Question: Who?\nAnswer: ", true).ids.size();
  EXPECT_EQ(b.labels.front(), static_cast<int32_t>(prompt));
  EXPECT_EQ(b.labels.back(), a.labels.back());
}

}  // namespace
}  // namespace grin
