#include "grin/io/safetensors.h"

#include <gmock/gmock.h>

#include "grin/base/atomic_file.h"
#include "grin/base/random.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string Pack(std::string_view header, std::string_view data) {
  const uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(header).append(data);
}

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The error of reading a file with this header and this many bytes of data.
std::string ErrorFor(std::string_view header, size_t data = 8) {
  const fs::path path = Scratch("safetensors_error") / "m.safetensors";
  Put(path, Pack(header, std::string(data, 'x')));
  return ErrorOf([&] { SafetensorsFile file(path); });
}

constexpr std::string_view kGood =
    R"({"__metadata__":{"format":"pt","a":"\u00e9"},)"
    R"("b":{"dtype":"I16","shape":[2,1],"data_offsets":[4,8]},)"
    R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
    R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[8,8]}}  )";

TEST(Safetensors, ReadsInTheOrderOfTheBytes) {
  const fs::path path = Scratch("safetensors_read") / "m.safetensors";
  Put(path, Pack(kGood, "abcdefgh"));
  const SafetensorsFile file(path);
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0], (TensorInfo{"a", DType::kU8, {4}}));
  EXPECT_EQ(file.tensors()[1], (TensorInfo{"b", DType::kI16, {2, 1}}));
  EXPECT_EQ(file.tensors()[2], (TensorInfo{"none", DType::kF32, {0, 7}}));
  EXPECT_EQ(Text(file.Bytes(file.Find("b"))), "efgh");
  EXPECT_EQ(Text(file.Bytes(file.Find("none"))), "");
  EXPECT_EQ(file.Find("c"), -1);
  ASSERT_EQ(file.metadata().size(), 2u);
  EXPECT_EQ(*file.FindMetadata("a"), "é");
  EXPECT_EQ(file.FindMetadata("b"), nullptr);
  EXPECT_EQ(file.header(), kGood);
}

TEST(Safetensors, WritesWhatItReads) {
  const fs::path dir = Scratch("safetensors_write");
  const std::vector<TensorInfo> tensors = {{"z \"quoted\"\n", DType::kF32, {2, 1}},
                                           {"scalar", DType::kBF16, {}},
                                           {"empty", DType::kF64, {0}}};
  {
    SafetensorsWriter writer(dir / "a", tensors, {{"format", "pt"}, {"k", "v"}});
    writer.Write(std::as_bytes(std::span("12345678", 8)));
    writer.Write(std::as_bytes(std::span("ab", 2)));
    writer.Write({});
    EXPECT_FALSE(fs::exists(dir / "a"));
    writer.Commit();
  }
  const SafetensorsFile file(dir / "a");
  EXPECT_EQ(file.tensors(), tensors);
  EXPECT_EQ(*file.FindMetadata("k"), "v");
  EXPECT_EQ(Text(file.Bytes(1)), "ab");
  EXPECT_EQ(file.header().size() % 8, 0u);
}

TEST(Safetensors, CopiesTheHeaderOfAnotherFile) {
  const fs::path dir = Scratch("safetensors_like");
  const std::string original = Pack(kGood, "abcdefgh");
  Put(dir / "a", original);
  const SafetensorsFile file(dir / "a");
  SafetensorsWriter writer(dir / "b", file);
  for (int64_t i = 0; i < 3; ++i) writer.Write(file.Bytes(i));
  writer.Commit();
  EXPECT_EQ(ReadFile(dir / "b"), original);
}

TEST(Safetensors, RefusesToWriteWhatWasNotAnnounced) {
  const fs::path dir = Scratch("safetensors_wrong");
  const std::vector<TensorInfo> tensors = {{"a", DType::kU8, {2}}};
  SafetensorsWriter writer(dir / "a", tensors);
  EXPECT_THROW(writer.Write(std::as_bytes(std::span("abc", 3))), Error);
  SafetensorsWriter unfinished(dir / "b", tensors);
  EXPECT_THROW(unfinished.Commit(), Error);
}

