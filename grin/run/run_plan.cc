#include "grin/run/run_plan.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "grin/base/error.h"
#include "grin/base/memory.h"
#include "grin/base/read_json.h"
#include "grin/base/stopwatch.h"
#include "grin/data/packing.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/model/footprint.h"
#include "grin/model/product.h"
#include "grin/model/shapes.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/device_memory.h"
#include "grin/run/output.h"
#include "grin/run/unlearn_needs.h"
#include "grin/tune/trade_off.h"
#include "grin/tune/tune_plan.h"

namespace grin {
namespace {

// Sizes of a set that costs follow from.
struct SetSize {
  explicit SetSize(std::span<const Sequence* const> sequences) {
    for (const Sequence* sequence : sequences) Add(*sequence);
  }
  explicit SetSize(const std::vector<Sequence>& sequences) {
    for (const Sequence& sequence : sequences) Add(sequence);
  }

  void Add(const Sequence& sequence) {
    const auto length = static_cast<double>(TokensRead(sequence).size());
    ++count;
    tokens += length;
    squares += length * length;
    labels += static_cast<double>(sequence.labels.size());
    lengths.push_back(static_cast<int64_t>(TokensRead(sequence).size()));
  }

  // Of so many sequences, the longest ones.
  int64_t TokensOfLongest(int64_t many) const {
    std::vector<int64_t> sorted = lengths;
    std::ranges::sort(sorted, std::greater());
    int64_t sum = 0;
    for (int64_t i = 0; i < std::min<int64_t>(many, static_cast<int64_t>(sorted.size())); ++i) {
      sum += sorted[static_cast<size_t>(i)];
    }
    return sum;
  }

  SetSize Part(double share) const {
    SetSize part = *this;
    part.count *= share;
    part.tokens *= share;
    part.squares *= share;
    part.labels *= share;
    return part;
  }

  double count = 0, tokens = 0, squares = 0, labels = 0;
  std::vector<int64_t> lengths;
};

// Operations of passes over a set: two for each weight and token of the blocks' matrices,
// attention's scores and mixtures over half of each square, and the head at labels.
class Operations {
 public:
  explicit Operations(const Model& model) {
    for (const std::string& name : model.BlockMatrices()) {
      matrices_ += static_cast<double>(model.weights->tensors().at(name).numel());
    }
    const ModelConfig& c = model.config;
    attention_ = 2.0 * static_cast<double>(c.layers * c.heads * c.head_dim);
    head_ = static_cast<double>(c.vocabulary * c.embedding_width);
  }

  double Forward(const SetSize& set) const {
    return 2 * matrices_ * set.tokens + attention_ * set.squares + 2 * head_ * set.labels;
  }
  // Back through the activations: attention is computed again, and so are the logits.
  double Backward(const SetSize& set) const {
    return 2 * matrices_ * set.tokens + 2.5 * attention_ * set.squares + 4 * head_ * set.labels;
  }

 private:
  double matrices_ = 0, attention_ = 0, head_ = 0;
};

// Of dense gradients of so many weights.
double GradientOperations(double weights, const SetSize& set) { return 2 * weights * set.tokens; }

double ScopeSize(const Model& model, const LocateOptions& options) {
  double size = 0;
  for (const std::string& name : ScoredNames(model, options)) {
    size += static_cast<double>(model.weights->tensors().at(name).numel());
  }
  return size;
}

int64_t SelectedCountOf(const Mask* mask, const Model& model, const LocateOptions& options) {
  return mask ? mask->count() : SelectedCount(model, options);
}

// Entries of the largest weight of which something is selected.
int64_t LargestScored(const Model& model, const Mask* mask, const LocateOptions& options) {
  int64_t largest = 0;
  if (mask) {
    for (const MaskTensor& tensor : mask->tensors()) {
      if (tensor.count > 0) largest = std::max(largest, tensor.size());
    }
    return largest;
  }
  for (const std::string& name : ScoredNames(model, options)) {
    largest = std::max(largest, model.weights->tensors().at(name).numel());
  }
  return largest;
}

int64_t LargestTensor(const Model& model) {
  int64_t largest = 0;
  for (const auto& [name, tensor] : model.weights->tensors())
    largest = std::max(largest, tensor.numel());
  return largest;
}

int64_t CountWeights(const Model& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) count += tensor.numel();
  return count;
}

// Adds stages up as they come.
class Stages {
 public:
  Stages(const PlanInput& input, RunPlan& plan) : input_(input), plan_(plan) {
    const Model& model = input.model;
    on_host_ = model.weights->device().is_cpu();
    constexpr int64_t kHostProgram = int64_t{300} << 20;
    const int64_t program = input.program_bytes > 0 ? input.program_bytes : kHostProgram;
    // Pages of the checkpoint that were read are among the process's, and may be dropped at any
    // time.
    host_ = program + (on_host_ ? WeightBytes(model) : input.stored_bytes);
    device_ = on_host_ ? 0 : WeightBytes(model) + ProgramBytes(model);
    // Converted weights stand beside the pages that they were read from.
    if (on_host_ && input.stored_bytes != WeightBytes(model)) host_ += input.stored_bytes;
  }

