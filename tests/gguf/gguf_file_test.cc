#include "grin/gguf/gguf_file.h"

#include "grin/gguf/open_checkpoint.h"
#include <gmock/gmock.h>

#include "grin/base/random.h"
#include "grin/gguf/dequantize.h"
#include "grin/io/checkpoint.h"
#include "grin/io/safetensors.h"
#include "tests/gguf/builder.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using B = GgufBuilder;

std::string ErrorFor(const std::string& bytes) {
  const fs::path path = Scratch("gguf_error") / "m.gguf";
  Put(path, bytes);
  return ErrorOf([&] { GgufFile file(path); });
}

TEST(Gguf, ReadsEveryKindOfValue) {
  B b;
  b.Add("u8", B::kUint8, B::Raw(uint8_t{200})).Add("i8", B::kInt8, B::Raw(int8_t{-3}));
  b.Add("u16", B::kUint16, B::Raw(uint16_t{60000})).Add("i16", B::kInt16, B::Raw(int16_t{-300}));
  b.Count("u32", 4000000000u).Add("i32", B::kInt32, B::Raw(int32_t{7}));
  b.Add("u64", B::kUint64, B::Raw(uint64_t{1} << 60)).Add("i64", B::kInt64, B::Raw(int64_t{-9}));
  b.Number("f32", 0.5f).Add("f64", B::kFloat64, B::Raw(0.1)).Flag("flag", true).Text("text", "é");
  b.Texts("list", {"x", ""});
  b.Add("nested", B::kArray,
        B::Raw(uint32_t{B::kArray}) + B::Raw(uint64_t{1}) + B::Raw(uint32_t{B::kUint8}) +
            B::Raw(uint64_t{2}) + "\x01\x02");
  const float numbers[6] = {1, 2, 3, 4, 5, 6};
  b.Tensor("t", {3, 2}, 0, std::string(reinterpret_cast<const char*>(numbers), 24));
  for (const uint32_t version : {2u, 3u}) {
    b.version = version;
    const fs::path path = Scratch("gguf_values") / "m.gguf";
    Put(path, b.Build());
    const GgufFile file(path);
    EXPECT_EQ(file.version(), version);
    EXPECT_EQ(file.Unsigned("u8"), 200u);
    EXPECT_EQ(file.Number("i8"), -3);
    EXPECT_EQ(file.Unsigned("u16"), 60000u);
    EXPECT_EQ(file.Number("i16"), -300);
    EXPECT_EQ(file.Unsigned("u32"), 4000000000u);
    EXPECT_EQ(file.Unsigned("i32"), 7u);
    EXPECT_EQ(file.Unsigned("u64"), uint64_t{1} << 60);
    EXPECT_EQ(file.Number("i64"), -9);
    EXPECT_EQ(file.Number("f32"), 0.5);
    EXPECT_EQ(file.Number("f64"), 0.1);
    EXPECT_EQ(file.Bool("flag"), true);
    EXPECT_EQ(file.String("text"), "é");
    EXPECT_EQ(file.Array("list")->size(), 2u);
    EXPECT_EQ(file.Array("nested")->size(), 1u);
    EXPECT_EQ(file.Unsigned("none"), std::nullopt);
    EXPECT_EQ(file.keys().front(), "u8");
    ASSERT_NE(file.FindTensor("t"), nullptr);
    EXPECT_EQ(file.FindTensor("t")->shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(file.FindTensor("t")->bytes.size(), 24u);
    EXPECT_THAT(ErrorOf([&] { file.Unsigned("i8"); }),
                HasSubstr("the value of 'i8' is not a non-negative integer"));
    EXPECT_THAT(ErrorOf([&] { file.Number("text"); }), HasSubstr("'text' is not a number"));
    EXPECT_THAT(ErrorOf([&] { file.Bool("u8"); }), HasSubstr("'u8' is not a boolean"));
    EXPECT_THAT(ErrorOf([&] { file.String("u8"); }), HasSubstr("'u8' is not a string"));
    EXPECT_THAT(ErrorOf([&] { file.Array("u8"); }), HasSubstr("'u8' is not an array"));
  }
}

TEST(Gguf, NamesWhatIsWrongWithTheHeader) {
  EXPECT_THAT(ErrorFor(""), HasSubstr("the header needs 4 bytes at byte 0, the file has only 0"));
  EXPECT_THAT(ErrorFor("GGML\x03\0\0\0"), HasSubstr("is not a GGUF file"));
  B b;
  b.version = 1;
  EXPECT_THAT(ErrorFor(b.Build()), HasSubstr("is GGUF version 1, only versions 2 and 3 are read"));
  b.version = 0x03000000;
  EXPECT_THAT(ErrorFor(b.Build()), HasSubstr("is GGUF in big-endian order"));
  b.version = 3;
  b.tensor_count = uint64_t{1} << 62;
  EXPECT_THAT(ErrorFor(b.Build()), HasSubstr("more than its 32 bytes can hold"));
}

TEST(Gguf, NamesWhatIsWrongWithValues) {
  EXPECT_THAT(ErrorFor(B().Add("k", 13, "12345678").Build()),
              HasSubstr("the value of 'k' has the unknown value type 13"));
  EXPECT_THAT(ErrorFor(B().Add("k", B::kBool, "\x02").Build()),
              HasSubstr("the value of 'k' is a boolean with the value 2"));
  EXPECT_THAT(ErrorFor(B().Add("k", B::kString, B::Raw(uint64_t{1} << 63)).Build()),
              HasSubstr("the value of 'k' needs 9223372036854775808 bytes"));
  EXPECT_THAT(ErrorFor(B().Add("k", B::kArray, B::Raw(uint32_t{14}) + B::Raw(uint64_t{0})).Build()),
              HasSubstr("the value of 'k' has the unknown element type 14"));
  EXPECT_THAT(
      ErrorFor(B().Add("k", B::kArray, B::Raw(uint32_t{0}) + B::Raw(uint64_t{1} << 50)).Build()),
      HasSubstr("the value of 'k' says it has 1125899906842624 elements"));
  std::string deep = B::Raw(uint32_t{0}) + B::Raw(uint64_t{0});
  for (int i = 0; i < 5; ++i) deep = B::Raw(uint32_t{B::kArray}) + B::Raw(uint64_t{1}) + deep;
  EXPECT_THAT(ErrorFor(B().Add("k", B::kArray, deep).Build()), HasSubstr("too deeply nested"));
  EXPECT_THAT(ErrorFor(B().Count("k", 1).Count("k", 1).Build()),
              HasSubstr("the key 'k' occurs twice"));
  EXPECT_THAT(ErrorFor(B().Count("\xff", 1).Build()), HasSubstr("the key name '\\xff' is empty"));
  EXPECT_THAT(ErrorFor(B().Count("general.alignment", 24).Build()),
              HasSubstr("general.alignment is 24, expected a power of two"));
}

TEST(Gguf, NamesWhatIsWrongWithTensors) {
  const std::string four(16, 'x');
  EXPECT_THAT(ErrorFor(B().Tensor("", {4}, 0, four).Build()), HasSubstr("the tensor name ''"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {1, 1, 1, 1, 4}, 0, four).Build()),
              HasSubstr("tensor 't' has 5 dimensions, at most 4"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {0}, 0, "").Build()),
              HasSubstr("tensor 't' has an impossible dimension of 0"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {1ull << 40, 1ull << 40}, 0, "").Build()),
              HasSubstr("tensor 't' has an impossible dimension of 1099511627776"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {1ull << 62}, 0, "").Build()),
              HasSubstr("tensor 't' has more elements than any file can hold"));
  EXPECT_THAT(
      ErrorFor(B().Tensor("t", {4}, 23, four).Build()),
      HasSubstr("tensor 't' is stored as IQ4_XS, which cannot be read; known are F32, F16"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {4}, 99, four).Build()), HasSubstr("stored as type 99"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {33}, 2, four).Build()),
              HasSubstr("tensor 't' has rows of 33 elements, Q4_0 needs a multiple of 32"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {4}, 0, four).Tensor("t", {4}, 0, four).Build()),
              HasSubstr("the tensor 't' occurs twice"));
  EXPECT_THAT(ErrorFor(B().Entry("t", {4}, 0, 8, four).Build()),
              HasSubstr("tensor 't' begins at byte 8 of the data, expected a multiple of 32"));
  EXPECT_THAT(
      ErrorFor(B().Entry("t", {4}, 0, 32, four).Build()),
      HasSubstr("tensor 't' takes 16 bytes from byte 32 of the data, the file has only 16"));
  EXPECT_THAT(ErrorFor(B().Entry("t", {4}, 0, 0ull - 32, four).Build()), HasSubstr("truncated"));
  EXPECT_THAT(ErrorFor(B().Tensor("t", {4}, 0, four).Entry("u", {4}, 0, 0, "").Build()),
              HasSubstr("the tensors 't' and 'u' overlap"));
}