TEST(Safetensors, NamesWhatIsWrongWithTheHeader) {
  EXPECT_THAT(ErrorFor("[]"), HasSubstr("the header is an array, not a JSON object"));
  EXPECT_THAT(ErrorFor("3"), HasSubstr("the header is a number"));
  EXPECT_THAT(ErrorFor(R"({"a":)"), HasSubstr("the header is not valid JSON at its byte 6"));
  EXPECT_THAT(ErrorFor("{} x"), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorFor("{\"\xff\":{}}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorFor(R"({"a":[]})"), HasSubstr("'a' in the header is an array, not an object"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":{}}})"), HasSubstr("'dtype' of 'a' in the header is or "
                                                           "contains an object"));
  EXPECT_THAT(ErrorFor(R"({"a":{"shape":[[1]]}})"), HasSubstr("'shape' of 'a'"));
  EXPECT_THAT(ErrorFor(R"({"a":{"shape":[-1]}})"), HasSubstr("the negative number -1"));
  EXPECT_THAT(ErrorFor(R"({"a":{"shape":[1.5]}})"), HasSubstr("the number 1.5"));
  EXPECT_THAT(ErrorFor(R"({"a":{"shape":[null]}})"), HasSubstr("contains null"));
  EXPECT_THAT(ErrorFor(R"({"a":{"shape":1}})"), HasSubstr("contains a number"));
  EXPECT_THAT(ErrorFor(R"({"a":{"other":[1]}})"), HasSubstr("'other' of 'a'"));
  EXPECT_THAT(ErrorFor(R"({"__metadata__":{"a":1}})"), HasSubstr("'a' of '__metadata__'"));
  EXPECT_THAT(ErrorFor(R"({"__metadata__":{"a":{}}})"), HasSubstr("contains an object"));
  EXPECT_THAT(ErrorFor(R"({"a":{}})"), HasSubstr("tensor 'a' has no 'dtype' in the header"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8"}})"), HasSubstr("has no 'shape'"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[8]}})"), HasSubstr("has no 'data_offsets'"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"F4","shape":[8],"data_offsets":[0,8]}})"),
              HasSubstr("tensor 'a' has the unknown type 'F4'; known are F64, F32"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8]}})"),
              HasSubstr("data_offsets must be [begin, end]"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}})"),
              HasSubstr("data_offsets must be [begin, end]"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
                       R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})"),
              HasSubstr("the header has 'a' twice"));
}

TEST(Safetensors, NamesWhatIsWrongWithSizes) {
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,8]}})"),
              HasSubstr("tensor 'a': F32 of shape [2, 2] takes 16 bytes, data_offsets span 8"));
  for (const char* shape : {"[4294967296,4294967296]", "[9223372036854775808]",
                            "[0,9223372036854775807,9223372036854775807]"}) {
    EXPECT_THAT(
        ErrorFor(fmt::format(R"({{"a":{{"dtype":"U8","shape":{},"data_offsets":[0,0]}}}})", shape)),
        HasSubstr("more elements than any file can hold"));
  }
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})"),
              HasSubstr("tensor 'a' ends at byte 9 of the data, the file has only 8: truncated"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[7],"data_offsets":[1,8]}})"),
              HasSubstr("begins at byte 1 of the data, but the one before it ends at 0: there is a "
                        "gap"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},)"
                       R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("tensor 'b' begins at byte 4 of the data, but the one before it ends at 6: "
                        "they overlap"));
  EXPECT_THAT(ErrorFor(R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]}})"),
              HasSubstr("the tensors end at byte 6 of the data, the file goes on to 8"));
}

TEST(Safetensors, NamesWhatIsWrongWithTheFile) {
  const fs::path dir = Scratch("safetensors_file");
  EXPECT_THAT(ErrorOf([&] { SafetensorsFile file(dir / "none"); }),
              HasSubstr("none: cannot be read: No such file"));
  EXPECT_THAT(ErrorOf([&] { SafetensorsFile file(dir); }), HasSubstr("is a directory, not a file"));
  Put(dir / "empty", "");
  EXPECT_THAT(ErrorOf([&] { SafetensorsFile file(dir / "empty"); }), HasSubstr("has 0 bytes"));
  Put(dir / "lies", std::string(7, '\x7f') + std::string(93, '\0'));
  EXPECT_THAT(ErrorOf([&] { SafetensorsFile file(dir / "lies"); }),
              HasSubstr("bytes, only 92 follow: truncated, or no safetensors file"));
}

TEST(Safetensors, RefusesEveryTruncation) {
  const fs::path path = Scratch("safetensors_cut") / "m.safetensors";
  const std::string whole = Pack(kGood, "abcdefgh");
  for (size_t length = 0; length < whole.size(); ++length) {
    Put(path, whole.substr(0, length));
    EXPECT_NE(ErrorOf([&] { SafetensorsFile file(path); }), "no error") << length;
  }
}

// Damaged in one to four bytes, a file is read or refused; nothing else may happen.
TEST(Safetensors, SurvivesDamage) {
  const fs::path path = Scratch("safetensors_fuzz") / "m.safetensors";
  const std::string whole = Pack(kGood, "abcdefgh");
  const RandomStream random(1, "safetensors damage");
  uint64_t next = 0;
  size_t refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string damaged = whole;
    const uint64_t flips = 1 + random.Below(next++, 4);
    for (uint64_t i = 0; i < flips; ++i) {
      const uint64_t at = random.Below(next++, damaged.size());
      damaged[at] = static_cast<char>(random.Bits(next++));
    }
    Put(path, damaged);
    refused += ErrorOf([&] {
                 const SafetensorsFile file(path);
                 size_t total = 0;
                 for (size_t i = 0; i < file.tensors().size(); ++i) {
                   for (const std::byte b : file.Bytes(static_cast<int64_t>(i))) {
                     total += static_cast<size_t>(b);
                   }
                   file.Find(file.tensors()[i].name);
                 }
                 EXPECT_LT(total, 1u << 20);
               }) != "no error";
  }
  EXPECT_GT(refused, 2000u);
  EXPECT_LT(refused, 4000u);
}

}  // namespace
}  // namespace grin