  // `bytes` where the model computes, `on_host` beside it on the host.
  void Add(const std::string& name, int64_t bytes, int64_t on_host, double operations) {
    StagePlan stage{.name = name,
                    .host_bytes = host_ + on_host + (on_host_ ? bytes : 0),
                    .device_bytes = on_host_ ? 0 : device_ + bytes,
                    .operations = operations};
    if (operations == 0) {
      stage.seconds = 0;
    } else if (input_.operations_per_second > 0) {
      stage.seconds = operations / input_.operations_per_second;
    }
    plan_.host_bytes = std::max(plan_.host_bytes, stage.host_bytes);
    plan_.device_bytes = std::max(plan_.device_bytes, stage.device_bytes);
    plan_.stages.push_back(std::move(stage));
  }

  bool on_host() const { return on_host_; }

 private:
  const PlanInput& input_;
  RunPlan& plan_;
  bool on_host_ = true;
  int64_t host_ = 0, device_ = 0;
};

}  // namespace

RunPlan PlanUnlearn(const PlanInput& input) {
  const Model& model = input.model;
  const UnlearnOptions& options = input.options;
  const Task& task = input.task;
  const Method& method = FindMethod(options.method.method);
  const LocateOptions locate =
      method.selection ? method.selection(model, options.locate) : options.locate;
  const auto seed = static_cast<uint64_t>(input.compute.seed);
  const UnlearnNeeds needs =
      NeedsOf(model, task, options, locate, options.mask, input.open_unlearning);
  std::optional<int64_t> room;
  if (input.limit) room = *input.limit - WeightBytes(model) - ProgramBytes(model);

  RunPlan plan;
  Stages stages(input, plan);
  const Operations operations(model);
  const int64_t layers = model.config.layers;
  stages.Add("load", 0, 0, 0);

  // Tuning first: its passes compute the reference values too.
  const auto terms = method.run ? std::vector<LossTerm>()
                                : MakeTerms(task.forget_sequences, task.retain_sequences,
                                            options.objective, seed, input.open_unlearning);
  const int64_t step_units = options.steps.batch_size * options.steps.accumulate;
  int64_t step_tokens = 0;  // of the larger term, in one step
  int64_t all_tokens = 0;   // of the larger one that reference values are taken of
  for (const LossTerm& term : terms) {
    const SetSize set(*term.sequences);
    step_tokens = std::max(step_tokens, set.TokensOfLongest(step_units * term.unit()));
    if (term.objective->needs_reference) {
      all_tokens = std::max(all_tokens, static_cast<int64_t>(set.tokens));
    }
  }
  const int64_t per_token = RecordedBytesPerToken(model);
  const int64_t logits = stages.on_host() ? 0 : LogitBytes(model);
  int64_t pass_tokens = std::max(EnoughRecordedTokens(model), needs.longest);
  if (room) {
    pass_tokens =
        std::clamp((*room - needs.while_tuning() - logits) / per_token, needs.longest, pass_tokens);
  }
  plan.pass_tokens = pass_tokens;
  // A pass takes no more tokens than there are. As many of them as may be have logits.
  const auto pass_of = [&](int64_t tokens) {
    return terms.empty() ? pass_tokens : std::min(pass_tokens, tokens);
  };
  const auto forward_bytes = [&](int64_t tokens) {
    return ForwardPassBytes(model, pass_of(tokens), pass_of(tokens));
  };

  // References and the judge's start.
  double reference = 0;
  for (const LossTerm& term : terms) {
    if (term.objective->needs_reference) reference += operations.Forward(SetSize(*term.sequences));
  }
  double judged = 0;
  int64_t judged_tokens = 0;
  if (!method.run && options.objective.keep == "best") {
    for (const auto* set : {&task.forget_sequences, &task.retain_sequences}) {
      const SetSize size(*set);
      const double share = std::min(1.0, kJudgedSequences / std::max(1.0, size.count));
      judged += operations.Forward(size.Part(share));
      judged_tokens = std::max(judged_tokens, size.TokensOfLongest(kJudgedSequences));
    }
  }
  const int64_t compared_on_host =
      stages.on_host() || method.run
          ? 0
          : ReferenceBytes(model, task, options.objective, input.open_unlearning);
  stages.Add("reference",
             needs.before_tuning() + forward_bytes(std::max(all_tokens, judged_tokens)),
             compared_on_host, reference + judged);

  const double scope = ScopeSize(model, locate);
  int64_t scratch = 0;
  if (!options.mask) {
    const LocateWork work = LocateWorkOf(task, locate, seed);
    std::optional<int64_t> left = room;
    if (left) *left -= needs.before_tuning();
    const LocateFit fit = FitLocate(model, locate, work, left, FreeHostMemory());
    plan.locating = DescribeFit(model, fit.memory);
    scratch = fit.file_bytes;
    const ScoreMethod& scoring = FindScoreMethod(locate.locate);
    double located = 0;
    for (const auto& [needed, name, set] :
         {std::tuple(scoring.needs_forget, "forget", &task.forget_sequences),
          std::tuple(scoring.needs_retain, "retain", &task.retain_sequences)}) {
      if (!needed) continue;
      const SetSize drawn(SampleForLocate(*set, locate.locate_sample, seed, name));
      const bool twice = fit.memory.blocks_at_a_time > 0 && fit.memory.blocks_at_a_time < layers;
      located += (twice ? 2 : 1) * operations.Forward(drawn) + operations.Backward(drawn) +
                 GradientOperations(scope, drawn);
    }
    stages.Add("locate", needs.before_tuning() + fit.device_bytes,
               compared_on_host + fit.host_bytes, located);
    plan.fits = !left || fit.device_bytes <= *left;
  }

  double tuned = 0;
  int64_t steps = options.steps.steps;
  if (steps == 0 && !terms.empty()) {
    steps = options.steps.epochs * ((terms[0].units() + step_units - 1) / step_units);
  }
  const double density = scope > 0 ? static_cast<double>(SelectedCount(model, locate)) / scope : 0;
  // On the CPU selected entries of a sparse mask are computed one by one, at about a tenth of a
  // dense product's speed; else the dense product is computed.
  const double share = stages.on_host() ? std::min(1.0, 10 * density) : 1;
  for (const LossTerm& term : terms) {
    const SetSize all(*term.sequences);
    const double drawn = static_cast<double>(steps) *
                         std::min(static_cast<double>(step_units * term.unit()), all.count);
    const SetSize trained = all.Part(drawn / std::max(1.0, all.count));
    tuned += operations.Forward(trained) + operations.Backward(trained) +
             share * GradientOperations(scope, trained);
  }
  if (method.run) {  // one pass over both sets at least, forth and back
    for (const auto* set : {&task.forget_sequences, &task.retain_sequences}) {
      const SetSize size(*set);
      tuned +=
          operations.Forward(size) + operations.Backward(size) + GradientOperations(scope, size);
    }
  }
  const int64_t mask_bytes = static_cast<int64_t>(scope / 8);
  const int64_t beside = stages.on_host() ? 0 : mask_bytes + compared_on_host;
  const int64_t held = needs.while_tuning() + (stages.on_host() ? mask_bytes : 0);
  // The passes of a step, then the optimiser's, for which the budget has room beside them.
  const int64_t moment = OptimiserBytes(model, SelectedCountOf(options.mask, model, locate));
  const int64_t dense = 4 * LargestScored(model, options.mask, locate);
  const int64_t tuned_tokens = pass_of(step_tokens);
  stages.Add("tune",
             std::max(held, held - moment - dense +
                                RecordedPassBytes(model, layers, tuned_tokens, tuned_tokens, dense)),
             beside, tuned);
  if (room && needs.while_tuning() + logits + pass_tokens * per_token > *room) plan.fits = false;
  if (judged > 0) {
    stages.Add("judge", held - moment - dense + forward_bytes(judged_tokens), beside,
               judged * static_cast<double>(std::min<int64_t>(steps, 4)));
  }
  stages.Add("write", held - moment - dense, beside + 4 * LargestTensor(model), 0);

  constexpr int64_t kRecords = int64_t{1} << 20;  // grin.json, log and report
  plan.disk_bytes = input.stored_bytes + CountWeights(model) / 8 + kRecords + scratch;
  plan.seconds = 0;
  for (const StagePlan& stage : plan.stages) {
    if (stage.seconds && plan.seconds) {
      *plan.seconds += *stage.seconds;
    } else {
      plan.seconds.reset();
    }
  }
  return plan;
}

