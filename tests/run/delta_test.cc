// Saved changes go on and off to the very bytes.

#include "grin/run/delta.h"

#include <gmock/gmock.h>

#include <random>

#include "grin/gguf/open_checkpoint.h"
#include "grin/io/weights_digest.h"
#include "grin/io/write_checkpoint.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Changes that share of the elements by noise of the given size, or by random bits where it is 0.
EditTensor Shaken(double share, double noise, uint64_t seed = 1) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return [=](const TensorInfo& info, std::span<std::byte> bytes) {
    const auto size = static_cast<size_t>(DTypeSize(info.dtype));
    std::uniform_real_distribution<double> uniform;
    std::normal_distribution<double> normal;
    for (size_t at = 0; at < bytes.size(); at += size) {
      if (uniform(*random) >= share) continue;
      const std::span<std::byte> element = bytes.subspan(at, size);
      if (noise == 0) {
        for (std::byte& byte : element) byte = static_cast<std::byte>((*random)());
        continue;
      }
      double value;
      const auto wide = std::as_writable_bytes(std::span(&value, 1));
      ConvertFloats(info.dtype, element, DType::kF64, wide);
      value += noise * normal(*random);
      ConvertFloats(DType::kF64, wide, info.dtype, element);
    }
  };
}

class Delta : public testing::Test {
 protected:
  // A base and a result that differs from it by `edit`.
  void Make(const Toy& toy, const EditTensor& edit) {
    dir_ = EmptyDirectory("delta");
    WriteToy(dir_ / "base", toy);
    fs::create_directories(dir_ / "result");
    WriteCheckpoint(*OpenCheckpoint(dir_ / "base"), dir_ / "result", edit);
  }
  DeltaReport Diff() const {
    return WriteDelta(*OpenCheckpoint(dir_ / "base"), *OpenCheckpoint(dir_ / "result"),
                      {.out = dir_ / "delta", .force = true});
  }
  Json Apply(const std::string& model, const std::string& out, bool remove = false) const {
    return ApplyDelta({.delta = dir_ / "delta",
                       .model = dir_ / model,
                       .remove = remove,
                       .output = {.out = dir_ / out, .force = true}});
  }
  std::string Refusal(const std::string& model, bool remove = false) const {
    const std::string message = MessageOf([&] { Apply(model, "refused", remove); });
    EXPECT_FALSE(fs::exists(dir_ / "refused"));
    return message;
  }
  std::string Weights(const std::string& name) const {
    return ReadFile(dir_ / name / "model.safetensors");
  }
  static std::vector<std::string> Warnings(const std::function<void()>& work) {
    std::vector<std::string> warnings;
    const ListenerScope scope({.log = [&](LogLevel level, std::string_view text) {
      if (level == LogLevel::kWarning) warnings.emplace_back(text);
    }});
    work();
    return warnings;
  }

  fs::path dir_;
};

TEST_F(Delta, GoesOnAndOffToTheVeryBytes) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const double noise : {0.0, 0.1}) {
      Make({.dtype = type}, Shaken(0.05, noise));
      const DeltaReport report = Diff();
      EXPECT_GT(report.changed, 0);
      EXPECT_THAT(report.other_files, IsEmpty());
      Apply("base", "on");
      EXPECT_EQ(Weights("on"), Weights("result"));
      Apply("on", "off", true);
      EXPECT_EQ(Weights("off"), Weights("base"));
      for (const char* file : {"config.json", "tokenizer.json", "tokenizer_config.json"}) {
        EXPECT_EQ(ReadFile(dir_ / "off" / file), ReadFile(dir_ / "base" / file));
      }
    }
  }
}

// What others can read without grin: where, and what stands there now.
TEST_F(Delta, HoldsPositionsAndNewValues) {
  Make({.dtype = at::kBFloat16}, Shaken(0.05, 0.1));
  const DeltaReport report = Diff();
  const auto base = OpenCheckpoint(dir_ / "base"), result = OpenCheckpoint(dir_ / "result");
  const SafetensorsFile file(dir_ / "delta");
  EXPECT_EQ(*file.FindMetadata("format"), "grin-delta-1");
  EXPECT_EQ(*file.FindMetadata("base_sha256"), WeightsSha256(*base));
  EXPECT_EQ(*file.FindMetadata("result_sha256"), WeightsSha256(*result));
  int64_t changed = 0;
  for (const TensorInfo& info : base->tensors()) {
    const auto before = base->Read(info.name), after = result->Read(info.name);
    std::vector<int32_t> positions;
    std::string values;
    for (int64_t i = 0; i < info.elements(); ++i) {
      if (std::memcmp(&before.bytes[2 * i], &after.bytes[2 * i], 2) == 0) continue;
      positions.push_back(static_cast<int32_t>(i));
      values.append(reinterpret_cast<const char*>(&after.bytes[2 * i]), 2);
    }
    const int64_t at = file.Find(info.name + ".positions"), of = file.Find(info.name + ".values");
    ASSERT_EQ(at >= 0, !positions.empty()) << info.name;
    if (positions.empty()) continue;
    EXPECT_EQ(file.tensors()[at].dtype, DType::kI32);
    EXPECT_EQ(file.tensors()[of].dtype, DType::kBF16);
    EXPECT_EQ(file.Bytes(at).size(), 4 * positions.size());
    EXPECT_EQ(std::memcmp(file.Bytes(at).data(), positions.data(), 4 * positions.size()), 0);
    EXPECT_EQ(std::memcmp(file.Bytes(of).data(), values.data(), values.size()), 0);
    // Python's readers want each tensor aligned for its type.
    EXPECT_EQ((file.Bytes(at).data() - file.Bytes(0).data()) % 4, 0);
    EXPECT_EQ((file.Bytes(of).data() - file.Bytes(0).data()) % 2, 0);
    changed += static_cast<int64_t>(positions.size());
  }
  EXPECT_EQ(report.changed, changed);
}

