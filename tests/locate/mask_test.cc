#include "grin/locate/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/io/safetensors.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class MaskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(::testing::TempDir()) /
            (std::string("mask_") +
             ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors");
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_;
};

Mask RandomMask(uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<MaskTensor> tensors;
  for (const auto& [name, shape] : {std::pair{"model.layers.1.w", std::vector<int64_t>{3, 5}},
                                    {"model.layers.0.w", {4, 4}},
                                    {"empty", {0, 7}},
                                    {"model.layers.10.w", {1001}},
                                    {"scalar", {}}}) {
    MaskTensor tensor{name, shape, {}};
    tensor.bits.resize((tensor.size() + 7) / 8);
    for (int64_t i = 0; i < tensor.size(); ++i) {
      tensor.bits[i / 8] |= static_cast<uint8_t>((generator() % 3 == 0) << (i % 8));
    }
    tensors.push_back(std::move(tensor));
  }
  return Mask(std::move(tensors));
}

TEST_F(MaskTest, ComesBackFromItsFileAsItWas) {
  Mask mask = RandomMask(1);
  mask.metadata() = {{"method", "grin"}, {"fraction", "0.05"}};
  mask.Save(path_);
  const Mask loaded = Mask::Load(path_);
  EXPECT_EQ(loaded.count(), mask.count());
  EXPECT_EQ(loaded.total(), 15 + 16 + 0 + 1001 + 1);
  EXPECT_EQ(loaded.metadata(), mask.metadata());
  ASSERT_EQ(loaded.tensors().size(), mask.tensors().size());
  for (size_t i = 0; i < mask.tensors().size(); ++i) {
    EXPECT_EQ(loaded.tensors()[i].name, mask.tensors()[i].name);
    EXPECT_EQ(loaded.tensors()[i].shape, mask.tensors()[i].shape);
    EXPECT_EQ(loaded.tensors()[i].bits, mask.tensors()[i].bits);
    EXPECT_EQ(loaded.tensors()[i].count, mask.tensors()[i].count);
  }
}

TEST_F(MaskTest, FileIsWhatTheFormatSays) {
  Mask mask({{"w", {3, 3}, {0b10000001, 0b1}}});
  mask.metadata()["method"] = "random";
  mask.Save(path_);
  const SafetensorsFile file(path_);
  ASSERT_EQ(file.tensors().size(), 1u);
  EXPECT_EQ(file.tensors()[0].dtype, DType::kU8);
  EXPECT_EQ(file.tensors()[0].shape, std::vector<int64_t>{2});
  EXPECT_EQ(*file.FindMetadata("format"), "grin-mask-1");
  EXPECT_EQ(*file.FindMetadata("shapes"), R"({"w":[3,3]})");
  EXPECT_EQ(*file.FindMetadata("count"), "3");
  EXPECT_EQ(*file.FindMetadata("method"), "random");
}

TEST_F(MaskTest, IsOrderedByNameAndCounted) {
  const Mask mask = RandomMask(2);
  std::vector<std::string> names;
  int64_t count = 0;
  for (const MaskTensor& tensor : mask.tensors()) {
    names.push_back(tensor.name);
    int64_t selected = 0;
    for (int64_t i = 0; i < tensor.size(); ++i) selected += tensor.Has(i);
    EXPECT_EQ(tensor.count, selected);
    count += selected;
  }
  EXPECT_EQ(mask.count(), count);
  EXPECT_THAT(names, ::testing::ElementsAre("empty", "model.layers.0.w", "model.layers.1.w",
                                            "model.layers.10.w", "scalar"));
}

TEST_F(MaskTest, IndicesAreTheSelectedPositionsInOrder) {
  const Mask mask = RandomMask(3);
  for (const MaskTensor& tensor : mask.tensors()) {
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if (tensor.Has(i)) expected.push_back(i);
    }
    EXPECT_TRUE(at::equal(mask.Indices(tensor.name), at::tensor(expected, at::kLong)));
  }
  EXPECT_EQ(mask.Find("unknown"), nullptr);
  EXPECT_EQ(mask.Indices("unknown").numel(), 0);
}

