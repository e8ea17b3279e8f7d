#include "grin/run/generate.h"

#include <optional>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/engine/generation.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

std::vector<Example> PromptsOf(const Workspace& workspace, const GenerateOptions& options) {
  if (!options.data.empty()) return LoadExamples(options.data, workspace.options.data.columns);
  Example example;
  example.prompt = options.prompt;
  return {example};
}

std::vector<std::vector<int32_t>> EncodePrompts(const Workspace& workspace,
                                                const std::vector<Example>& examples) {
  const int64_t context = workspace.model.config.context;
  std::vector<std::vector<int32_t>> prompts;
  for (const Example& example : examples) {
    prompts.push_back(workspace.encoder->EncodePrompt(example));
    if (static_cast<int64_t>(prompts.back().size()) >= context) {
      BadInput("generate", "{}: the prompt has {} tokens, the model's context is {}",
               example.where.empty() ? "--prompt" : example.where, prompts.back().size(), context);
    }
  }
  return prompts;
}

Json AnswerOf(const Example& example, const Generated& generated, const Tokenizer& tokenizer) {
  Json answer = {{"prompt", ValidUtf8(example.prompt)},
                 {"generated", ValidUtf8(tokenizer.Decode(generated.tokens, true))}};
  if (!example.is_text() && !example.response.empty()) answer["answer"] = example.response;
  answer["tokens"] = generated.tokens;
  answer["ended"] = generated.ended;
  return answer;
}

}  // namespace

void CheckGenerate(const GenerateOptions& options) {
  if (options.prompt.empty() == options.data.empty()) {
    BadUsage("generate", "give either --prompt TEXT or --data FILE");
  }
  if (options.temperature < 0 || !(options.top_p > 0 && options.top_p <= 1) || options.top_k < 0 ||
      options.batch_size < 0 || options.max_new_tokens < 1) {
    BadUsage("generate",
             "--temperature must be >= 0, --top-p in (0, 1], --top-k and --batch-size "
             ">= 0, --max-new-tokens >= 1");
  }
  if (!(options.repetition_penalty > 0)) {
    BadUsage("generate", "--repetition-penalty is {}; it must be above 0",
             options.repetition_penalty);
  }
  if (!options.output.out.empty()) CheckOutput(options.output, OutputKind::kFile);
}

std::vector<Json> RunGenerate(const Workspace& workspace, const GenerateOptions& options) {
  CheckGenerate(options);
  std::optional<AtomicFile> file;
  if (!options.output.out.empty()) file.emplace(options.output.out);
  const std::vector<Example> examples = PromptsOf(workspace, options);
  const auto prompts = EncodePrompts(workspace, examples);
  const GenerationBudget budget = BudgetGeneration(workspace.model, workspace.options.compute);
  const auto generate = [&] {
    return Generate(workspace.model, prompts, workspace.encoder->stop_tokens(),
               {.max_new_tokens = options.max_new_tokens,
                .temperature = options.temperature,
                .top_p = options.top_p,
                .top_k = options.top_k,
                .repetition_penalty = options.repetition_penalty,
                .seed = static_cast<uint64_t>(workspace.options.compute.seed),
                .batch_size = options.batch_size,
                .cache_bytes = budget.cache_bytes,
                .prefill_tokens = budget.prefill_tokens,
                .progress = "generate"});
  };
  const auto results = InStage(workspace.options.compute, "generating",
                               "a smaller --batch-size continues fewer prompts at once", generate);
  std::vector<Json> answers;
  for (size_t i = 0; i < results.size(); ++i) {
    answers.push_back(AnswerOf(examples[i], results[i], workspace.encoder->tokenizer()));
    if (file) file->Write(answers.back().dump() + "\n");
  }
  if (file) file->Commit();
  return answers;
}

}  // namespace grin
