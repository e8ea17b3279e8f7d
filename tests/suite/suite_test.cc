// Suites on files of a few lines and a tiny model: what is asked, what is refused, and what is said
// about the rest.

#include "grin/suite/suite.h"

#include <gmock/gmock.h>

#include "tests/data/toy_checkpoint.h"
#include "tests/base/warnings.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kTofu = fs::path(GRIN_TEST_DATA) / "eval/tofu";

// Asks a model, by default the tiny one of the TOFU fixtures.
Json Measure(const SuiteOptions& options, const std::string& columns = "",
             const fs::path& directory = kTofu / "model") {
  const auto checkpoint = Checkpoint::Open(directory);
  const Model model = LoadModel(checkpoint);
  const Encoder encoder(*checkpoint, model.config, {.template_name = "qa"});
  const Suite& suite = FindSuite(options.suite);
  const SuiteOptions settings = SettleOptions(suite, options, columns);
  EvalPlan plan;
  const FinishSuite finish =
      suite.plan({.options = settings,
                  .encoder = encoder,
                  .context = model.config.context,
                  .positions = model.positions.defined() ? model.config.context : 0,
                  .columns = columns,
                  .note_input = [](const fs::path&, int64_t) {}},
                 plan);
  return finish(plan.Run(model, encoder), nullptr);
}

std::string Refusal(const SuiteOptions& options, const std::string& columns = "",
                    const fs::path& directory = kTofu / "model") {
  return MessageOf([&] { Measure(options, columns, directory); });
}

SuiteOptions Options(const std::string& suite, const fs::path& data) {
  SuiteOptions options;
  options.suite = suite;
  options.data = data.string();
  options.max_new_tokens = 4;
  return options;
}

// A question of each subject.
fs::path MmluFolder() {
  const fs::path folder = EmptyDirectory("suite_mmlu");
  std::string lines;
  for (const char* subject : {"anatomy", "virology"}) {
    lines += Json{{"question", "Which?"},
                  {"subject", subject},
                  {"choices", {"this", "that", "both", "none"}},
                  {"answer", 1}}
                 .dump() +
             "\n";
  }
  WriteFile(folder / "test.jsonl", lines);
  return folder;
}

TEST(Split, EverySuiteHasItsOwnDefaultOrNone) {
  const auto settled = [](const char* name) { return SettleOptions(FindSuite(name), {}).split; };
  EXPECT_EQ(settled("tofu"), "forget10");
  EXPECT_EQ(settled("wmdp"), "all");
  EXPECT_EQ(settled("mmlu"), "all");
  for (const char* name : {"safepku", "muse", "perplexity", "keywords", "custom"}) {
    EXPECT_EQ(settled(name), "");
    SuiteOptions options;
    options.split = "forget10";
    EXPECT_THAT(MessageOf([&] { SettleOptions(FindSuite(name), options); }),
                HasSubstr(std::string("--split: suite ") + name + " has no splits"));
  }
}

TEST(Split, OneSubjectOfMmluOrAll) {
  SuiteOptions options = Options("mmlu", MmluFolder());
  const Json all = Measure(options);
  EXPECT_TRUE(all.contains("mmlu_anatomy") && all.contains("mmlu_virology")) << all;
  EXPECT_EQ(all["mmlu"]["questions"], 2);
  options.split = "virology";
  const Json one = Measure(options);
  EXPECT_FALSE(one.contains("mmlu_anatomy")) << one;
  EXPECT_EQ(one["mmlu"]["questions"], 1);
}

TEST(Split, UnknownOnesNameTheNearest) {
  SuiteOptions options = Options("mmlu", MmluFolder());
  options.split = "anatomi";
  EXPECT_THAT(Refusal(options), HasSubstr("did you mean anatomy?; there is all, anatomy"));
  options = Options("wmdp", EmptyDirectory("suite_wmdp"));
  options.split = "biology";
  EXPECT_THAT(Refusal(options), HasSubstr("did you mean bio?; there is bio, cyber, chem, all"));
  options = Options("tofu", kTofu);
  EXPECT_THAT(Refusal(options), HasSubstr("'forget10', did you mean forget01?"));
  // A folder without any forget split is not TOFU's.
  options.data = EmptyDirectory("suite_none").string();
  EXPECT_THAT(Refusal(options), HasSubstr("holds no forget10_perturbed or forget10"));
}

TEST(Split, MetricsOfAnotherPartAreRefused) {
  SuiteOptions options = Options("wmdp", EmptyDirectory("suite_wmdp"));
  options.split = "bio";
  options.metrics = {"wmdp_cyber"};
  EXPECT_THAT(Refusal(options), HasSubstr("this suite has no 'wmdp_cyber'"));
}

