// Tries recipes of `grin unlearn` on the taught model that `grin demo` leaves in its folder, and
// measures each along its way on the demo's three sets. Every run is appended to the output as one
// JSON line at once, and a run that stands there already is skipped: an interrupted study goes on.
//
//   grin_recipes --taught grin-demo/taught --recipes recipes.txt --out runs.jsonl
//
// Each line of recipes.txt is a name and flags of `grin unlearn`, and --facts, --seeds, --times:
//
//   half the rate: --lr 5e-4 --seeds 3

#include <fstream>
#include <map>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/cli/common.h"
#include "grin/cli/flags.h"
#include "grin/cli/terminal.h"
#include "grin/io/table.h"
#include "grin/locate/locate.h"
#include "grin/metric/keyword_metrics.h"
#include "grin/run/budget.h"
#include "grin/run/workspace.h"
#include "grin/tune/forget_sequences.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/tune_plan.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct StudyOptions {
  std::string taught = "grin-demo/taught";
  std::string people = "examples/people";
  std::string recipes, out;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("taught", taught, "the taught model");
    visit("people", people,
          "folder with forget.jsonl, retain.jsonl, facts.jsonl and general.jsonl");
    visit("recipes", recipes, "file of recipes, one per line: NAME: FLAGS");
    visit("out", out, "JSON Lines that runs are appended to");
  }
};

struct Recipe {
  bool facts = false;
  int64_t seeds = 1;
  int64_t times = 4;
  LocateOptions locate;
  PerturbOptions perturb;
  ObjectiveOptions objective;
  StepOptions steps;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("facts", facts, "the retain set holds the facts, too");
    visit("seeds", seeds, "runs, with seeds 0, 1, ...");
    visit("times", times, "measurements in a run");
    locate.Visit(visit);
    perturb.Visit(visit);
    objective.Visit(visit);
    steps.Visit(visit);
  }
};

class Study {
 public:
  Study(const StudyOptions& options, const CommonOptions& common)
      : options_(options), common_(common) {
    Require(options.recipes, "--recipes");
    Require(options.out, "--out");
    for (const char* name : {"forget", "retain", "facts", "general"}) {
      examples_[name] = LoadExamples(fs::path(options.people) / (std::string(name) + ".jsonl"));
    }
    if (!fs::exists(options.out)) return;
    for (const std::string& line : ReadLines(options.out)) {
      const Json run = Json::parse(line);
      done_.emplace(run["flags"].get<std::string>(), run["seed"].get<int64_t>());
    }
  }

  void Run() {
    if (!done_.contains({"taught", 0})) {
      const Workspace workspace = Open();
      Append({{"name", "taught"}, {"flags", "taught"}, {"seed", 0}, {"end", Measure(workspace)}});
    }
    for (const std::string& line : ReadLines(options_.recipes)) {
      const size_t colon = line.find(':');
      if (line.starts_with("#") || colon == std::string::npos) continue;
      const std::string name = line.substr(0, colon), flags = line.substr(colon + 1);
      CLI::App app;
      Flags bound(app);
      Recipe recipe;
      bound.Bind("Recipe", recipe);
      app.parse(flags);
      for (int64_t seed = 0; seed < recipe.seeds; ++seed) {
        if (!done_.contains({flags, seed})) Try(name, flags, recipe, seed);
      }
    }
  }

 private:
  Workspace Open() const { return OpenWorkspace({.model = {options_.taught}, .data = {}, .compute = common_.compute}); }

  Json Measure(const Workspace& workspace) const {
    Json json;
    for (const auto& [name, examples] : examples_) {
      const auto sequences = workspace.encoder->EncodeAll(examples);
      const SetScores scores =
          AverageScores(examples, sequences,
                        ScoreSequences(workspace.model, sequences, {.extras = {.argmax = true}}));
      json[name] = {{"probability", scores.probability},
                    {"keyword_accuracy", scores.keyword_accuracy},
                    {"keyword_confidence", scores.keyword_confidence}};
    }
    return json;
  }

  const Mask& MaskOf(const Workspace& workspace, const Task& task, const Recipe& recipe,
                     int64_t pass_tokens) {
    const std::string key =
        fmt::format("{} {} {} {} {}", recipe.facts, recipe.locate.locate, recipe.locate.fraction,
                    recipe.locate.epsilon, recipe.locate.statistic);
    if (!masks_.contains(key)) {
      masks_[key] = Locate(workspace.model, task.forget_sequences, task.retain_sequences,
                           recipe.locate, 0, pass_tokens);
    }
    return masks_[key];
  }

  void Try(const std::string& name, const std::string& flags, const Recipe& recipe, int64_t seed) {
    const Workspace workspace = Open();
    const Model& model = workspace.model;
    std::vector<Example> retain = examples_["retain"];
    if (recipe.facts) {
      retain.insert(retain.end(), examples_["facts"].begin(), examples_["facts"].end());
    }
    const Task task = MakeTask(*workspace.encoder, examples_["forget"], retain, false);
    const int64_t pass_tokens =
        RecordedPassTokens(model, common_.compute, ScoreBytes(model, recipe.locate), LongestOf(task));
    const auto key = static_cast<uint64_t>(seed);
    const auto sequences =
        ForgetSequences(task, *workspace.encoder, Resolved(recipe.objective, false), key);
    auto terms = MakeTerms(sequences, task.retain_sequences, recipe.objective);
    for (LossTerm& term : terms) ComputeReference(model, term, pass_tokens);
    Trainable trainable(model, MaskOf(workspace, task, recipe, pass_tokens));
    Perturb(model, trainable, recipe.perturb, key);

    // Each measurement is "better" than the one before, so that the last state stays.
    Json path = Json::array();
    const Judge judge{.measure =
                          [&] {
                            path.push_back(Measure(workspace));
                            return Judge::Verdict{.score = static_cast<double>(path.size()),
                                                  .figures = path.back()};
                          },
                      .times = recipe.times};
    const TuneReport report = Tune(model, trainable, terms, recipe.steps, key, pass_tokens, judge);
    Append({{"name", name},
            {"flags", flags},
            {"seed", seed},
            {"steps", report.steps},
            {"guard", report.guard},
            {"seconds", report.seconds},
            {"end", path.empty() ? Json() : path.back()},
            {"log", report.log}});
  }

  void Append(const Json& run) {
    std::ofstream(options_.out, std::ios::app) << run.dump() << std::endl;
    done_.emplace(run["flags"].get<std::string>(), run["seed"].get<int64_t>());
    Info("{}: {}", run["name"].get<std::string>(), run["end"].dump());
  }

  StudyOptions options_;
  CommonOptions common_;
  std::map<std::string, std::vector<Example>> examples_;
  std::map<std::string, Mask> masks_;
  std::set<std::pair<std::string, int64_t>> done_;
};

}  // namespace
}  // namespace grin

int main(int argc, char** argv) {
  CLI::App app("Tries recipes of grin unlearn on the demo's people.", "grin_recipes");
  grin::Flags flags(app);
  grin::StudyOptions options;
  grin::CommonOptions common;
  flags.Bind("Study", options);
  flags.Bind("Common options", common);
  CLI11_PARSE(app, argc, argv);
  try {
    grin::SetThreads(common.threads);
    const grin::ListenerScope scope(grin::TerminalListener(common.quiet));
    grin::Study(options, common).Run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
  return 0;
}
