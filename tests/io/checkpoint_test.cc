#include "grin/io/checkpoint.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "grin/base/atomic_file.h"
#include "grin/base/half.h"
#include "grin/io/write_checkpoint.h"
#include "tests/base/warnings.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A file of little U8, F32 and BF16 tensors whose header is neither sorted nor padded.
void PutWeights(const fs::path& path, const std::string& prefix) {
  const std::string header =
      fmt::format(R"({{"{0}b":{{"dtype":"BF16","shape":[2],"data_offsets":[3,7]}},)"
                  R"("{0}a":{{"dtype":"U8","shape":[3],"data_offsets":[0,3]}},)"
                  R"("{0}c":{{"dtype":"F32","shape":[1,2],"data_offsets":[7,15]}},)"
                  R"("__metadata__":{{"format":"pt","note":"{0}"}}}})",
                  prefix);
  const uint64_t length = header.size();
  const float numbers[2] = {1.5f, -70000.0f};
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  file += header + "abc\x80\x3f\x20\x40" + std::string(reinterpret_cast<const char*>(numbers), 8);
  Put(path, file);
}

// A directory with two shards.
fs::path MakeSharded(const std::string& name) {
  const fs::path dir = Scratch(name);
  Put(dir / "config.json", R"({"model_type":"llama","torch_dtype":"float32","z":1,"a":2})");
  PutWeights(dir / "model-00001-of-00002.safetensors", "first.");
  PutWeights(dir / "model-00002-of-00002.safetensors", "second.");
  Put(dir / "model.safetensors.index.json", R"({"metadata":{"total_size":30},"weight_map":{)"
                                            R"("second.a":"model-00002-of-00002.safetensors",)"
                                            R"("first.a":"model-00001-of-00002.safetensors",)"
                                            R"("first.b":"model-00001-of-00002.safetensors"}})");
  return dir;
}

fs::path MakeSingle(const std::string& name) {
  const fs::path dir = Scratch(name);
  Put(dir / "config.json", R"({"model_type":"llama","architectures":["LlamaForCausalLM"]})");
  PutWeights(dir / "model.safetensors", "");
  return dir;
}

std::vector<std::string> Names(const fs::path& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

std::string OpenError(const fs::path& path) {
  return ErrorOf([&] { Checkpoint::Open(path); });
}

TEST(Checkpoint, ReadsTensorsAlignedForTheirType) {
  const auto checkpoint = Checkpoint::Open(MakeSingle("aligned"));
  ASSERT_EQ(checkpoint->tensors().size(), 3u);
  EXPECT_EQ(checkpoint->tensors()[2], (TensorInfo{"c", DType::kF32, {1, 2}}));
  TensorBytes bytes = checkpoint->Read("c");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.bytes.data()) % 4, 0u);
  float value;
  std::memcpy(&value, bytes.bytes.data() + 4, 4);
  EXPECT_EQ(value, -70000.0f);
  EXPECT_EQ(checkpoint->Find("d"), nullptr);
  EXPECT_THAT(ErrorOf([&] { checkpoint->Read("d"); }), HasSubstr("has no tensor 'd'"));
  EXPECT_THAT(checkpoint->Describe(),
              HasSubstr("LlamaForCausalLM, 3 tensors, 7 weights, BF16+F32+U8"));
}

TEST(Checkpoint, BytesOutliveTheCheckpoint) {
  auto checkpoint = Checkpoint::Open(MakeSingle("outlive"));
  const TensorBytes bytes = checkpoint->Read("a");
  checkpoint.reset();
  EXPECT_EQ(static_cast<char>(bytes.bytes[2]), 'c');
}

TEST(Checkpoint, WritesShardsAsTheyWere) {
  const fs::path dir = MakeSharded("sharded");
  Put(dir / "tokenizer.json", "{}\n");
  Put(dir / "LICENSE", "free");
  fs::create_symlink("LICENSE", dir / "README.md");
  for (const char* other : {"pytorch_model.bin", "training_args.bin", "mask.safetensors", "x.gguf",
                            "pytorch_model.bin.index.json", ".gitattributes", "grin.json",
                            "log.jsonl", "report.html"}) {
    Put(dir / other, "not to be copied");
  }
  fs::create_directory(dir / "onnx");
  const auto checkpoint = Checkpoint::Open(dir);
  ASSERT_EQ(checkpoint->shards().size(), 2u);
  EXPECT_EQ(checkpoint->tensors()[3].name, "second.a");
  const fs::path out = Scratch("sharded_out");
  WriteCheckpoint(*checkpoint, out, {});
  EXPECT_THAT(Names(out), testing::ElementsAre("LICENSE", "README.md", "config.json",
                                               "model-00001-of-00002.safetensors",
                                               "model-00002-of-00002.safetensors",
                                               "model.safetensors.index.json", "tokenizer.json"));
  for (const std::string& name : Names(out)) {
    EXPECT_EQ(ReadFile(out / name), ReadFile(dir / name)) << name;
    EXPECT_FALSE(fs::is_symlink(out / name));
  }
}