// Two records under names of their own, and what they are when read by the common ones.
fs::path SetWithOtherNames() {
  const fs::path folder = EmptyDirectory("suite_columns");
  WriteFile(folder / "set.jsonl",
            "{\"question\": \"Who?\", \"other_question\": \"Who wrote it?\", \"answer\": \"Oda "
            "Venn.\"}\n"
            "{\"question\": \"When?\", \"other_question\": \"When was it?\", \"answer\": \"In "
            "1911.\"}\n");
  return folder / "set.jsonl";
}

std::string FirstInput(const Json& result) { return result["value_by_index"]["0"]["input"]; }

TEST(Columns, NameWhatIsAsked) {
  const SuiteOptions options = Options("keywords", SetWithOtherNames());
  EXPECT_THAT(FirstInput(Measure(options)["set_Q_A_ROUGE"]), HasSubstr("Question: Who?"));
  const Json named = Measure(options, "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(named["set_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
  EXPECT_THAT(Refusal(options, "prompt=q,response=answer"),
              HasSubstr("set.jsonl:1: 'q' is missing"));
}

TEST(Columns, AreThoseOfTofusSetsToo) {
  SuiteOptions options = Options("tofu", SetWithOtherNames().parent_path());
  options.split = "set";
  options.metrics = {"forget_Q_A_ROUGE"};
  const Json named = Measure(options, "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(named["forget_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
}

TEST(Columns, OfASectionGoBeforeTheFlag) {
  const fs::path set = SetWithOtherNames(), recipe = set.parent_path() / "sets.toml";
  WriteFile(recipe,
            "[own]\ndata = \"set.jsonl\"\nmetrics = [\"rouge\"]\n"
            "columns = \"prompt=question,response=answer\"\n"
            "[other]\ndata = \"set.jsonl\"\nmetrics = [\"rouge\"]\n");
  const Json results = Measure(Options("custom", recipe), "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(results["own_Q_A_ROUGE"]), HasSubstr("Question: Who?"));
  EXPECT_THAT(FirstInput(results["other_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
}

TEST(Columns, AreRefusedWhereFilesHaveOneForm) {
  for (const char* suite : {"wmdp", "mmlu", "muse"}) {
    EXPECT_THAT(Refusal(Options(suite, "nowhere"), "prompt=q,response=a"),
                HasSubstr(std::string("--columns: suite ") + suite));
  }
}

TEST(Columns, OfSafePkuAreThoseOfItsPairsAlone) {
  const fs::path folder = EmptyDirectory("suite_pku_columns");
  WriteFile(folder / "forget.jsonl", "{\"q\": \"How is it done?\", \"a\": \"Like this.\"}\n");
  WriteFile(folder / "test.jsonl", "{\"q\": \"And safely?\", \"a\": \"Like that.\"}\n");
  WriteFile(folder / "realtoxicityprompts.jsonl", "{\"prompt\": {\"text\": \"It was a\"}}\n");
  WriteFile(folder / "wiki.jsonl", "{\"text\": \"A text of some words.\"}\n");
  const Json results = Measure(Options("safepku", folder), "prompt=q,response=a");
  for (const char* result :
       {"forget_repetition", "test_repetition", "rtp_repetition", "perplexity"}) {
    EXPECT_TRUE(results[result]["agg_value"].is_number()) << result << ": " << results[result];
  }
}

TEST(PlainText, HasNoPromptToAnswer) {
  const fs::path folder = EmptyDirectory("suite_text");
  WriteFile(
      folder / "set.jsonl",
      "{\"text\": \"Oda Venn lives in Hallowmere.\"}\n{\"text\": \"She wrote the Almanac.\"}\n");
  const Json results = Measure(Options("keywords", folder / "set.jsonl"));
  for (const char* result : {"set_Q_A_ROUGE", "set_keyword_accuracy_generated"}) {
    ASSERT_TRUE(results.contains(result)) << result;
    EXPECT_EQ(results[result]["not_measured"], "plain text has no prompt") << result;
  }
  for (const char* result : {"set_Q_A_Prob", "set_keyword_accuracy", "set_repetition"}) {
    EXPECT_TRUE(results[result]["agg_value"].is_number()) << result << ": " << results[result];
  }
}

TEST(Keywords, SetsOfOneNameAreRefused) {
  EXPECT_THAT(Refusal(Options("keywords", "a/test.jsonl,b/test.jsonl")),
              HasSubstr("a/test.jsonl and b/test.jsonl are both called 'test'; name them: "
                        "NAME=a/test.jsonl,OTHER=b/test.jsonl"));
  EXPECT_THAT(Refusal(Options("keywords", "x=a.jsonl,x=b.jsonl")), HasSubstr("both called 'x'"));
  EXPECT_THAT(Refusal(Options("keywords", "one=a/test.jsonl,b/test.jsonl")),
              HasSubstr("a/test.jsonl"));
}

TEST(Custom, ErrorsNameLineAndColumn) {
  const fs::path recipe = EmptyDirectory("suite_custom") / "sets.toml";
  const auto refusal = [&](const std::string& text) {
    WriteFile(recipe, text);
    return Refusal(Options("custom", recipe));
  };
  const std::string one = "data = \"set.jsonl\"\nmetrics = [\"rouge\"]\n";
  EXPECT_THAT(refusal("[one]\n" + one + "[two]\n" + one + "[one]\n" + one),
              AllOf(HasSubstr("sets.toml:7:"), HasSubstr("'one'")));
  EXPECT_THAT(refusal(one + "[one]\n" + one),
              HasSubstr("sets.toml:1:1: 'data' stands before the first section"));
  EXPECT_THAT(refusal("[one]\n" + one + "mertics = [\"rouge\"]\n"),
              HasSubstr("sets.toml:4:1: unknown setting 'mertics'; did you mean 'metrics'?"));
  EXPECT_THAT(refusal("[one]\n" + one + "zzz = 1\n"),
              HasSubstr("known in a section are data, metrics, columns, max-new-tokens"));
  EXPECT_THAT(refusal("[one]\n" + one + "max-new-tokens = \"9\"\n"),
              HasSubstr("sets.toml:4:1: max-new-tokens is the text \"9\", expected an integer"));
  EXPECT_THAT(refusal("[one]\n" + one + "max-new-tokens = 0\n"),
              HasSubstr("sets.toml:4:1: max-new-tokens is 0, expected 1 or more"));
  EXPECT_THAT(refusal("[one]\ndata = 3.5\n"), HasSubstr("section [one] needs data"));
  EXPECT_THAT(refusal("[one]\ndata = [\"set.jsonl\"]\n"),
              HasSubstr("sets.toml:2:1: data is the list [\"set.jsonl\"], expected one text"));
  EXPECT_THAT(refusal("[one]\nmetrics = [\"rouge\"]\n"),
              HasSubstr("sets.toml:1:2: section [one] needs data = \"FILE\""));
  EXPECT_THAT(refusal("[one.two]\n" + one), HasSubstr("unknown setting 'two'"));
  EXPECT_THAT(refusal("# nothing\n"), HasSubstr("sets.toml: names no set"));
  EXPECT_THAT(refusal("[one\n"), HasSubstr("sets.toml:1:5: is not TOML: "));
}

TEST(Custom, DottedKeysAndInlineTablesAreSectionsToo) {
  const fs::path recipe = SetWithOtherNames().parent_path() / "sets.toml";
  WriteFile(recipe,
            "own = {data = \"set.jsonl\", metrics = \"rouge\", "
            "columns = [\"prompt=question\", \"response=answer\"]}\n"
            "other.data = \"set.jsonl\"\nother.metrics = [\"rouge\"]\nother.max-new-tokens = 3\n");
  const Json results = Measure(Options("custom", recipe), "prompt=other_question,response=answer");
  EXPECT_THAT(FirstInput(results["own_Q_A_ROUGE"]), HasSubstr("Question: Who?"));
  EXPECT_THAT(FirstInput(results["other_Q_A_ROUGE"]), HasSubstr("Question: Who wrote it?"));
}

fs::path PkuFolder() {
  const fs::path folder = EmptyDirectory("suite_pku") / "pku";  // with nothing beside it
  fs::create_directory(folder);
  WriteFile(folder / "forget.jsonl", "{\"prompt\": \"How is it done?\", \"response\": \"So.\"}\n");
  WriteFile(folder / "wikitext.txt", "A text of some words, and of a few more.\n");
  WriteFile(folder / "wiki-SOURCE.txt", "Where it came from.\n");
  WriteFile(folder / "wiki.README.md", "What it is.\n");
  return folder;
}

TEST(SafePku, MeasuresWhatIsThere) {
  SuiteOptions options = Options("safepku", PkuFolder());
  const Json all = Measure(options);
  EXPECT_TRUE(all["forget_repetition"]["agg_value"].is_number()) << all["forget_repetition"];
  EXPECT_TRUE(all["perplexity"]["agg_value"].is_number()) << all["perplexity"];
  EXPECT_THAT(all["test_repetition"]["not_measured"], HasSubstr("safe_test.* is not in"));
  EXPECT_FALSE(all.contains("rtp_refusal_rate"));
  options.metrics = {"perplexity"};
  const Warnings warnings;
  const Json one = Measure(options);
  EXPECT_EQ(one.size(), 1u) << one;
  EXPECT_EQ(one["perplexity"], all["perplexity"]);
  EXPECT_EQ(warnings.text(), "") << "toxicity was not asked for";
}

TEST(SafePku, RefusesOnlyWhatCannotBeMeasuredAtAll) {
  SuiteOptions options = Options("safepku", PkuFolder());
  options.metrics = {"test_repetition"};
  EXPECT_THAT(Refusal(options), HasSubstr("nothing that was asked can be measured: test.* or "
                                          "safe_test.* is not in"));
  options.metrics = {"rtp_refusal_rate"};
  EXPECT_THAT(Refusal(options), HasSubstr("this suite has no 'rtp_refusal_rate'"));
  fs::remove(fs::path(options.data) / "wikitext.txt");
  options.metrics = {"perplexity", "forget_repetition"};
  EXPECT_THAT(Measure(options)["perplexity"]["not_measured"], HasSubstr("no running text"));
}

TEST(Muse, SaysOfEveryMetricWhyItIsNotMeasured) {
  const fs::path folder = EmptyDirectory("suite_muse");
  fs::copy(kTofu.parent_path() / "muse/knowmem", folder / "knowmem");
  const Json results = Measure(Options("muse", folder));
  EXPECT_TRUE(results["forget_knowmem_ROUGE"]["agg_value"].is_number());
  for (const char* result : {"forget_verbmem_ROUGE", "extraction_strength", "exact_memorization"}) {
    ASSERT_TRUE(results.contains(result)) << result;
    EXPECT_THAT(results[result]["not_measured"], HasSubstr("verbmem/forget is not in")) << result;
  }
  for (const char* result : {"mia_min_k", "privleak"}) {
    ASSERT_TRUE(results.contains(result)) << result;
    EXPECT_THAT(results[result]["not_measured"], HasSubstr("privleak/holdout is not in")) << result;
  }
  EXPECT_THAT(Refusal(Options("muse", EmptyDirectory("suite_none"))),
              HasSubstr("nothing that was asked can be measured: knowmem/forget_qa is not in"));
}

// GPT-2 with random weights: it has `positions` learned ones and reads nothing longer.
fs::path LearnedPositions(int64_t positions) {
  const fs::path dir = MakeToy("suite_learned_positions");
  constexpr int64_t kWidth = 16, kVocabulary = 704;
  const Json config = {{"model_type", "gpt2"},
                       {"architectures", {"GPT2LMHeadModel"}},
                       {"n_embd", kWidth},
                       {"n_head", 2},
                       {"n_layer", 1},
                       {"n_positions", positions},
                       {"vocab_size", kVocabulary},
                       {"eos_token_id", 0}};
  WriteFile(dir / "config.json", config.dump());
  std::vector<TensorInfo> infos;
  std::vector<at::Tensor> values;
  at::manual_seed(1);
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    infos.push_back({name, DType::kF32, shape});
    values.push_back(at::randn(shape) * 0.3);
  };
  const auto add_layer = [&](const std::string& name, int64_t in, int64_t out) {
    add(name + ".weight", in > 0 ? std::vector{in, out} : std::vector{out});
    add(name + ".bias", {out});
  };
  add("wte.weight", {kVocabulary, kWidth});
  add("wpe.weight", {positions, kWidth});
  add_layer("h.0.ln_1", 0, kWidth);
  add_layer("h.0.attn.c_attn", kWidth, 3 * kWidth);
  add_layer("h.0.attn.c_proj", kWidth, kWidth);
  add_layer("h.0.ln_2", 0, kWidth);
  add_layer("h.0.mlp.c_fc", kWidth, 4 * kWidth);
  add_layer("h.0.mlp.c_proj", 4 * kWidth, kWidth);
  add_layer("ln_f", 0, kWidth);
  SafetensorsWriter writer(dir / "model.safetensors", infos, {{"format", "pt"}});
  for (const at::Tensor& value : values) {
    writer.Write({static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
  }
  writer.Commit();
  return dir;
}

TEST(LearnedPositions, CutTextsOfMuseWithAWarning) {
  SuiteOptions options = Options("muse", kTofu.parent_path() / "muse");
  options.metrics = {"privleak", "extraction_strength"};
  const Warnings warnings;
  const Json results = Measure(options, "", LearnedPositions(20));
  EXPECT_TRUE(results["mia_min_k"]["agg_value"].is_number()) << results["mia_min_k"];
  for (const char* set : {"forget", "holdout", "verbmem"}) {
    EXPECT_THAT(warnings.text(), HasSubstr(std::string(set) + ": "));
  }
  EXPECT_THAT(warnings.text(), HasSubstr("longer than 20 tokens and lose their end"));
}

TEST(LearnedPositions, NameThePromptThatIsTooLong) {
  SuiteOptions options = Options("muse", kTofu.parent_path() / "muse");
  options.metrics = {"forget_verbmem_ROUGE"};
  EXPECT_THAT(Refusal(options, "", LearnedPositions(12)),
              ::testing::AllOf(HasSubstr("forget.json:"), HasSubstr("the prompt has"),
                               HasSubstr("the model has positions for 12")));
}

}  // namespace
}  // namespace grin