Task AssumedTask(int64_t forget, int64_t retain, int64_t tokens) {
  if (forget < 1 || retain < 1 || tokens < 2) {
    BadUsage("run", "a plan needs a sequence of each set, and two tokens of each at least");
  }
  const auto make = [&](int64_t count) {
    Sequence sequence;
    sequence.tokens.resize(static_cast<size_t>(tokens));
    for (int64_t i = tokens / 2; i < tokens; ++i)
      sequence.labels.push_back(static_cast<int32_t>(i));
    sequence.label_spans.assign(sequence.labels.size(), {-1, -1});
    sequence.label_weights.assign(sequence.labels.size(), 1.0f);
    return std::vector<Sequence>(static_cast<size_t>(count), sequence);
  };
  Task task;
  task.forget_sequences = make(forget);
  task.retain_sequences = make(retain);
  return task;
}

double MeasureProducts(at::ScalarType type) {
  constexpr int64_t kRows = 512, kWidth = 1024;
  constexpr double kMoment = 0.2;
  const at::Tensor a = at::ones({kRows, kWidth}, type), b = at::ones({kWidth, kWidth}, type);
  Product(a, b.t());  // threads start, pages are taken
  const Stopwatch clock;
  double operations = 0;
  do {
    Product(a, b.t());
    operations += 2.0 * kRows * kWidth * kWidth;
  } while (clock.seconds() < kMoment);
  return operations / clock.seconds();
}