// A tokenizer belongs to the model however large it is; what else is large is left out, and said.
TEST(Checkpoint, LeavesNoPartOfTheModelOutWithoutAWord) {
  const fs::path dir = MakeSingle("large_side_files"), out = Scratch("large_side_files_out");
  constexpr auto kLarge = (uintmax_t{64} << 20) + 1;
  for (const char* name : {"tokenizer.json", "notes.txt"}) {
    Put(dir / name, "");
    fs::resize_file(dir / name, kLarge);  // sparse
  }
  const auto checkpoint = Checkpoint::Open(dir);
  const Warnings warnings;
  WriteCheckpoint(*checkpoint, out, {});
  EXPECT_THAT(Names(out), testing::ElementsAre("config.json", "model.safetensors",
                                               "tokenizer.json"));
  EXPECT_EQ(fs::file_size(out / "tokenizer.json"), kLarge);
  EXPECT_THAT(warnings.text(), testing::HasSubstr("notes.txt is not copied"));
  fs::remove_all(out);
}

TEST(Checkpoint, EditsReachTheFileAndNothingElseDoes) {
  const fs::path dir = MakeSharded("edited"), out = Scratch("edited_out");
  std::vector<std::string> seen;
  WriteCheckpoint(*Checkpoint::Open(dir), out,
                  [&](const TensorInfo& tensor, std::span<std::byte> bytes) {
                    seen.push_back(tensor.name);
                    if (tensor.name == "second.b") bytes[0] = std::byte{7};
                  });
  EXPECT_EQ(seen.size(), 6u);
  const std::string first = "model-00001-of-00002.safetensors";
  EXPECT_EQ(ReadFile(out / first), ReadFile(dir / first));
  std::string expected = ReadFile(dir / "model-00002-of-00002.safetensors");
  expected[expected.size() - 12] = 7;
  EXPECT_EQ(ReadFile(out / "model-00002-of-00002.safetensors"), expected);
}

TEST(Checkpoint, ConvertsFloatTypes) {
  const fs::path dir = MakeSharded("converted"), out = Scratch("converted_out");
  WriteCheckpoint(*Checkpoint::Open(dir), out, {}, {.float_dtype = DType::kBF16});
  const auto converted = Checkpoint::Open(out);
  EXPECT_EQ(converted->Find("first.a")->dtype, DType::kU8);
  EXPECT_EQ(converted->Find("first.c")->dtype, DType::kBF16);
  uint16_t bits[2];
  std::memcpy(bits, converted->Read("first.c").bytes.data(), 4);
  EXPECT_EQ(bits[1], ToBFloat16(-70000.0f));
  EXPECT_EQ(converted->config().dump(),
            R"({"model_type":"llama","torch_dtype":"bfloat16","z":1,"a":2})");
  EXPECT_EQ(converted->shards()[1].metadata[1].second, "second.");
  EXPECT_THAT(ReadFile(out / "model.safetensors.index.json"), HasSubstr(R"("total_size": 22)"));
  EXPECT_THAT(ErrorOf([&] {
                WriteCheckpoint(*Checkpoint::Open(dir), Scratch("converted_f16"), {},
                                {.float_dtype = DType::kF16});
              }),
              HasSubstr("tensor 'first.c': 1 of its values are too large for F16"));
}

TEST(Checkpoint, NamesWhatIsMissing) {
  const fs::path dir = Scratch("missing");
  EXPECT_THAT(OpenError(dir), HasSubstr("missing: has no config.json"));
  Put(dir / "config.json", "{}");
  EXPECT_THAT(OpenError(dir),
              HasSubstr("has neither model.safetensors nor model.safetensors.index.json"));
  Put(dir / "a.gguf", "GGUF");
  EXPECT_THAT(OpenError(dir), HasSubstr("give the GGUF file itself: a.gguf"));
  fs::remove(dir / "a.gguf");
  Put(dir / "pytorch_model.bin", "");
  EXPECT_THAT(OpenError(dir), HasSubstr("pytorch_model.bin, only safetensors is read; convert"));
  fs::remove(dir / "config.json");
  Put(dir / "adapter_config.json", "{}");
  fs::remove(dir / "pytorch_model.bin");
  Put(dir / "adapter_model.safetensors", "");
  EXPECT_THAT(OpenError(dir), HasSubstr("holds an adapter, not a model"));
  EXPECT_THAT(OpenError("/nowhere/at all"),
              HasSubstr("/nowhere/at all: no such file or directory"));
  EXPECT_THAT(OpenError(dir / "adapter_model.safetensors"), HasSubstr("is a weight file; give the "
                                                                      "directory"));
  EXPECT_THAT(OpenError(dir / "adapter_config.json"),
              HasSubstr("is neither a checkpoint directory nor a GGUF file"));
}

