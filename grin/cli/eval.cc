// grin eval: did it forget, and only that?

#include <cstdio>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/cli/command.h"
#include "grin/cli/results_summary.h"
#include "grin/cli/stages.h"
#include "grin/engine/engine_key.h"
#include "grin/io/model_fingerprint.h"
#include "grin/suite/results.h"
#include "grin/suite/suite.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct EngineFlags {
  int64_t batch_size = 0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit(
        "batch-size", batch_size,
        "prompts continued at once, no value depends on it; 0: as many as 1 GiB of keys and values "
        "holds, 8 to 128");
  }
};

struct Options {
  ModelOptions model;
  SuiteOptions suite;
  EngineFlags engine;
  DataOptions data;
  OutputOptions output;
};

EngineResults RunEngines(const Workspace& workspace, const Encoder& encoder, const EvalPlan& plan,
                         const Options& options, const std::string& suffix) {
  Info("{}: {} sequences to score, {} prompts to continue", workspace.checkpoint->path().string(),
       plan.sequences(), plan.prompts());
  return plan.Run(workspace.model, encoder,
                  {.batch_size = options.engine.batch_size,
                   .cache = options.output.out + suffix,
                   .cache_key = EngineKey(Version(), at::toString(workspace.model.weights->dtype()),
                                          *workspace.checkpoint, encoder)});
}

// The model that membership is compared with reads the first model's tokens.
Workspace OpenReferenceModel(const CommonOptions& common, const std::string& path,
                             const Encoder& encoder) {
  Workspace other = OpenModel(common, {.model = path});
  if (encoder.tokenizer().size() > other.model.config.vocabulary) {
    BadInput("eval",
             "--reference-model {}: its vocab_size is {}, the model's tokenizer has ids up to {}; "
             "both must have the same tokenizer",
             path, other.model.config.vocabulary, encoder.tokenizer().size() - 1);
  }
  return other;
}

void Run(const Options& options, const CommonOptions& common, const Json& recipe) {
  Require(options.output.out, "--out");
  CheckOutput(options.output);
  if (options.engine.batch_size < 0 || options.suite.max_new_tokens < 1 ||
      options.suite.limit < 0) {
    BadUsage("eval", "--max-new-tokens must be 1 or more, --batch-size and --limit 0 or more");
  }
  const Progress clock("", 0);
  const Suite& suite = FindSuite(options.suite.suite);
  const SuiteOptions settings = SettleOptions(suite, options.suite, options.data.columns);
  const Json reference =
      options.suite.reference.empty() ? Json() : LoadResults(options.suite.reference);
  Json document = Provenance("eval", recipe);
  document["format"] = "grin-results-1";
  document["suite"] = suite.name;
  if (!settings.split.empty()) document["split"] = settings.split;
  document["model"] = options.model.model;
  document["reference"] = options.suite.reference.empty() ? Json() : Json(options.suite.reference);
  document["inputs"] = Json::array();

  Workspace workspace = OpenWorkspace(common, options.model, options.data);
  document["model_description"] = workspace.checkpoint->Describe();
  document["model_fingerprint"] = ModelFingerprint(*workspace.checkpoint);
  EvalPlan plan, reference_plan;
  const SuiteInput input{
      .options = settings,
      .encoder = *workspace.encoder,
      .context = workspace.model.config.context,
      .positions = workspace.model.positions.defined() ? workspace.model.config.context : 0,
      .columns = options.data.columns,
      .reference = reference,
      .note_input =
          [&](const fs::path& path, int64_t records) {
            document["inputs"].push_back(fs::is_regular_file(path)
                                             ? DescribeInput(path, records)
                                             : Json{{"path", path.string()}, {"records", records}});
          },
      .reference_plan = options.suite.reference_model.empty() ? nullptr : &reference_plan};
  const FinishSuite finish = suite.plan(input, plan);
  const Encoder& encoder = *workspace.encoder;
  const EngineResults engines = RunEngines(workspace, encoder, plan, options, ".partial");
  std::optional<EngineResults> reference_engines;
  if (input.reference_plan) {  // the first model's weights are not needed any more
    workspace.model.weights.reset();
    workspace.model = {};
    const Workspace other = OpenReferenceModel(common, options.suite.reference_model, encoder);
    reference_engines = RunEngines(other, encoder, reference_plan, options, ".reference.partial");
  }
  Json results = finish(engines, reference_engines ? &*reference_engines : nullptr);
  document["seconds"] = clock.seconds();
  document["peak_memory"] = PeakMemory();
  results["grin"] = document;
  WriteFile(options.output.out, results.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  for (const char* suffix : {".partial", ".reference.partial"}) {
    std::error_code none;
    fs::remove(options.output.out + suffix, none);
  }
  Info("eval: {} in {}; written to {}", suite.name, FormatDuration(clock.seconds()),
       options.output.out);
  if (common.json) {
    PrintJson(common, SummaryOf(results));
  } else if (!common.quiet) {
    PrintResults(results);
  }
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Suite", options->suite);
  flags.Bind("Engines", options->engine);
  flags.Bind("Input", options->data);
  flags.Bind("Output", options->output);
  return [options, &flags, &common] { Run(*options, common, flags.Recipe()); };
}

}  // namespace

extern const Command kEval;
const Command kEval = {
    .name = "eval",
    .summary = "measure what a model knows: TOFU, WMDP, MMLU, SafePKU, MUSE, keywords, your own",
    .examples =
        "Examples:\n"
        "  grin eval --model RETAIN --suite tofu --data tofu/ --split forget10 --out retain.json\n"
        "  grin eval --model M --suite tofu --data tofu/ --split forget10 --reference retain.json "
        "--out m.json\n"
        "  grin eval --model M --suite wmdp --data wmdp/ --split bio --out bio.json\n"
        "  grin eval --model M --suite keywords --data forget=f.jsonl,retain=r.jsonl --out k.json\n"
        "An interrupted run goes on where it was: what is finished is kept in "
        "RESULTS.json.partial.",
    .set_up = SetUp};

}  // namespace grin