namespace {

namespace fs = std::filesystem;

double Gigabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e9; }

// The model of a plan, and the checkpoint where there is one.
struct PlannedModel {
  std::shared_ptr<const Checkpoint> checkpoint;  // null: config.json alone
  Json config;
  std::string where;
  at::ScalarType natural = at::kFloat;
  int64_t stored_bytes = 0;

  Model Shapes(const std::string& dtype, at::Device device) const {
    const at::ScalarType type = dtype.empty() ? natural : ParseComputeType(dtype).value();
    return LoadShapes(config, where, type, device);
  }
};

// Nothing for a card that is not here: it can be planned for all the same.
std::optional<at::Device> FindIfThere(const std::string& name) {
  try {
    return FindDevice(name);
  } catch (const Error&) {
    if (CardNumber(name) < 0) throw;
    return std::nullopt;
  }
}

bool IsConfigAlone(const fs::path& path) {
  if (!fs::is_directory(path) || !fs::exists(path / "config.json")) return false;
  return std::ranges::none_of(fs::directory_iterator(path), [](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    return name.ends_with(".safetensors") || name.ends_with(".bin") ||
           name.ends_with(".index.json");
  });
}

PlannedModel OpenPlanned(const std::string& name) {
  PlannedModel planned;
  if (IsConfigAlone(name)) {
    const fs::path path = fs::path(name) / "config.json";
    planned.config = ReadJsonObject(path);
    planned.where = path.string();
    // How the config's weights are stored; newer ones say "dtype".
    std::string type = "float32";
    for (const char* key : {"torch_dtype", "dtype"}) {
      if (planned.config.contains(key) && planned.config[key].is_string())
        type = planned.config[key];
    }
    planned.natural = type == "bfloat16" ? at::kBFloat16 : at::kFloat;
    const int64_t stored = type == "bfloat16" || type == "float16" ? 2 : type == "float64" ? 8 : 4;
    planned.stored_bytes = stored * CountWeights(planned.Shapes("", at::kCPU));
    return planned;
  }
  planned.checkpoint = OpenCheckpoint(name);
  planned.config = planned.checkpoint->config();
  planned.where = planned.checkpoint->path().string() + "/config.json";
  planned.natural = NaturalType(*planned.checkpoint);
  planned.stored_bytes = CheckpointBytes(*planned.checkpoint);
  return planned;
}