TEST(Checkpoint, NamesWhatIsWrongWithTheConfig) {
  const fs::path dir = MakeSingle("config");
  Put(dir / "config.json", "[1]");
  EXPECT_THAT(OpenError(dir), HasSubstr("config.json: holds array, expected a JSON object"));
  Put(dir / "config.json", "{\n \"a\": }");
  EXPECT_THAT(OpenError(dir), HasSubstr("config.json:2:7: not valid JSON"));
  Put(dir / "config.json", "{\n \"a\": \"\xff\"}");
  EXPECT_THAT(OpenError(dir), HasSubstr("config.json:2:8: not UTF-8 text: the byte 0xff"));
  Put(dir / "config.json", R"({"quantization_config":{"quant_method":"gptq"}})");
  EXPECT_THAT(OpenError(dir), HasSubstr("config.json: the weights are quantised (gptq)"));
}

TEST(Checkpoint, NamesWhatIsWrongWithTheIndex) {
  const fs::path dir = MakeSharded("index");
  const fs::path index = dir / "model.safetensors.index.json";
  const std::string first = "model-00001-of-00002.safetensors";
  Put(index, "{}");
  EXPECT_THAT(OpenError(dir), HasSubstr("index.json: has no 'weight_map'"));
  Put(index, R"({"weight_map":{"a":1}})");
  EXPECT_THAT(OpenError(dir), HasSubstr("the shard of tensor 'a' is not a file name"));
  Put(index, R"({"weight_map":{"a":"../x.safetensors"}})");
  EXPECT_THAT(OpenError(dir), HasSubstr("the shard '../x.safetensors' is not a plain file name"));
  Put(index, R"({"weight_map":{"a":"model-3.safetensors"}})");
  EXPECT_THAT(OpenError(dir), HasSubstr("names the shard model-3.safetensors, which is missing"));
  Put(index, R"({"weight_map":{"first.z":")" + first + "\"}}");
  EXPECT_THAT(OpenError(dir), HasSubstr("says that tensor 'first.z' is in " + first +
                                        ", which has no such tensor"));
  fs::copy_file(dir / first, dir / "again.safetensors");
  Put(index, R"({"weight_map":{"first.a":")" + first + R"(","first.b":"again.safetensors"}})");
  EXPECT_THAT(OpenError(dir), HasSubstr("the tensor 'first.a' is in two shards"));
}

TEST(Checkpoint, IsFoundInTheHubCache) {
  const fs::path cache = Scratch("hub");
  setenv("HF_HUB_CACHE", cache.c_str(), 1);
  EXPECT_THAT(OpenError("org/tiny"), HasSubstr("org/tiny: no such file or directory, and no model "
                                               "of that name in the hub cache"));
  const fs::path repo = cache / "models--org--tiny";
  fs::create_directories(repo / "refs" / "pr");
  fs::create_directories(repo / "snapshots");
  fs::rename(MakeSingle("hub_model"), repo / "snapshots" / "0123abc");
  EXPECT_THAT(OpenError("org/tiny"), HasSubstr("has no revision 'main' of it"));
  Put(repo / "refs" / "main", "0123abc\n");
  Put(repo / "refs" / "pr" / "1", "0123abc");
  for (const char* name : {"org/tiny", "org/tiny@main", "org/tiny@0123abc", "org/tiny@pr/1"}) {
    EXPECT_EQ(Checkpoint::Open(name)->path(), repo / "snapshots" / "0123abc") << name;
  }
  EXPECT_THAT(OpenError("org/tiny@next"), HasSubstr("has no revision 'next' of it"));
  EXPECT_THAT(OpenError("org/tiny@../../x"), HasSubstr("can be no revision"));
  EXPECT_THAT(OpenError("a/b/c"), HasSubstr("a/b/c: no such file or directory"));
  unsetenv("HF_HUB_CACHE");
}

TEST(Checkpoint, CopiesAPublicModelBitForBit) {
  const fs::path model = Shared("models/stories260K");
  if (!fs::exists(model)) GTEST_SKIP() << model << " is not there";
  const fs::path out = Scratch("stories");
  WriteCheckpoint(*Checkpoint::Open(model), out, {});
  for (const std::string& name : Names(model)) {
    EXPECT_EQ(ReadFile(out / name), ReadFile(model / name)) << name;
  }
}

}  // namespace
}  // namespace grin
