// Labels on the tokens of an answer, for every template; prompts; truncation.

#include "grin/data/encode.h"

#include <gmock/gmock.h>

#include "grin/data/conversation.h"
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

// Where tokenizer_config.json is silent, the tokens of its class reach the template.
TEST(Encode, TokensOfTheClassReachTheTemplate) {
  const auto dir = MakeToy("encode_class", {.tokenizer = "sentencepiece_like"});
  const auto head = [&](const Json& config) {
    WriteFile(dir / "tokenizer_config.json", config.dump());
    return MakeEncoder(dir).EncodePrompt("Who?");
  };
  Json config = {{"tokenizer_class", "LlamaTokenizer"},
                 {"chat_template", "{{ bos_token }}{{ messages[0]['content'] }}"}};
  EXPECT_EQ(head(config).front(), 1);
  config["bos_token"] = nullptr;  // said to be none
  config["add_bos_token"] = false;
  EXPECT_NE(head(config).front(), 1);
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
  EXPECT_EQ(ours.tokenizer().Decode(ours.EncodePrompt(example), false), "a:");
  EXPECT_EQ(theirs.tokenizer().Decode(theirs.EncodePrompt(example), false), "a:");
  const Sequence sequence = theirs.Encode(example);
  EXPECT_EQ(sequence.labels.front(), 2);  // behind "a" and ":"
}

// Prompts and finished chats are what transformers makes of them, and the answer is scored wherever
// the template shows it: tests/data/make_chat_prompt_goldens.py.
TEST(Encode, ChatsAreThoseOfTransformers) {
  const Json goldens =
      Json::parse(ReadFile(std::filesystem::path(GRIN_TEST_DATA) / "chat_prompts.json"));
  ASSERT_EQ(goldens["made_with"], "transformers 4.45.1");
  int64_t scored = 0, refused = 0;
  for (const auto& [name, source] : goldens["templates"].items()) {
    const auto dir = MakeToy("encode_chats", {.tokenizer = source["tokenizer"], .context = 512});
    WriteFile(dir / "tokenizer_config.json", Json{{"tokenizer_class", "PreTrainedTokenizerFast"},
                                                  {"bos_token", "<s>"},
                                                  {"eos_token", source["eos_token"]},
                                                  {"chat_template", source["source"]}}
                                                 .dump());
    const Encoder encoder = MakeEncoder(dir);
    for (const Json& golden : goldens["cases"]) {
      if (golden["template"] != name) continue;
      const Json& conversation = goldens["conversations"][golden["turns"].get<size_t>()];
      SCOPED_TRACE(golden.dump());
      Example example;
      example.turns = ReadMessages(conversation, "set.jsonl:7");
      example.prompt = "not empty";
      example.response = golden["answer"];
      example.where = "set.jsonl:7";
      const auto told_where = [&](const auto& work) {
        ++refused;
        EXPECT_THAT(MessageOf(work), HasSubstr("set.jsonl:7: "));
      };
      if (golden["prompt_ids"].is_null()) {
        told_where([&] { encoder.EncodePrompt(example); });
      } else {
        EXPECT_EQ(Json(encoder.EncodePrompt(example)), golden["prompt_ids"]);
      }
      if (golden["ids"].is_null()) {
        told_where([&] { encoder.Encode(example); });
        continue;
      }
      const Sequence sequence = encoder.Encode(example);
      EXPECT_EQ(Json(sequence.tokens), golden["ids"]);
      ASSERT_FALSE(sequence.labels.empty());
      EXPECT_EQ(sequence.labels.front(), golden["first"].get<int32_t>());
      EXPECT_EQ(sequence.labels.back(), sequence.length() - 1);
      std::string said;
      for (const auto& [begin, end] : sequence.label_spans) {
        if (begin >= 0) said += example.response.substr(begin, end - begin);
      }
      EXPECT_EQ(said, golden["shown"]);
      ++scored;
    }
  }
  EXPECT_GT(scored, 500);
  EXPECT_GT(refused, 100);
}

// A template that refuses a plain question is no reason to refuse a model whose records fit.
TEST(Encode, TheTokenThatClosesAnswersIsFoundBehindTurnsThatTheTemplateTakes) {
  const auto closes = [&](const std::string& condition) {
    const auto dir = MakeToy("encode_probe", {.chat_template = "{% if " + condition +
                                                               " %}{{ raise_exception('no') }}"
                                                               "{% endif %}" +
                                                               kToyChat});
    const auto ids = MakeEncoder(dir).stop_tokens();
    return std::ranges::count(ids, 2) > 0;  // <|im_end|>
  };
  EXPECT_TRUE(closes("false"));
  EXPECT_TRUE(closes("messages[0]['role'] != 'system'"));
  EXPECT_TRUE(closes("messages | length < 3"));
  EXPECT_FALSE(closes("messages | length < 9"));
}

// A tokenizer may put its end token behind every text: not between a prompt and what continues it.
TEST(Encode, EndTokensOfTheTokenizerCloseNoPrompt) {
  const auto dir =
      MakeToy("encode_closed", {.tokenizer = "sentencepiece_like", .end_token = "</s>"});
  const Encoder open = MakeEncoder(dir, {.template_name = "raw"});
  Json file = Json::parse(ReadFile(dir / "tokenizer.json"));
  ASSERT_TRUE(file["post_processor"]["single"].is_array());
  file["post_processor"]["single"].push_back({{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}});
  file["post_processor"]["special_tokens"]["</s>"] = {
      {"id", "</s>"}, {"ids", {2}}, {"tokens", {"</s>"}}};
  WriteFile(dir / "tokenizer.json", file.dump());
  const Encoder closed = MakeEncoder(dir, {.template_name = "raw"});
  ASSERT_EQ(closed.tokenizer().Encode("a b", true).ids.back(), 2);
  for (const char* prompt : {"Tom ran", "ends with a space ", "</s>", "a</s>"}) {
    SCOPED_TRACE(prompt);
    EXPECT_EQ(closed.EncodePrompt(prompt), open.EncodePrompt(prompt));
    EXPECT_EQ(closed.tokenizer().EncodeBeginning(prompt).ids,
              open.tokenizer().Encode(prompt, true).ids);
    const Sequence a = closed.Encode(Ask(prompt, " home.")), b = open.Encode(Ask(prompt, " home."));
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.labels, b.labels);
    EXPECT_EQ(a.label_spans, b.label_spans);
  }
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