Task TaskOfPlan(const PlannedModel& planned, const PlanInput& input, const WorkspaceOptions& where,
                const TaskOptions& files, const PlanOptions& options, Json& assumed) {
  const int64_t longest = where.data.max_length > 0
                              ? std::min(where.data.max_length, options.sequence_tokens)
                              : options.sequence_tokens;
  Task task = AssumedTask(options.forget_sequences, options.retain_sequences, longest);
  std::optional<Workspace> workspace;
  const auto read = [&](const std::string& names, const char* flag) {
    if (!planned.checkpoint) {
      BadUsage("run",
               "--{} needs a tokenizer, and {} has a config alone; leave --{} out, or say "
               "--{}-sequences and --sequence-tokens",
               flag, planned.where, flag, flag);
    }
    if (!workspace) {
      workspace =
          Workspace{.options = where, .checkpoint = planned.checkpoint, .model = input.model};
      OpenEncoder(*workspace);
    }
    return LoadData(*workspace, names).sequences;
  };
  const auto fill = [&](std::vector<Sequence>& sequences, const std::string& names,
                        const char* flag) {
    if (!names.empty()) {
      sequences = read(names, flag);
    } else {
      assumed[flag] = {{"sequences", sequences.size()}, {"tokens", longest}};
    }
  };
  fill(task.forget_sequences, files.forget, "forget");
  fill(task.retain_sequences, files.retain, "retain");
  return task;
}

// Other settings that take less, and what they take.
std::vector<std::string> AdviceFor(const PlannedModel& planned, const PlanInput& input,
                                   const RunPlan& plan) {
  struct Change {
    std::string flags;
    std::function<void(PlanInput&)> apply;
  };
  const auto shapes = [&](PlanInput& changed, const std::string& dtype) {
    changed.model = planned.Shapes(dtype, input.model.weights->device());
  };
  std::vector<Change> changes;
  const bool wide = input.model.weights->dtype() == at::kFloat;
  if (wide) {
    changes.push_back({"--dtype bfloat16", [&](PlanInput& in) { shapes(in, "bfloat16"); }});
  }
  for (const double fraction : {0.02, 0.01, 0.005}) {
    if (input.options.mask || fraction >= input.options.locate.share()) continue;
    const auto apply = [=](PlanInput& in) {
      if (in.options.locate.locate == "all") in.options.locate.locate = LocateOptions{}.locate;
      in.options.locate.fraction = fraction;
    };
    const std::string flags = fmt::format(
        "{}--fraction {}", input.options.locate.locate == "all" ? "--locate grin " : "", fraction);
    changes.push_back({flags, apply});
    if (wide) {
      changes.push_back(
          {"--dtype bfloat16 " + flags, [=](PlanInput& in) {
             shapes(in, "bfloat16");
             apply(in);
           }});
    }
  }
  if (!input.options.mask && input.options.locate.scope.empty()) {
    changes.push_back({"--scope '*.down_proj.weight'",
                       [](PlanInput& in) { in.options.locate.scope = {"*.down_proj.weight"}; }});
  }
  if (input.options.objective.keep == "best") {
    changes.push_back(
        {"--retain-loss nll", [](PlanInput& in) { in.options.objective.retain_loss = "nll"; }});
  }
  std::vector<std::string> advice;
  for (const Change& change : changes) {
    PlanInput changed = input;
    try {
      change.apply(changed);
      const RunPlan other = PlanUnlearn(changed);
      if (other.peak() >= plan.peak()) continue;
      advice.push_back(fmt::format("{} -> {:.1f} GB{}", change.flags, Gigabytes(other.peak()),
                                   other.fits ? ", which fits" : ""));
    } catch (const Error&) {  // says nothing to this model
    }
  }
  return advice;
}

}  // namespace

