// What has changed when finished answers are of no more use.

#include "grin/engine/engine_key.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

std::string KeyOf(const fs::path& dir, const EncodeOptions& options = {},
                  const std::string& type = "Float") {
  const auto checkpoint = Checkpoint::Open(dir);
  const Model model = LoadModel(checkpoint);
  return EngineKey("1.0", type, *checkpoint, Encoder(*checkpoint, model.config, options));
}

TEST(EngineKey, StaysWhileNothingChanges) {
  const fs::path dir = MakeToy("engine_key");
  EXPECT_EQ(KeyOf(dir), KeyOf(dir));
}

TEST(EngineKey, ChangesWithEachFileOfTheCheckpoint) {
  const fs::path dir = MakeToy("engine_key");
  std::set<std::string> keys = {KeyOf(dir)};
  const auto expect_new = [&](const char* what) {
    EXPECT_TRUE(keys.insert(KeyOf(dir)).second) << what;
  };
  WriteFile(dir / "generation_config.json", "{\"eos_token_id\": [0, 5]}");
  expect_new("generation_config.json is there");
  WriteFile(dir / "generation_config.json", "{\"eos_token_id\": [0, 6]}");
  expect_new("generation_config.json has as many bytes as before");
  for (const char* name : {"config.json", "tokenizer_config.json", "tokenizer.json"}) {
    WriteFile(dir / name, ReadFile(dir / name) + "\n");
    expect_new(name);
  }
  fs::last_write_time(dir / "model.safetensors",
                      fs::last_write_time(dir / "model.safetensors") + std::chrono::seconds(3));
  expect_new("model.safetensors");
  EXPECT_FALSE(keys.contains(KeyOf(dir, {}, "BFloat16")));
}

// Qwen2.5-Instruct is of this kind: the same prompts and stop tokens, another penalty.
TEST(EngineKey, ChangesWithTheRuleByWhichTokensAreChosen) {
  const fs::path dir = MakeToy("engine_key_rule");
  const EncodeOptions theirs = {.template_name = "qa", .compat = "open-unlearning"};
  WriteFile(dir / "generation_config.json", R"({"eos_token_id": 0})");
  const auto keys = [&] {
    return std::pair(KeyOf(dir, {.template_name = "qa"}), KeyOf(dir, theirs));
  };
  EXPECT_NE(keys().first, keys().second);  // what counts as said
  WriteFile(dir / "generation_config.json", R"({"eos_token_id": 0, "repetition_penalty": 1.05})");
  EXPECT_NE(keys().first, keys().second);
}

TEST(EngineKey, ChangesWithTheStopTokens) {
  const fs::path dir = MakeToy("engine_key_chat", {.chat_template = kToyChat});
  EXPECT_NE(KeyOf(dir, {.template_name = "chat"}), KeyOf(dir, {.template_name = "qa"}));
  // Another text around the prompts changes the requests, not the key.
  EXPECT_EQ(KeyOf(dir, {.template_name = "raw"}), KeyOf(dir, {.template_name = "qa"}));
}

}  // namespace
}  // namespace grin
