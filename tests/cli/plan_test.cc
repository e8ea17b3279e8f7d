// grin plan as its users meet it.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>
#include <map>
#include <string>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "tests/cli/grin_command.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Llama-3.2-1B's shape.
constexpr const char* kConfig = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
  "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
  "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "max_position_embeddings": 131072,
  "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16"})";

struct Planned {
  int code = -1;
  std::string out, err;
};

Planned Plan(const fs::path& dir, const std::string& args) {
  const std::string out = dir / "stdout", err = dir / "stderr";
  const int status =
      std::system((GrinCommand() + " plan " + args + " >" + out + " 2>" + err).c_str());
  return {WEXITSTATUS(status), ReadFile(out), ReadFile(err)};
}

// Device memory of the stages, from what --json printed. (What the host takes depends on the process.)
std::map<std::string, int64_t> DeviceBytes(const Planned& planned) {
  std::map<std::string, int64_t> bytes;
  const Json plan = Json::parse(planned.out);
  for (const Json& stage : plan["stages"]) {
    bytes[stage["name"]] = stage["device_bytes"];
  }
  return bytes;
}

TEST(PlanOfARecipe, IsThatOfItsSettingsAndFlagsOverrideThem) {
  const fs::path dir = Scratch("plan_recipe");
  fs::create_directories(dir / "shape");
  WriteFile(dir / "shape/config.json", kConfig);
  const std::string model = (dir / "shape").string(), recipe = (dir / "recipe.toml").string();
  WriteFile(recipe, "model = \"" + model + "\"\nfraction = 0.01\ndevice = \"cuda\"\n");
  const Planned of_recipe = Plan(dir, recipe + " --json");
  ASSERT_EQ(of_recipe.code, 0) << of_recipe.err;
  const Planned of_flags = Plan(dir, "--json --model " + model + " --fraction 0.01 --device cuda");
  EXPECT_EQ(DeviceBytes(of_recipe), DeviceBytes(of_flags));
  const Planned overridden = Plan(dir, recipe + " --fraction 0.05 --json");
  EXPECT_GT(DeviceBytes(overridden).at("tune"), DeviceBytes(of_recipe).at("tune"));
  WriteFile(recipe, "fractoin = 0.01\n");
  const Planned wrong = Plan(dir, recipe);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("fraction"));
}

}  // namespace
}  // namespace grin