Json RunPlanCommand(const WorkspaceOptions& where, const TaskOptions& files,
                    const UnlearnOptions& given, const PlanOptions& options) {
  if (where.model.model.empty()) BadUsage("run", "--model is required; see --help");
  if (!(options.tflops >= 0))
    BadUsage("run", "--tflops is {}; it must not be negative", options.tflops);
  CheckMethodOptions(given.method, given.locate, given.mask || !given.mask_file.mask.empty());
  CheckLocateOptions(given.locate);
  CheckObjectiveOptions(given.objective);
  CheckForgetGradientOptions(given.forget_gradient);
  CheckStepOptions(given.steps);
  const PlannedModel planned = OpenPlanned(where.model.model);
  const std::optional<at::Device> found = FindIfThere(where.compute.device);
  const at::Device device =
      found.value_or(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(
                                               std::max<int64_t>(0, CardNumber(where.compute.device)))));

  PlanInput input{.model = planned.Shapes(where.compute.dtype, device),
                  .stored_bytes = planned.stored_bytes,
                  .compute = where.compute,
                  .options = given,
                  .open_unlearning = where.data.compat == "open-unlearning"};
  input.options.objective = Resolved(given.objective, input.open_unlearning);
  std::optional<Mask> mask;
  if (!given.mask && !given.mask_file.mask.empty()) {
    mask = Mask::Load(given.mask_file.mask);
    input.options.mask = &*mask;
  }
  Json assumed = Json::object();
  input.task = TaskOfPlan(planned, input, where, files, options, assumed);
  if (!where.compute.memory_budget.empty()) input.limit = ParseBytes(where.compute.memory_budget);
  if (const auto free = found ? FreeDeviceMemory(*found) : std::nullopt) {
    input.limit = std::min(input.limit.value_or(*free), *free);
  }
  if (options.tflops > 0) {
    input.operations_per_second = 1e12 * options.tflops;
  } else if (device.is_cpu()) {
    input.operations_per_second = MeasureProducts(input.model.weights->dtype());
  }
  // A budget counts a round number for the program; this is what it takes here, with a chunk of
  // logits.
  input.program_bytes = PeakMemory() + LogitBytes(input.model) / 2;
  RunPlan plan = PlanUnlearn(input);
  if (!plan.fits) plan.advice = AdviceFor(planned, input, plan);

  const auto seconds = [](const std::optional<double>& known) {
    return known ? Json(*known) : Json();
  };
  Json json = {{"host_bytes", plan.host_bytes},
               {"device_bytes", plan.device_bytes},
               {"disk_bytes", plan.disk_bytes},
               {"seconds", seconds(plan.seconds)},
               {"stages", Json::array()},
               {"advice", plan.advice},
               {"fits", plan.fits},
               {"device", device.str()},
               {"dtype", input.model.weights->dtype() == at::kBFloat16 ? "bfloat16" : "float32"},
               {"weights", CountWeights(input.model)},
               {"pass_tokens", plan.pass_tokens},
               {"locating", plan.locating},
               {"operations_per_second",
                input.operations_per_second > 0 ? Json(input.operations_per_second) : Json()},
               {"assumed", assumed}};
  if (input.limit) json["limit_bytes"] = *input.limit;
  for (const StagePlan& stage : plan.stages) {
    json["stages"].push_back({{"name", stage.name},
                              {"host_bytes", stage.host_bytes},
                              {"device_bytes", stage.device_bytes},
                              {"operations", stage.operations},
                              {"seconds", seconds(stage.seconds)}});
  }
  return json;
}

}  // namespace grin