TEST(Gguf, RefusesEveryTruncation) {
  B b = TinyModel();
  const std::string whole = AddTinyTokenizer(b).Build();
  const fs::path path = Scratch("gguf_cut") / "m.gguf";
  Put(path, whole);
  EXPECT_EQ(ErrorOf([&] { GgufFile file(path); }), "no error");
  for (size_t length = 0; length < whole.size(); ++length) {
    Put(path, whole.substr(0, length));
    EXPECT_NE(ErrorOf([&] { GgufFile file(path); }), "no error") << length;
  }
}

// Damaged in one to four bytes, a file is imported or refused; nothing else may happen.
TEST(Gguf, SurvivesDamage) {
  B b = TinyModel();
  b.Count("llama.rope.dimension_count", 2).Number("llama.rope.freq_base", 10000.0f);
  b.Tensor("rope_freqs.weight", {1}, 0, B::Raw(1.0f));
  const std::string whole = AddTinyTokenizer(b).Build();
  const fs::path path = Scratch("gguf_fuzz") / "m.gguf";
  const RandomStream random(1, "gguf damage");
  uint64_t next = 0;
  size_t refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string damaged = whole;
    const uint64_t flips = round == 0 ? 0 : 1 + random.Below(next++, 4);
    for (uint64_t i = 0; i < flips; ++i) {
      const uint64_t at = random.Below(next++, damaged.size() - b.data_end);
      damaged[at] = static_cast<char>(random.Bits(next++));
    }
    Put(path, damaged);
    const std::string error = ErrorOf([&] {
      const auto checkpoint = OpenCheckpoint(path);
      for (const TensorInfo& tensor : checkpoint->tensors()) {
        EXPECT_EQ(static_cast<int64_t>(checkpoint->Read(tensor.name).bytes.size()),
                  tensor.byte_size());
      }
    });
    if (round == 0) {
      EXPECT_EQ(error, "no error");
    }
    refused += error != "no error";
  }
  EXPECT_GT(refused, 3000u);
  EXPECT_LT(refused, 6000u);
}

TEST(Gguf, DecodesEveryTypeExactly) {
  const GgufFile file(TestData("quants.gguf"));
  const SafetensorsFile golden(TestData("quants.safetensors"));
  ASSERT_EQ(file.tensors().size(), 13u);
  for (const GgufTensor& tensor : file.tensors()) {
    EXPECT_EQ(tensor.name, TraitsOf(tensor.type).name);
    const int64_t index = golden.Find(tensor.name);
    ASSERT_GE(index, 0) << tensor.name;
    EXPECT_EQ(tensor.shape, golden.tensors()[static_cast<size_t>(index)].shape);
    std::vector<float> decoded(static_cast<size_t>(tensor.elements()));
    Dequantize(tensor.type, tensor.bytes, decoded);
    const auto expected = golden.Bytes(index);
    ASSERT_EQ(expected.size(), decoded.size() * 4);
    EXPECT_EQ(std::memcmp(expected.data(), decoded.data(), expected.size()), 0) << tensor.name;
  }
}

}  // namespace
}  // namespace grin
