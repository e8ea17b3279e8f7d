#include "grin/io/model_fingerprint.h"

#include <gmock/gmock.h>

#include "grin/base/atomic_file.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// A copy of a small checkpoint.
fs::path Copy(const std::string& model, const std::string& name) {
  const fs::path dir = Scratch(name) / "model";
  fs::copy(fs::path(GRIN_TEST_DATA) / "model" / model, dir);
  return dir;
}

std::string PrintOf(const fs::path& dir) { return ModelFingerprint(*Checkpoint::Open(dir)); }

// Flips a bit of the byte that is `from_end` bytes before the file's end.
void FlipBit(const fs::path& file, size_t from_end, int bit) {
  std::string bytes = ReadFile(file);
  bytes[bytes.size() - from_end] = static_cast<char>(bytes[bytes.size() - from_end] ^ (1 << bit));
  Put(file, bytes);
}

TEST(ModelFingerprint, IsThatOfTheContentNotOfThePlace) {
  const std::string print = PrintOf(Copy("llama_plain", "print_a"));
  EXPECT_THAT(print, testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(PrintOf(Copy("llama_plain", "print_b")), print);
  EXPECT_NE(PrintOf(Copy("llama_biases", "print_c")), print);
}

TEST(ModelFingerprint, SeesEveryWeightOfEveryShard) {
  const fs::path dir = Copy("llama_linear_rope_sharded", "print_sharded");
  const std::string print = PrintOf(dir);
  for (const char* shard : {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                            "model-00003-of-00003.safetensors"}) {
    for (const size_t from_end : {1, 2, 8, 9, 64}) {
      FlipBit(dir / shard, from_end, 0);
      EXPECT_NE(PrintOf(dir), print) << shard << ", " << from_end;
      FlipBit(dir / shard, from_end, 0);
    }
  }
  EXPECT_EQ(PrintOf(dir), print);
  // Two signs at once: the highest bits of two words.
  const fs::path shard = dir / "model-00002-of-00003.safetensors";
  const size_t end = fs::file_size(shard) % 8 + 1;
  FlipBit(shard, end, 7);
  FlipBit(shard, end + 8, 7);
  EXPECT_NE(PrintOf(dir), print);
}

TEST(ModelFingerprint, SeesTheConfiguration) {
  const fs::path dir = Copy("llama_plain", "print_config");
  const std::string print = PrintOf(dir);
  Json config = Json::parse(ReadFile(dir / "config.json"));
  config["rms_norm_eps"] = 0.25;
  Put(dir / "config.json", config.dump());
  EXPECT_NE(PrintOf(dir), print);
}

}  // namespace
}  // namespace grin
