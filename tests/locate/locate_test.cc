// The locate stage against masks made by plain PyTorch (tests/data/locate).

#include "grin/locate/locate.h"

#include <gmock/gmock.h>

#include <bit>

#include "grin/io/safetensors.h"
#include "tests/locate/influence_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

class LocateTest : public ::testing::TestWithParam<const char*> {
 protected:
  const InfluenceGolden golden_{GetParam()};
  const Model model_ = LoadTiny(GetParam());

  Mask Run(const LocateOptions& options, int64_t pass_tokens = 1024, uint64_t seed = 0) const {
    return Locate(model_, golden_.forget, golden_.retain, options, seed, pass_tokens);
  }
};

INSTANTIATE_TEST_SUITE_P(Tiny, LocateTest, ::testing::ValuesIn(kInfluenceModels),
                         [](const auto& info) { return std::string(info.param); });

LocateOptions OptionsOf(const Json& row) {
  LocateOptions options;
  options.locate = row["method"];
  if (row["fraction"] > 0) options.fraction = row["fraction"];
  if (row["statistic"].is_string()) options.statistic = row["statistic"];
  if (row["epsilon"].is_string()) options.epsilon = row["epsilon"];
  const Json& settings = row["settings"];
  options.mu = settings.value("mu", options.mu);
  options.retain_weight = settings.value("retain_weight", options.retain_weight);
  options.threshold = settings.value("threshold", 0.0);
  return options;
}

TEST_P(LocateTest, SelectsWhatPyTorchSelects) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP() << kLeftOutOnDevice;
  const SafetensorsFile bits(std::filesystem::path(GRIN_TEST_DATA) / "locate" /
                             (std::string(GetParam()) + "_masks.safetensors"));
  ASSERT_GE(golden_.json["masks"].size(), 18u);
  for (const Json& row : golden_.json["masks"]) {
    const std::string key = row["key"];
    const int64_t count = row["count"];
    const Mask mask = Run(OptionsOf(row));
    EXPECT_EQ(mask.count(), count) << key;
    EXPECT_EQ(mask.total(), golden_.json["weights"].get<int64_t>());
    int64_t shared = 0;
    for (const MaskTensor& tensor : mask.tensors()) {
      const int64_t index = bits.Find(key + "/" + tensor.name);
      ASSERT_GE(index, 0) << key << "/" << tensor.name;
      const auto expected = bits.Bytes(index);
      ASSERT_EQ(expected.size(), tensor.bits.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        shared += std::popcount(
            static_cast<uint8_t>(std::to_integer<uint8_t>(expected[i]) & tensor.bits[i]));
      }
    }
    // Rounding may exchange weights only where scores lie closer than fp32 tells apart.
    const int64_t allowed = row["margin"].get<double>() > 1e-4 ? 0 : count / 2000 + 1;
    EXPECT_GE(shared, count - allowed) << key << " margin " << row["margin"];
  }
}

TEST_P(LocateTest, DoesNotDependOnThePasses) {
  const Mask whole = Run({}, 1 << 20), parts = Run({}, 11);
  int64_t differ = 0;
  for (const MaskTensor& tensor : whole.tensors()) {
    const MaskTensor& other = *parts.Find(tensor.name);
    for (int64_t i = 0; i < tensor.size(); ++i) differ += tensor.Has(i) != other.Has(i);
  }
  EXPECT_LE(differ, 2);
}

void ExpectSameMask(const Mask& mask, const Mask& expected, const std::string& what) {
  ASSERT_EQ(mask.tensors().size(), expected.tensors().size()) << what;
  for (size_t i = 0; i < mask.tensors().size(); ++i) {
    EXPECT_EQ(mask.tensors()[i].name, expected.tensors()[i].name) << what;
    EXPECT_EQ(mask.tensors()[i].bits, expected.tensors()[i].bits) << what;
  }
}

