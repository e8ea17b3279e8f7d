// grin generate: greedy and sampled continuations.

#include <cstdio>

#include "grin/base/error.h"
#include "grin/cli/command.h"
#include "grin/engine/generation.h"

namespace grin {
namespace {

struct GenerateOptions {
  std::string prompt, data;
  int64_t max_new_tokens = 200;
  double temperature = 0;
  double top_p = 1.0;
  int64_t top_k = 0;
  double repetition_penalty = 1.0;
  int64_t batch_size = 0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("prompt", prompt, "one prompt, put into the template");
    visit.List("data", data, "a file of prompts (its answers are shown beside, not used)");
    visit("max-new-tokens", max_new_tokens, "longest continuation");
    visit("temperature", temperature, "0: greedy; above: sampled");
    visit("top-p", top_p, "sample from the smallest set of tokens with this probability");
    visit("top-k", top_k, "sample from the k likeliest tokens; 0: all");
    visit("repetition-penalty", repetition_penalty,
          "divides the logits of tokens that were said before; 1: nothing");
    visit("batch-size", batch_size,
          "prompts continued at once; 0: as many as 1 GiB of keys and values holds, 8 to 128");
  }
};

struct Options {
  ModelOptions model;
  GenerateOptions generate;
  DataOptions data;
  OutputOptions output;
};

void Run(const Options& options, const CommonOptions& common) {
  const GenerateOptions& generate = options.generate;
  if (generate.prompt.empty() == generate.data.empty()) {
    BadUsage("generate", "give either --prompt TEXT or --data FILE");
  }
  if (generate.temperature < 0 || !(generate.top_p > 0 && generate.top_p <= 1) ||
      generate.top_k < 0 || generate.batch_size < 0 || generate.max_new_tokens < 1) {
    BadUsage("generate",
             "--temperature must be >= 0, --top-p in (0, 1], --top-k and --batch-size "
             ">= 0, --max-new-tokens >= 1");
  }
  if (!(generate.repetition_penalty > 0)) {
    BadUsage("generate", "--repetition-penalty is {}; it must be above 0",
             generate.repetition_penalty);
  }
  if (!options.output.out.empty()) CheckOutput(options.output);
  const Workspace workspace = OpenWorkspace(common, options.model, options.data);
  const Encoder& encoder = *workspace.encoder;
  std::vector<Example> examples;
  if (generate.data.empty()) {
    Example example;
    example.prompt = generate.prompt;
    examples.push_back(example);
  } else {
    examples = LoadExamples(generate.data, options.data.columns);
  }
  std::vector<std::vector<int32_t>> prompts;
  for (const Example& example : examples) {
    prompts.push_back(encoder.EncodePrompt(example));
    if (static_cast<int64_t>(prompts.back().size()) >= workspace.model.config.context) {
      BadInput("generate", "{}: the prompt has {} tokens, the model's context is {}",
               example.where.empty() ? "--prompt" : example.where, prompts.back().size(),
               workspace.model.config.context);
    }
  }
  const auto results = Generate(workspace.model, prompts, encoder.stop_tokens(),
                                {.max_new_tokens = generate.max_new_tokens,
                                 .temperature = generate.temperature,
                                 .top_p = generate.top_p,
                                 .top_k = generate.top_k,
                                 .repetition_penalty = generate.repetition_penalty,
                                 .seed = static_cast<uint64_t>(common.seed),
                                 .batch_size = generate.batch_size,
                                 .progress = "generate"});
  std::optional<AtomicFile> file;
  if (!options.output.out.empty()) file.emplace(options.output.out);
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string text = encoder.tokenizer().Decode(results[i].tokens, true);
    std::string line;
    if (generate.data.empty() && !common.json && !file) {
      line = text + "\n";
    } else {
      Json record = {{"prompt", examples[i].prompt}, {"generated", text}};
      if (!examples[i].is_text() && !examples[i].response.empty()) {
        record["answer"] = examples[i].response;
      }
      record["tokens"] = results[i].tokens;
      record["ended"] = results[i].ended;
      line = record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
    file ? file->Write(line) : void(std::fputs(line.c_str(), stdout));
  }
  if (file) file->Commit();
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Generation", options->generate);
  flags.Bind("Input", options->data);
  flags.Bind("Output", options->output);
  return [options, &common] { Run(*options, common); };
}

}  // namespace

extern const Command kGenerate;
const Command kGenerate = {
    .name = "generate",
    .summary = "continue prompts, greedily or sampled",
    .examples =
        "Examples:\n"
        "  grin generate --model M --prompt \"Who wrote Hamlet?\"\n"
        "  grin generate --model M --data questions.jsonl --out answers.jsonl",
    .set_up = SetUp};

}  // namespace grin
