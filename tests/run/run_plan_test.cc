// Plans: known models by hand, and what was measured.

#include "grin/run/run_plan.h"

#include <gmock/gmock.h>

#include "grin/model/shapes.h"
#include "grin/run/budget.h"
#include "grin/run/stages.h"
#include "tests/run/made_checkpoint.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;

// Of the public config.json files what shapes follow from.
const Json kLlama2_7B = {{"model_type", "llama"},
                         {"architectures", {"LlamaForCausalLM"}},
                         {"hidden_size", 4096},
                         {"intermediate_size", 11008},
                         {"num_hidden_layers", 32},
                         {"num_attention_heads", 32},
                         {"num_key_value_heads", 32},
                         {"vocab_size", 32000},
                         {"max_position_embeddings", 4096},
                         {"rms_norm_eps", 1e-5},
                         {"tie_word_embeddings", false},
                         {"torch_dtype", "float16"}};
const Json kLlama31_8B = {{"model_type", "llama"},
                          {"architectures", {"LlamaForCausalLM"}},
                          {"hidden_size", 4096},
                          {"intermediate_size", 14336},
                          {"num_hidden_layers", 32},
                          {"num_attention_heads", 32},
                          {"num_key_value_heads", 8},
                          {"vocab_size", 128256},
                          {"max_position_embeddings", 131072},
                          {"rms_norm_eps", 1e-5},
                          {"rope_theta", 500000.0},
                          {"rope_scaling",
                           {{"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192},
                            {"rope_type", "llama3"}}},
                          {"tie_word_embeddings", false},
                          {"torch_dtype", "bfloat16"}};
const Json kQwen25_72B = {{"model_type", "qwen2"},
                          {"architectures", {"Qwen2ForCausalLM"}},
                          {"hidden_size", 8192},
                          {"intermediate_size", 29568},
                          {"num_hidden_layers", 80},
                          {"num_attention_heads", 64},
                          {"num_key_value_heads", 8},
                          {"vocab_size", 152064},
                          {"max_position_embeddings", 131072},
                          {"rms_norm_eps", 1e-6},
                          {"rope_theta", 1000000.0},
                          {"sliding_window", 131072},
                          {"use_sliding_window", false},
                          {"tie_word_embeddings", false},
                          {"torch_dtype", "bfloat16"}};

PlanInput InputOf(const Json& config, at::ScalarType type, at::Device device) {
  PlanInput input{.model = LoadShapes(config, "config.json", type, device)};
  input.stored_bytes = WeightBytes(input.model);
  input.task = AssumedTask(40, 400, 108);
  input.options.objective = Resolved({}, false);
  return input;
}

const StagePlan& StageOf(const RunPlan& plan, const std::string& name) {
  for (const StagePlan& stage : plan.stages) {
    if (stage.name == name) return stage;
  }
  throw std::out_of_range(name);
}

int64_t Scoped(const Model& model) {
  int64_t count = 0;
  for (const std::string& name : ScoredNames(model, {})) {
    count += model.weights->tensors().at(name).numel();
  }
  return count;
}

TEST(RunPlan, KnowsThePublicModels) {
  struct Known {
    const Json* config;
    int64_t weights, in_blocks;
  };
  for (const Known& known : {Known{&kLlama2_7B, 6'738'415'616, 6'476'005'376},
                             Known{&kLlama31_8B, 8'030'261'248, 6'979'321'856},
                             Known{&kQwen25_72B, 72'706'203'648, 70'212'648'960}}) {
    const PlanInput input = InputOf(*known.config, at::kBFloat16, at::Device(at::kCUDA, 0));
    EXPECT_EQ(WeightBytes(input.model), 2 * known.weights);
    EXPECT_EQ(Scoped(input.model), known.in_blocks);
  }
}

// Llama-2-7B on a card without a limit, by hand.
TEST(RunPlan, AddsUpAsByHand) {
  PlanInput input = InputOf(kLlama2_7B, at::kBFloat16, at::Device(at::kCUDA, 0));
  input.options.locate.fraction = 0.01;
  const RunPlan plan = PlanUnlearn(input);
  constexpr double kWeights = 13.4768e9, kScope = 6.476e9;
  constexpr double kProgram = 0.8389e9;  // a context
  // Of each layer and token 4 rows of the stream, queries, keys, values and what attention gives, 2 of
  // the MLP, and two norms' and 32 heads' own numbers.
  constexpr double kToken = 32 * ((4 * 4096 + 4 * 4096 + 2 * 11008) * 2 + 4 * (2 + 32));
  // Behind the last block, 5 rows of the MLP and one of the stream.
  constexpr double kBack = (5 * 11008 + 4096) * 2;
  const auto expect = [&](const char* stage, double bytes) {
    EXPECT_NEAR(static_cast<double>(StageOf(plan, stage).device_bytes), kWeights + kProgram + bytes,
                2e-3 * (kWeights + bytes))
        << stage;
  };
  expect("load", 0);
  // Both gradients, and a pass of 4096 tokens.
  // Sums of the forget gradients, in two passes, beside those of the retain gradients.
  expect("locate", 8 * kScope + 4096 * (kToken + kBack));
  // Of each selected weight position, master, m, v, gradient and two states; eight sequences, two
  // rows of the MLP, and the gradient of a matrix.
  expect("tune", 0.01 * kScope * 28 + 8 * 108 * (kToken + 2 * 11008 * 2) + 4 * 4096 * 11008);
  // Forward twice as many operations as weights and tokens, and back twice those.
  const double tokens = 108 * (40 + 256);
  EXPECT_NEAR(StageOf(plan, "locate").operations, 6 * kScope * tokens, 0.05 * 6 * kScope * tokens);
  EXPECT_FALSE(plan.seconds.has_value());  // no rate
  input.operations_per_second = 1e14;
  const RunPlan timed = PlanUnlearn(input);
  ASSERT_TRUE(timed.seconds.has_value());
  EXPECT_NEAR(*StageOf(timed, "locate").seconds, StageOf(timed, "locate").operations / 1e14, 1e-6);
}

// 8 billion weights in bf16: 1 % in 24 GB and 5 % in 40 GB, locating included.
TEST(RunPlan, FitsEightBillionWeightsIntoCardsThatPeopleHave) {
  for (const auto& [fraction, gigabytes] : {std::pair(0.01, 24.0), std::pair(0.05, 40.0)}) {
    PlanInput input = InputOf(kLlama31_8B, at::kBFloat16, at::Device(at::kCUDA, 0));
    input.options.locate.fraction = fraction;
    input.limit = static_cast<int64_t>(gigabytes * 1e9);
    const RunPlan plan = PlanUnlearn(input);
    EXPECT_TRUE(plan.fits);
    EXPECT_LE(plan.device_bytes, *input.limit);
    EXPECT_GE(plan.pass_tokens, 108);
    EXPECT_THAT(plan.locating, HasSubstr("blocks at a time"));
  }
  // 5 % in 24 GB do not.
  PlanInput input = InputOf(kLlama31_8B, at::kBFloat16, at::Device(at::kCUDA, 0));
  input.limit = 24'000'000'000;
  EXPECT_FALSE(PlanUnlearn(input).fits);
}

// Small models whose passes take most of what a run takes.
Json Made(const std::string& type, const Json& more) {
  Json config = {{"hidden_size", 64},        {"intermediate_size", 176},
                 {"num_hidden_layers", 4},   {"num_attention_heads", 4},
                 {"num_key_value_heads", 4}, {"vocab_size", 704},
                 {"rms_norm_eps", 1e-5},     {"max_position_embeddings", 128},
                 {"eos_token_id", 0},        {"model_type", type}};
  config.update(more);
  return config;
}

struct PlannedRun {
  std::string name;
  Json config;
  at::ScalarType type = at::kFloat;
  std::string objective = "npo", retain_loss = "nll", keep = "last", locate = "grin";
  double fraction = 0.05;
  std::string budget;  // beside the weights and the program
};

// The most that the stand-in device held in the stages of a run, against their plan.
TEST(RunPlan, IsWhatADeviceIsSeenToTake) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "the CPU counts no tensors";
  const Json llama = Made("llama", Json::object()), wide = Made("llama", {{"intermediate_size", 512}});
  const Json qwen3 = Made("qwen3", {{"head_dim", 32}});
  const Json gemma2 = Made("gemma2", {{"head_dim", 16},
                                      {"hidden_activation", "gelu_pytorch_tanh"},
                                      {"query_pre_attn_scalar", 16},
                                      {"attn_logit_softcapping", 50.0},
                                      {"final_logit_softcapping", 30.0},
                                      {"sliding_window", 64}});
  const Json gpt2 = {{"model_type", "gpt2"}, {"n_embd", 64},         {"n_layer", 4},
                     {"n_head", 4},          {"vocab_size", 704},    {"n_positions", 128},
                     {"eos_token_id", 0},    {"layer_norm_epsilon", 1e-5}};
  for (const PlannedRun& of :
       {PlannedRun{.name = "llama", .config = llama},
        PlannedRun{.name = "bf16", .config = llama, .type = at::kBFloat16, .fraction = 0.2},
        PlannedRun{.name = "wide", .config = wide, .objective = "ga", .keep = "best"},
        PlannedRun{.name = "qwen3", .config = qwen3, .retain_loss = "kl", .locate = "wagle"},
        PlannedRun{.name = "gemma2", .config = gemma2, .objective = "simnpo", .locate = "salun"},
        PlannedRun{.name = "gpt2", .config = gpt2, .keep = "best", .locate = "ssd"}}) {
    SCOPED_TRACE(of.name);
    const fs::path dir = EmptyDirectory("plan_peak_" + of.name);
    WriteMade(dir / "model", of.config, of.type);
    // Short texts: the stand-in device holds the scores of all of a sequence's pairs.
    for (const auto& [file, count] : {std::pair("forget", 48), std::pair("retain", 160)}) {
      std::string lines;
      for (int i = 0; i < count; ++i) lines += fmt::format("{{\"text\": \"{}{:04}\"}}\n", file[0], 7 * i);
      WriteFile(dir / (std::string(file) + ".jsonl"), lines);
    }
    WorkspaceOptions where{.model = {(dir / "model").string()}, .data = {}, .compute = {}};
    where.compute.device = TestDeviceName();
    where.data.template_name = "raw";
    UnlearnOptions options;
    options.locate.locate = of.locate;
    options.locate.fraction = of.fraction;
    options.steps.steps = 2;
    options.steps.batch_size = 40;
    options.objective.objective = of.objective;
    options.objective.retain_loss = of.retain_loss;
    options.objective.keep = of.keep;
    const int64_t before = BytesOfStandIn();
    Workspace workspace = OpenWorkspace(where);
    const LoadedTask task = LoadTask(workspace, {.forget = (dir / "forget.jsonl").string(),
                                                 .retain = (dir / "retain.jsonl").string()});
    ForgetPeakOfStandIn();
    const LocateResult located = RunLocate(workspace, task, {.locate = options.locate});
    const int64_t locate_peak = PeakOfStandIn() - before;
    ForgetPeakOfStandIn();
    options.mask = &located.mask;
    Unlearn(workspace, task, options);
    const int64_t peak = PeakOfStandIn() - before;

    PlanInput input{.model = workspace.model, .task = task.task, .options = options};
    input.options.objective = Resolved(options.objective, false);
    const int64_t program = ProgramBytes(workspace.model);
    const RunPlan tuning = PlanUnlearn(input);
    input.options.mask = nullptr;
    const RunPlan whole = PlanUnlearn(input);
    const auto expect = [&](const char* stage, int64_t measured, int64_t planned) {
      const double distance = static_cast<double>(planned) / static_cast<double>(measured) - 1;
      EXPECT_GE(distance, -0.05) << stage << ": " << measured << " " << planned;
      EXPECT_LE(distance, 0.10) << stage << ": " << measured << " " << planned;
    };
    expect("locate", locate_peak, StageOf(whole, "locate").device_bytes - program);
    expect("tune", peak, tuning.device_bytes - program);
  }
}

