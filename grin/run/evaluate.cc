#include "grin/run/evaluate.h"

#include <filesystem>
#include <optional>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/stopwatch.h"
#include "grin/base/version.h"
#include "grin/engine/engine_key.h"
#include "grin/io/model_fingerprint.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"
#include "grin/run/shared_start.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Files of finished answers, beside the output: of the model, and of the reference model.
constexpr const char *kAnswers = ".partial", *kReferenceAnswers = ".reference.partial";

// What a number's last bits depend on.
std::string TypeAndDevice(const Workspace& workspace) {
  std::string text = at::toString(workspace.model.weights->dtype());
  const std::string& device = workspace.options.compute.device;
  return device == "cpu" ? text : text + " " + device;
}

EngineResults RunEngines(const Workspace& workspace, const Encoder& encoder, const EvalPlan& plan,
                         const EvaluateOptions& options, const char* suffix) {
  const Model& model = workspace.model;
  const ComputeOptions& compute = workspace.options.compute;
  Info("{}: {} sequences to score, {} prompts to continue", workspace.checkpoint->path().string(),
       plan.sequences(), plan.prompts());
  EngineOptions engines{.pass_tokens = ScoringPassTokens(model, compute, 0, plan.longest()),
                        .batch_size = options.batch_size,
                        .cache = options.output.out + suffix,
                        .cache_key = EngineKey(Version(), TypeAndDevice(workspace),
                                               *workspace.checkpoint, encoder)};
  if (plan.longest_gradient() > 0) CheckGradientBudget(model, compute, plan.longest_gradient());
  if (plan.prompts() > 0) {
    const GenerationBudget budget = BudgetGeneration(model, compute);
    engines.cache_bytes = budget.cache_bytes;
    engines.prefill_tokens = budget.prefill_tokens;
  }
  return InStage(compute, "evaluating", "a smaller --batch-size continues fewer prompts at once",
                 [&] { return plan.Run(model, encoder, engines); });
}

// The model that membership is compared with reads the first model's tokens.
Workspace OpenReferenceModel(WorkspaceOptions where, const std::string& path,
                             const Encoder& encoder) {
  where.model.model = path;
  Workspace other = OpenModel(where);
  if (encoder.tokenizer().size() > other.model.config.vocabulary) {
    BadInput("eval",
             "--reference-model {}: its vocab_size is {}, the model's tokenizer has ids up to {}; "
             "both must have the same tokenizer",
             path, other.model.config.vocabulary, encoder.tokenizer().size() - 1);
  }
  return other;
}

// The "grin" member of a results file, as far as it is known before the model is asked.
Json DescribeEvaluation(const WorkspaceOptions& where, const EvaluateOptions& options,
                        const SuiteOptions& settings) {
  Json document = Provenance("eval", RecipeOf(where, options));
  document["format"] = "grin-results-1";
  document["suite"] = settings.suite;
  if (!settings.split.empty()) document["split"] = settings.split;
  document["model"] = ValidUtf8(where.model.model);
  document["reference"] =
      settings.reference.empty() ? Json() : Json(ValidUtf8(settings.reference));
  document["inputs"] = Json::array();
  return document;
}

}  // namespace

Json Evaluate(const WorkspaceOptions& options_of_model, const EvaluateOptions& options) {
  const Stopwatch clock;
  WorkspaceOptions where = options_of_model;
  SettleDevice(where.compute);
  if (options.batch_size < 0 || options.suite.max_new_tokens < 1 || options.suite.limit < 0) {
    BadUsage("eval", "--max-new-tokens must be 1 or more, --batch-size and --limit 0 or more");
  }
  const Suite& suite = FindSuite(options.suite.suite);
  const SuiteOptions settings = SettleOptions(suite, options.suite, where.data.columns);
  const bool writes = !where.ranks || where.ranks->first();
  std::optional<AtomicFile> file;
  if (writes) {
    CheckOutput(options.output, OutputKind::kFile);
    file.emplace(options.output.out);
    for (const char* suffix : {kAnswers, kReferenceAnswers}) {
      CheckFileName(options.output.out + suffix);
    }
  }
  const Json reference = settings.reference.empty() ? Json() : LoadResults(settings.reference);
  Json document = DescribeEvaluation(where, options, settings);

  Workspace workspace = OpenWorkspace(where);
  document["model_description"] = ValidUtf8(workspace.checkpoint->Describe());
  document["model_fingerprint"] = ModelFingerprint(*workspace.checkpoint);
  const ModelConfig& config = workspace.model.config;
  EvalPlan plan, reference_plan;
  const SuiteInput input{
      .options = settings,
      .encoder = *workspace.encoder,
      .context = config.context,
      .positions = workspace.model.positions.defined() ? config.context : 0,
      .columns = where.data.columns,
      .reference = reference,
      .note_input =
          [&](const fs::path& path, int64_t records) {
            document["inputs"].push_back(
                fs::is_regular_file(path)
                    ? DescribeInput(path, records)
                    : Json{{"path", ValidUtf8(path.string())}, {"records", records}});
          },
      .reference_plan = settings.reference_model.empty() ? nullptr : &reference_plan,
      .device = workspace.model.weights->device()};
  const FinishSuite finish = suite.plan(input, plan);
  const Encoder& encoder = *workspace.encoder;
  if (where.ranks) {
    CheckAlike(*where.ranks, {{"version", document.at("grin_version")},
                              {"command", document.at("command")},
                              {"recipe", document.at("recipe")},
                              {"files", {{"the model", document.at("model_fingerprint")},
                                         {"the data", document.at("inputs").dump()}}}});
  }
  const EngineResults engines = RunEngines(workspace, encoder, plan, options, kAnswers);
  std::optional<EngineResults> reference_engines;
  if (input.reference_plan) {  // the first model's weights are not needed any more
    workspace.model.weights.reset();
    workspace.model = {};
    const Workspace other = OpenReferenceModel(where, settings.reference_model, encoder);
    reference_engines = RunEngines(other, encoder, reference_plan, options, kReferenceAnswers);
  }
  Json results = finish(engines, reference_engines ? &*reference_engines : nullptr);
  document["seconds"] = clock.seconds();
  document["peak_memory"] = PeakMemory();
  results["grin"] = document;
  if (!writes) return results;
  file->Write(results.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  file->Commit();
  for (const char* suffix : {kAnswers, kReferenceAnswers}) {
    std::error_code none;
    fs::remove(options.output.out + suffix, none);
  }
  Info("eval: {} in {}; written to {}", suite.name, FormatDuration(clock.seconds()),
       options.output.out);
  return results;
}

}  // namespace grin