// Every method, by blocks of layers and with its numbers on the host or in a file.
TEST_P(LocateTest, IsTheSameToTheBitInLessMemory) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP();
  std::vector<LocateOptions> all;
  for (const ScoreMethod& method : ScoreMethods()) {
    // There each operator costs several system calls, and these stand for all.
    if (!TestDevice().is_cpu() && method.name != "grin" && method.name != "magnitude") continue;
    all.push_back({.locate = std::string(method.name), .scope = {"*"}});
    all.push_back({.locate = std::string(method.name), .scope = {"*.mlp.*,+embeddings"}});
  }
  if (TestDevice().is_cpu()) all.push_back({.epsilon = "mean"});
  all.push_back({.statistic = "abs"});
  all.push_back({.locate = "ssd", .threshold = 1.5});
  for (const LocateOptions& options : all) {
    const Mask whole = Run(options, 16);
    for (const LocateMemory& memory :
         {LocateMemory{.blocks_at_a_time = 1},
          LocateMemory{.blocks_at_a_time = 1, .streams_on_host = true, .keep = KeepPlace::kHost},
          LocateMemory{.blocks_at_a_time = 1, .keep = KeepPlace::kFile},
          LocateMemory{.keep = KeepPlace::kFile}}) {
      ExpectSameMask(
          Locate(model_, golden_.forget, golden_.retain, options, 0, 16, nullptr, memory), whole,
          options.locate);
    }
  }
}

TEST_P(LocateTest, DrawsBySeed) {
  LocateOptions options;
  options.locate_sample = 4;
  const auto bits = [&](uint64_t seed) {
    LocateReport report;
    const Mask mask = Locate(model_, golden_.forget, golden_.retain, options, seed, 1024, &report);
    EXPECT_EQ(report.forget_sequences, 4);
    EXPECT_EQ(report.retain_sequences, 4);
    std::vector<std::vector<uint8_t>> all;
    for (const MaskTensor& tensor : mask.tensors()) all.push_back(tensor.bits);
    return all;
  };
  EXPECT_EQ(bits(1), bits(1));
  EXPECT_NE(bits(1), bits(2));
}

TEST_P(LocateTest, SaysHowTheMaskWasMade) {
  LocateReport report;
  const Mask mask = Locate(model_, golden_.forget, golden_.retain, {}, 5, 1024, &report);
  EXPECT_EQ(mask.metadata().at("method"), "grin");
  EXPECT_EQ(mask.metadata().at("fraction"), "0.05");
  EXPECT_EQ(mask.metadata().at("seed"), "5");
  const double epsilon = golden_.json["epsilon"]["mean"]["50%"];
  EXPECT_NEAR(report.epsilon, epsilon, 1e-5 * epsilon);
  EXPECT_NEAR(report.share_below_epsilon, golden_.json["below"].get<double>(), 1e-12);
  int64_t selected = 0;
  for (const ModuleDensity& module : DensityByModule(mask)) selected += module.selected;
  EXPECT_EQ(selected, mask.count());
}

// It is what runs without a mask are compared with.
TEST_P(LocateTest, AllLeavesNothingOut) {
  const Mask mask = Run({.locate = "all"});
  EXPECT_EQ(mask.count(), mask.total());
  EXPECT_EQ(mask.metadata().at("fraction"), "1");
}

TEST_P(LocateTest, ImportancesAreMeanSquaresUnlessOneSaysOtherwise) {
  if (LeftOutOnDevice(GetParam())) GTEST_SKIP() << kLeftOutOnDevice;
  EXPECT_EQ(Run({.locate = "ssd"}).metadata().at("statistic"), "rms");
  EXPECT_EQ(Run({.locate = "perta"}).metadata().at("statistic"), "rms");
  EXPECT_EQ(Run({.locate = "perta", .statistic = "abs"}).metadata().at("statistic"), "abs");
  EXPECT_EQ(Run({.locate = "snip"}).metadata().at("statistic"), "mean");
}

TEST_P(LocateTest, RefusesSettingsThatMakeNoMask) {
  const auto message = [&](LocateOptions options) { return MessageOf([&] { Run(options); }); };
  EXPECT_THAT(message({.locate = "grim"}), HasSubstr("did you mean grin?"));
  EXPECT_THAT(message({.fraction = 0}), HasSubstr("--fraction is 0"));
  EXPECT_THAT(message({.fraction = 1.5}), HasSubstr("--fraction is 1.5"));
  EXPECT_THAT(message({.fraction = 1e-9}), HasSubstr("selects none"));
  EXPECT_THAT(message({.statistic = "median"}), HasSubstr("median"));
  EXPECT_THAT(message({.scope = {"nothing.*"}}), HasSubstr("nothing.*"));
  EXPECT_THAT(message({.mu = 0}), HasSubstr("--mu is 0"));
  EXPECT_THAT(message({.retain_weight = -1}), HasSubstr("--retain-weight is -1"));
  EXPECT_THAT(message({.threshold = -1}), HasSubstr("--threshold is -1"));
  EXPECT_THAT(message({.locate = "perta", .threshold = 1}), HasSubstr("no score of --locate perta"));
}

}  // namespace
}  // namespace grin