TEST(RunPlan, NeedsAConfigAlone) {
  const fs::path dir = EmptyDirectory("plan_config");
  WriteFile(dir / "config.json", kLlama31_8B.dump());
  WorkspaceOptions where{.model = {dir.string()}, .data = {}, .compute = {}};
  where.compute.device = "cuda";
  where.compute.memory_budget = "24GB";
  const Json plan = RunPlanCommand(where, {}, {}, {});
  EXPECT_EQ(plan["weights"], 8'030'261'248);
  EXPECT_EQ(plan["dtype"], "bfloat16");
  EXPECT_FALSE(plan["fits"]);
  EXPECT_TRUE(plan["seconds"].is_null());
  EXPECT_EQ(plan["assumed"]["forget"]["sequences"], 400);
  EXPECT_EQ(plan["stages"].size(), 6u);
  EXPECT_THAT(plan["advice"].dump(), HasSubstr("--fraction 0.01 -> "));
  EXPECT_THAT(plan["advice"].dump(), HasSubstr("which fits"));
  EXPECT_THAT(MessageOf([&] { RunPlanCommand(where, {.forget = "f.jsonl"}, {}, {}); }),
              HasSubstr("--forget needs a tokenizer"));
  where.compute.device = "gpu";
  EXPECT_THAT(MessageOf([&] { RunPlanCommand(where, {}, {}, {}); }), HasSubstr("is not known"));
}

TEST(RunPlan, ReadsDataWhereThereIsATokenizer) {
  const ToyRun toy("plan_data");
  const Json plan = RunPlanCommand(toy.where(), toy.task(), toy.unlearn(), {});
  EXPECT_TRUE(plan["assumed"].empty());
  EXPECT_TRUE(plan["fits"]);
  EXPECT_GT(plan["disk_bytes"], 0);
  if (TestDevice().is_cpu()) {
    EXPECT_GT(plan["operations_per_second"], 0);
    EXPECT_GT(plan["seconds"], 0);
    EXPECT_EQ(plan["device_bytes"], 0);
  }
}

}  // namespace
}  // namespace grin
