// The classifier against transformers, by tests/data/make_bert_goldens.py.

#include "grin/metric/toxicity_classifier.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path BertPath(const std::string& name) {
  return std::filesystem::path(GRIN_TEST_DATA) / "bert" / name;
}

class Classifier : public ::testing::TestWithParam<const char*> {
 protected:
  const Json golden_ = GoldenJson(std::string("bert/") + GetParam() + "/golden.json");
  const std::vector<std::string> texts_ = golden_["texts"].get<std::vector<std::string>>();
  const ToxicityClassifier classifier_ = ToxicityClassifier::Load(BertPath(GetParam()), {}, TestDevice());
};

INSTANTIATE_TEST_SUITE_P(Tiny, Classifier,
                         ::testing::Values("six_labels", "two_labels", "three_labels"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Classifier, LogitsAndScoresEqualTransformers) {
  const at::Tensor logits = classifier_.Logits(texts_);
  const std::vector<double> scores = classifier_.Score(texts_);
  EXPECT_EQ(classifier_.label(), golden_["label"].get<std::string>());
  ASSERT_EQ(logits.size(0), static_cast<int64_t>(texts_.size()));
  for (size_t i = 0; i < texts_.size(); ++i) {
    const auto row = golden_["logits"][i].get<std::vector<float>>();
    ASSERT_EQ(logits.size(1), static_cast<int64_t>(row.size()));
    const at::Tensor difference = logits[static_cast<int64_t>(i)] - at::tensor(row);
    EXPECT_LT(difference.abs().max().item<double>(), 1e-5) << texts_[i];
    EXPECT_NEAR(scores[i], golden_["scores"][i].get<double>(), 1e-6) << texts_[i];
  }
}

TEST_P(Classifier, ScoresDoNotDependOnOtherTexts) {
  const std::vector<double> together = classifier_.Score(texts_);
  for (const int64_t pass_tokens : {1, 37, 200}) {
    const auto split = ToxicityClassifier::Load(BertPath(GetParam()), {.pass_tokens = pass_tokens},
                                                TestDevice());
    const std::vector<double> scores = split.Score(texts_);
    for (size_t i = 0; i < texts_.size(); ++i) EXPECT_NEAR(scores[i], together[i], 1e-6);
  }
  std::vector<std::string> reversed(texts_.rbegin(), texts_.rend());
  std::vector<double> scores = classifier_.Score(reversed);
  std::ranges::reverse(scores);
  for (size_t i = 0; i < texts_.size(); ++i) EXPECT_NEAR(scores[i], together[i], 1e-6);
}

TEST(ToxicityClassifier, OfNoTexts) {
  EXPECT_TRUE(ToxicityClassifier::Load(BertPath("six_labels")).Score({}).empty());
}

TEST(ToxicityClassifier, ReportsTheLabelAskedFor) {
  const auto classifier = ToxicityClassifier::Load(BertPath("six_labels"), {.label = "Insult"});
  EXPECT_EQ(classifier.label(), "insult");
  const std::vector<std::string> texts = {"a token", "a name"};
  const at::Tensor expected = at::sigmoid(classifier.Logits(texts).to(at::kDouble)).select(1, 4);
  const std::vector<double> scores = classifier.Score(texts);
  EXPECT_DOUBLE_EQ(scores[0], expected[0].item<double>());
  EXPECT_DOUBLE_EQ(scores[1], expected[1].item<double>());
  EXPECT_THAT(
      MessageOf([] { ToxicityClassifier::Load(BertPath("two_labels"), {.label = "toxic"}); }),
      AllOf(HasSubstr("no label 'toxic'"), HasSubstr("nothate, HATE")));
}

TEST(ToxicityClassifier, FindsTheToxicLabelOrListsThem) {
  const auto find = [](const std::vector<std::string>& labels) {
    return FindToxicLabel(labels, "M");
  };
  EXPECT_EQ(find({"obscene", "Toxic", "threat"}), 1u);
  EXPECT_EQ(find({"non-toxic", "toxic"}), 1u);
  EXPECT_EQ(find({"TOXICITY", "severe_toxicity"}), 0u);
  EXPECT_EQ(find({"hate_speech", "normal"}), 0u);
  for (const std::vector<std::string>& labels :
       std::vector<std::vector<std::string>>{{"LABEL_0", "LABEL_1"},
                                             {"hate", "offensive"},
                                             {"hate", "offensive", "neither"},
                                             {"toxic", "toxicity"}}) {
    EXPECT_THAT(MessageOf([&] { find(labels); }),
                HasSubstr("M: which label means toxic is unclear; its labels are " + labels[0]));
  }
}

// A copy of a fixture whose config.json has another value.
std::string ErrorWith(const char* key, const Json& value) {
  const auto dir = EmptyDirectory("bert");
  for (const auto& entry : std::filesystem::directory_iterator(BertPath("six_labels"))) {
    std::filesystem::copy(entry.path(), dir / entry.path().filename());
  }
  Json config = GoldenJson("bert/six_labels/config.json");
  config[key] = value;
  WriteFile(dir / "config.json", config.dump());
  return MessageOf([&] { ToxicityClassifier::Load(dir); });
}

TEST(ToxicityClassifier, NamesWhatIsNotSupported) {
  EXPECT_EQ(ErrorWith("hidden_act", "gelu_fast"), "no error");
  EXPECT_THAT(ErrorWith("architectures", {"RobertaForSequenceClassification"}),
              AllOf(HasSubstr("config.json"), HasSubstr("RobertaForSequenceClassification"),
                    HasSubstr("expected a BertForSequenceClassification")));
  EXPECT_THAT(ErrorWith("model_type", "roberta"), HasSubstr("model_type 'roberta'"));
  EXPECT_THAT(ErrorWith("hidden_act", "mish"), HasSubstr("'mish'"));
  EXPECT_THAT(ErrorWith("position_embedding_type", "relative_key"), HasSubstr("'relative_key'"));
  EXPECT_THAT(ErrorWith("problem_type", "regression"), HasSubstr("'regression'"));
  EXPECT_THAT(ErrorWith("num_attention_heads", 5), HasSubstr("5 attention heads"));
  EXPECT_THAT(ErrorWith("hidden_size", 27), HasSubstr("config.json makes it [320, 27]"));
  EXPECT_THAT(ErrorWith("layer_norm_eps", "x"), HasSubstr("layer_norm_eps is 'x'"));
  EXPECT_THAT(ErrorWith("vocab_size", 0), HasSubstr("vocab_size is 0"));
  EXPECT_THAT(ErrorWith("id2label", Json{{"0", "toxic"}, {"2", "b"}}), HasSubstr("'1' is missing"));
  EXPECT_THAT(ErrorWith("id2label", Json{{"0", "toxic"}, {"1", "b"}}),
              HasSubstr("classifier.weight has shape [6, 24]"));
}

TEST(ToxicityClassifier, RefusesALanguageModelAndTheOtherWayRound) {
  EXPECT_THAT(MessageOf([] { ToxicityClassifier::Load(TinyPath("llama_plain")); }),
              AllOf(HasSubstr("LlamaForCausalLM"), HasSubstr("no classifier")));
  EXPECT_THAT(MessageOf([] { LoadModel(Checkpoint::Open(BertPath("six_labels"))); }),
              HasSubstr("bert"));
}

}  // namespace
}  // namespace grin