TEST_F(MaskTest, RefusesInconsistentTensors) {
  EXPECT_THAT([] { Mask({{"w", {9}, {0}}}); }, ThrowsMessage<Error>(HasSubstr("1 bytes")));
  EXPECT_THAT(
      [] {
        Mask({{"w", {3}, {0b1000}}});
      },
      ThrowsMessage<Error>(HasSubstr("bits set past")));
  EXPECT_THAT(
      [] {
        Mask({{"w", {3}, {0}}, {"w", {3}, {0}}});
      },
      ThrowsMessage<Error>(HasSubstr("twice")));
}

// A file with one U8 tensor "w", whatever its metadata say of it.
void WriteMaskFile(const std::filesystem::path& path, std::vector<uint8_t> bits,
                   const SafetensorsMetadata& metadata, DType dtype = DType::kU8) {
  SafetensorsWriter writer(path, {{"w", dtype, {static_cast<int64_t>(bits.size())}}}, metadata);
  writer.Write(std::as_bytes(std::span(bits)));
  writer.Commit();
}

TEST_F(MaskTest, LoadRefusesWhatIsNotAMask) {
  struct Case {
    std::vector<uint8_t> bits;
    SafetensorsMetadata metadata;
    std::string message;
  };
  const std::string format = "grin-mask-1";
  const std::vector<Case> cases = {
      {{1}, {}, "metadata 'format' is missing"},
      {{1}, {{"format", "other"}}, "format is 'other', expected grin-mask-1"},
      {{1}, {{"format", format}}, "metadata 'shapes' is missing"},
      {{1}, {{"format", format}, {"shapes", "{"}}, "not a JSON object"},
      {{1}, {{"format", format}, {"shapes", "[]"}}, "not a JSON object"},
      {{1}, {{"format", format}, {"shapes", R"({"w":8})"}}, "shape of 'w' is 8"},
      {{1}, {{"format", format}, {"shapes", R"({"w":[-8]})"}}, "shape of 'w' is [-8]"},
      {{1}, {{"format", format}, {"shapes", R"({"w":[1.5]})"}}, "shape of 'w' is [1.5]"},
      {{1}, {{"format", format}, {"shapes", R"({"w":[4294967296,4294967296]})"}}, "shape of 'w'"},
      {{1}, {{"format", format}, {"shapes", R"({"w":[18446744073709551615]})"}}, "shape of 'w'"},
      {{1}, {{"format", format}, {"shapes", "{}"}}, "'w' is not in metadata 'shapes'"},
      {{1}, {{"format", format}, {"shapes", R"({"w":[3,3]})"}}, "'w' has 1 bytes"},
      {{9}, {{"format", format}, {"shapes", R"({"w":[3]})"}}, "bits set past its 3 weights"},
      {{1}, {{"format", format}, {"shapes", R"({"v":[1],"w":[3]})"}}, "no such tensor"},
      {{1}, {{"format", format}, {"shapes", R"({"w":[3]})"}}, "metadata 'count' is missing"},
      {{1},
       {{"format", format}, {"shapes", R"({"w":[3]})"}, {"count", "2"}},
       "metadata 'count' is '2', but 1 bits are set"},
  };
  for (const Case& c : cases) {
    WriteMaskFile(path_, c.bits, c.metadata);
    EXPECT_THAT([&] { Mask::Load(path_); },
                ThrowsMessage<Error>(AllOf(HasSubstr(path_.string()), HasSubstr(c.message))));
  }
  WriteMaskFile(path_, {1}, {{"format", format}, {"shapes", R"({"w":[3]})"}, {"count", "1"}});
  EXPECT_EQ(Mask::Load(path_).count(), 1);
  WriteMaskFile(path_, {1}, {{"format", format}, {"shapes", R"({"w":[3]})"}}, DType::kI8);
  EXPECT_THAT([&] { Mask::Load(path_); },
              ThrowsMessage<Error>(HasSubstr("'w' is I8, expected U8")));
}

TEST_F(MaskTest, LoadErrorsAreBadInput) {
  std::ofstream(path_) << "not a safetensors file";
  try {
    Mask::Load(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
  }
}

}  // namespace
}  // namespace grin