// 5 % of a bf16 model, changed as strongly as the method's noise does, in under a fifth of its size. Of
// so small a model the header would be the larger part, so the tensors are counted.
TEST_F(Delta, IsSmall) {
  for (const double noise : {0.03, 0.3}) {
    Make({.dtype = at::kBFloat16, .tokenizer = ""}, Shaken(0.05, noise));
    const DeltaReport report = Diff();
    EXPECT_EQ(report.bytes, static_cast<int64_t>(fs::file_size(dir_ / "delta")));
    int64_t bytes = 0;
    const SafetensorsFile file(dir_ / "delta");
    for (const TensorInfo& info : file.tensors()) bytes += info.byte_size();
    const auto weights = static_cast<double>(report.weights);
    EXPECT_GT(static_cast<double>(report.changed), 0.04 * weights);
    EXPECT_LT(static_cast<double>(bytes), 0.2 * 2 * weights) << noise;
  }
}

TEST_F(Delta, OfNothingIsADelta) {
  Make({}, {});
  EXPECT_EQ(Diff().changed, 0);
  Apply("base", "on");
  EXPECT_EQ(Weights("on"), Weights("base"));
  EXPECT_EQ(DescribeDelta(dir_ / "delta")["changed"], "0");
}

TEST_F(Delta, RefusesAnotherBase) {
  Make({}, Shaken(0.05, 0.1));
  Diff();
  WriteToy(dir_ / "other", {.seed = 2});
  EXPECT_THAT(Refusal("other"),
              AllOf(HasSubstr("other: is not the base of"), HasSubstr("SHA-256")));
  EXPECT_THAT(Refusal("other", true), HasSubstr("is not the result of"));
  EXPECT_THAT(Refusal("result"), HasSubstr("on it already; --remove takes it off"));
  EXPECT_THAT(Refusal("base", true), HasSubstr("does not have"));
  // The bits of one weight make another base.
  fs::copy(dir_ / "base", dir_ / "nearly");
  std::string bytes = Weights("nearly");
  bytes.back() ^= 1;
  WriteFile(dir_ / "nearly/model.safetensors", bytes);
  EXPECT_THAT(Refusal("nearly"), HasSubstr("is not the base of"));
  EXPECT_THAT(MessageOf([&] {
                WriteDelta(*OpenCheckpoint(dir_ / "base"), *OpenCheckpoint(TinyPath("llama_plain")),
                           {.out = dir_ / "d2"});
              }),
              HasSubstr("[diff]"));
}

TEST_F(Delta, RefusesADamagedFile) {
  Make({}, Shaken(0.05, 0.1));
  Diff();
  const std::string whole = ReadFile(dir_ / "delta");
  const SafetensorsFile file(dir_ / "delta");
  const auto flipped = [&](const std::string& kind) {
    std::string bytes = whole;
    for (size_t i = 0; i < file.tensors().size(); ++i) {
      if (!file.tensors()[i].name.ends_with(kind)) continue;
      const size_t last = file.tensors().size() - 1;
      const auto end = file.Bytes(static_cast<int64_t>(last));
      const auto from_end = end.data() + end.size() - file.Bytes(static_cast<int64_t>(i)).data();
      bytes[bytes.size() - static_cast<size_t>(from_end)] ^= 0x40;
      break;
    }
    WriteFile(dir_ / "delta", bytes);
  };
  flipped(".values");
  EXPECT_THAT(Refusal("base"), HasSubstr("is damaged"));
  flipped(".positions");
  EXPECT_THAT(Refusal("base"), HasSubstr("is damaged"));
  flipped(".undo");
  EXPECT_NE(Refusal("result", true), "no error");
  WriteFile(dir_ / "delta", whole.substr(0, whole.size() - 3));
  EXPECT_NE(Refusal("base"), "no error");
  WriteFile(dir_ / "delta", ReadFile(dir_ / "base/model.safetensors"));
  EXPECT_THAT(Refusal("base"), HasSubstr("is no delta"));
}

TEST_F(Delta, SaysWhatItDoesNotHold) {
  Make({}, Shaken(0.05, 0.1));
  // JSON that says the same in another form is the same.
  const Json config = Json::parse(ReadFile(dir_ / "result/config.json"));
  WriteFile(dir_ / "result/config.json", config.dump(4));
  EXPECT_THAT(Warnings([&] { Diff(); }), IsEmpty());
  Json other = config;
  other["rope_theta"] = 5e5;
  WriteFile(dir_ / "result/config.json", other.dump());
  WriteFile(dir_ / "result/chat_template.jinja", "x");
  EXPECT_THAT(Warnings([&] {
                EXPECT_THAT(Diff().other_files, ElementsAre("chat_template.jinja", "config.json"));
              }),
              ElementsAre(HasSubstr("not in it: chat_template.jinja, config.json")));
  EXPECT_THAT(Warnings([&] { Apply("base", "on"); }), ElementsAre(HasSubstr("config.json")));
}

}  // namespace
}  // namespace grin
