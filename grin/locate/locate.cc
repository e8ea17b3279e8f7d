#include "grin/locate/locate.h"

#include <algorithm>
#include <map>
#include <set>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"
#include "grin/base/random.h"
#include "grin/base/stopwatch.h"
#include "grin/data/packing.h"
#include "grin/locate/gradient_pass.h"
#include "grin/locate/running_top_k.h"
#include "grin/locate/scope.h"
#include "grin/locate/score.h"
#include "grin/locate/top_k.h"
#include "grin/locate/used_rows.h"
#include "grin/model/device.h"
#include "grin/model/tensor_names.h"
#include "grin/ranks/ranks.h"

namespace grin {
namespace {

std::vector<ScopeCandidate> Candidates(const Model& model) {
  const auto matrices = model.BlockMatrices();
  const std::set<std::string> in_blocks(matrices.begin(), matrices.end());
  std::vector<ScopeCandidate> candidates;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    candidates.push_back({name, in_blocks.contains(name)});
  }
  return candidates;
}

// Whether "+embeddings" adds rows of the embedding, which is not in scope as a whole.
bool ScoresUsedRows(const Model& model, const LocateOptions& options) {
  const Scope scope = ParseScope(options.scope);
  if (!scope.embeddings) return false;
  const auto names = NamesInScope(scope, Candidates(model));
  return std::ranges::find(names, model.embedding.name) == names.end();
}

// All that makes the gradients but the model: to the last bit they also depend on how many tokens run
// at once.
std::string GradientKey(const Model& model, std::span<const Sequence* const> sequences,
                        const std::vector<std::string>& names, const GradientPassOptions& pass) {
  std::string key = fmt::format("{} {} {} {} {}", NameOf(pass.statistic), pass.pass_tokens,
                                model.ranks->parts(),
                                at::toString(model.weights->dtype()),
                                model.weights->device().is_cpu() ? "cpu" : "device");
  for (const std::string& name : names) key += " " + name;
  uint64_t state = Fnv1a64(key);
  const auto add = [&](const auto& list) {
    const size_t size = list.size();
    state = Fnv1a64({reinterpret_cast<const char*>(&size), sizeof(size)}, state);
    state = Fnv1a64({reinterpret_cast<const char*>(list.data()), size * sizeof(list[0])}, state);
  };
  for (const Sequence* sequence : sequences) {
    add(sequence->tokens);
    add(sequence->labels);
    add(sequence->label_weights);
  }
  return fmt::format("{:016x}", state);
}

void VisitKeptGradients(const Model& model, std::span<const Sequence* const> sequences,
                        const std::vector<std::string>& names, const GradientPassOptions& pass,
                        GradientStore* store, const TakeGradient& take) {
  if (!store) return VisitGradients(model, sequences, names, pass, take);
  store->Visit(GradientKey(model, sequences, names, pass), model, names,
               [&](const TakeGradient& kept) { VisitGradients(model, sequences, names, pass, kept); },
               take);
}

void LogDensity(const Mask& mask) {
  for (const ModuleDensity& module : DensityByModule(mask)) {
    Info("  {:<28} {:>7.3f} %  of {}", module.module,
         100.0 * static_cast<double>(module.selected) / static_cast<double>(module.total),
         module.total);
  }
}

}  // namespace

std::vector<ModuleDensity> DensityByModule(const Mask& mask) {
  std::map<std::string, ModuleDensity> modules;
  for (const MaskTensor& tensor : mask.tensors()) {
    const std::string module = PlaceOfWeight(tensor.name).module;
    ModuleDensity& density = modules[module];
    density.module = module;
    density.selected += tensor.count;
    density.total += tensor.size();
  }
  std::vector<ModuleDensity> list;
  for (auto& [name, density] : modules) list.push_back(density);
  return list;
}

std::vector<const Sequence*> SampleForLocate(const std::vector<Sequence>& sequences, int64_t limit,
                                             uint64_t seed, std::string_view set) {
  const auto count = static_cast<int64_t>(sequences.size());
  if (limit <= 0 || limit >= count) return Pointers(sequences);
  const RandomStream random(seed, std::string("locate/").append(set));
  auto drawn = DrawWithoutReplacement(random, count, limit);
  std::ranges::sort(drawn);
  std::vector<const Sequence*> sample;
  for (const int64_t i : drawn) sample.push_back(&sequences[static_cast<size_t>(i)]);
  return sample;
}

Statistic StatisticOf(const LocateOptions& options) {
  if (options.statistic != "auto") return ParseStatistic(options.statistic);
  return FindScoreMethod(options.locate).by_importance ? Statistic::kRms : Statistic::kMean;
}

void CheckLocateOptions(const LocateOptions& options) {
  FindScoreMethod(options.locate);
  if (!(options.fraction > 0 && options.fraction <= 1)) {
    BadUsage("locate", "--fraction is {}; it must be above 0 and at most 1", options.fraction);
  }
  if (options.locate_sample < 0) {
    BadUsage("locate", "--locate-sample is {}; it must be 0 (all) or more", options.locate_sample);
  }
  ParseScope(options.scope);
  StatisticOf(options);
  if (!(options.threshold >= 0)) {
    BadUsage("locate", "--threshold is {}; it must be above 0, or 0: by --fraction",
             options.threshold);
  }
  if (!(options.mu > 0)) BadUsage("locate", "--mu is {}; it must be above 0", options.mu);
  if (!(options.retain_weight >= 0)) {
    BadUsage("locate", "--retain-weight is {}; it must not be negative", options.retain_weight);
  }
  Epsilon::Parse(options.epsilon);
}

std::vector<std::string> ScoredNames(const Model& model, const LocateOptions& options) {
  std::vector<std::string> names = NamesInScope(ParseScope(options.scope), Candidates(model));
  const std::string& embedding = model.embedding.name;
  if (ScoresUsedRows(model, options)) {
    names.insert(std::ranges::lower_bound(names, embedding), embedding);
  }
  return names;
}

int64_t SecondPassTokens(const Model& model, int64_t pass_tokens) {
  constexpr int64_t kSecondPass = 256;
  return model.weights->device().is_cpu() ? std::min(pass_tokens, kSecondPass) : pass_tokens;
}

Mask Locate(const Model& model, const std::vector<Sequence>& forget,
            const std::vector<Sequence>& retain, const LocateOptions& options, uint64_t seed,
            int64_t pass_tokens, LocateReport* report, const LocateMemory& memory,
            GradientStore* store) {
  const Stopwatch clock;
  CheckLocateOptions(options);
  const ScoreMethod& method = FindScoreMethod(options.locate);
  const std::vector<std::string> names = ScoredNames(model, options);
  at::Tensor rows;  // of the embedding: only these are scored
  const std::string& embedding = model.embedding.name;
  if (ScoresUsedRows(model, options)) rows = UsedTokens(forget, retain);
  const auto scored = [&](size_t i, const at::Tensor& values) {
    return rows.defined() && names[i] == embedding
               ? values.index_select(0, Upload(rows, values.device()))
               : values;
  };
  GradientPassOptions pass{.statistic = StatisticOf(options),
                           .pass_tokens = pass_tokens,
                           .blocks_at_a_time = memory.blocks_at_a_time,
                           .streams_on_host = memory.streams_on_host};
  const Epsilon epsilon = Epsilon::Parse(options.epsilon);
  Keeper keeper(memory.keep);
  // Where not all is held in place, what is needed of all weights together is counted as they come.
  const bool counts = memory.keep != KeepPlace::kInPlace;

  LocateReport local;
  LocateReport& out = report ? *report : local;
  // Of each weight the retain gradient, until its score takes that place.
  std::vector<ScoreTensor> scores;
  for (const std::string& name : names) scores.push_back({name, at::Tensor()});
  if (method.needs_retain) {
    const auto drawn = SampleForLocate(retain, options.locate_sample, seed, "retain");
    out.retain_sequences = static_cast<int64_t>(drawn.size());
    pass.progress = "locate: retain gradients";
    FirstDigits digits(/*absolute=*/true);
    const bool percentile = counts && method.uses_epsilon;
    VisitKeptGradients(model, drawn, names, pass, store, [&](size_t i, const at::Tensor& gradient) {
      const at::Tensor values = scored(i, gradient).contiguous();
      if (percentile) digits.Add(names[i], values);
      scores[i].values = keeper.Keep(values);
    });
    keeper.Finish();
    if (method.uses_epsilon) {
      const ResolvedEpsilon found =
          ResolveEpsilon(epsilon, scores, percentile ? &digits : nullptr);
      out.epsilon = found.value;
      out.share_below_epsilon = found.share_below;
    }
  }
  int64_t total = 0;
  for (const std::string& name : names) {
    const at::Tensor& weight = model.weights->tensors().at(name);
    total += rows.defined() && name == embedding ? rows.numel() * weight.size(1) : weight.numel();
  }
  const int64_t wanted = RoundedCount(options.share(), total);
  RunningTopK running = options.threshold > 0 ? RunningTopK::Above(options.threshold)
                                              : RunningTopK::Highest(wanted);
  const auto score = [&](size_t i, at::Tensor forget_gradient) {
    ScoreInput input{.name = names[i], .weight = scored(i, model.weights->tensors().at(names[i]))};
    at::Tensor& kept = scores[i].values;
    if (method.needs_forget) input.forget_gradient = scored(i, forget_gradient);
    if (method.needs_retain) {
      const at::Device device = input.weight.device();
      input.retain_gradient = kept.device() == device ? kept : Upload(kept, device);
    }
    forget_gradient = at::Tensor();
    input.epsilon = static_cast<float>(out.epsilon);
    input.seed = seed;
    input.statistic = pass.statistic;
    input.mu = options.mu;
    input.retain_weight = options.retain_weight;
    const at::Tensor values = method.function(input);
    kept = counts ? at::Tensor() : values.contiguous();
    if (counts) running.Add(names[i], values.contiguous());
  };
  if (method.needs_forget) {
    const auto drawn = SampleForLocate(forget, options.locate_sample, seed, "forget");
    out.forget_sequences = static_cast<int64_t>(drawn.size());
    pass.progress = "locate: forget gradients";
    if (method.needs_retain) pass.pass_tokens = SecondPassTokens(model, pass_tokens);
    VisitKeptGradients(model, drawn, names, pass, store, score);
  } else {
    for (size_t i = 0; i < names.size(); ++i) score(i, {});
  }
  int64_t count = wanted;
  if (options.threshold > 0) {
    count = counts ? running.kept() : CountAbove(scores, options.threshold);
  }
  if (count == 0 && options.threshold > 0) {
    BadUsage("locate", "no score of --locate {} is above --threshold {}, among {} weights; lower it",
             options.locate, options.threshold, total);
  }
  if (count == 0) {
    BadUsage("locate", "--fraction {} of {} weights selects none", options.fraction, total);
  }
  Mask mask = counts ? running.Finish() : SelectTopK(scores, count);
  scores.clear();
  if (rows.defined()) {
    std::vector<MaskTensor> tensors = mask.tensors();
    for (MaskTensor& tensor : tensors) {
      if (tensor.name == embedding) {
        tensor = SpreadRows(tensor, rows, model.embedding.value.size(0));
      }
    }
    mask = Mask(std::move(tensors));
    mask.metadata()["embedding_rows"] = fmt::format("{}", rows.numel());
  }
  mask.metadata()["method"] = options.locate;
  mask.metadata()["fraction"] = fmt::format("{}", options.share());
  if (options.threshold > 0) {
    mask.metadata()["fraction"] =
        fmt::format("{}", static_cast<double>(count) / static_cast<double>(total));
    mask.metadata()["threshold"] = fmt::format("{}", options.threshold);
  }
  mask.metadata()["statistic"] = NameOf(pass.statistic);
  if (options.locate == "wagle") mask.metadata()["mu"] = fmt::format("{}", options.mu);
  if (options.locate == "perta") {
    mask.metadata()["retain_weight"] = fmt::format("{}", options.retain_weight);
  }
  mask.metadata()["seed"] = fmt::format("{}", seed);
  out.seconds = clock.seconds();

  Info("locate: {} selected {} of {} weights ({:.2f} %) in {}; {} forget and {} retain sequences",
       options.locate, mask.count(), mask.total(),
       100.0 * static_cast<double>(mask.count()) / static_cast<double>(mask.total()),
       FormatDuration(out.seconds), out.forget_sequences, out.retain_sequences);
  if (method.uses_epsilon) {
    mask.metadata()["epsilon"] = fmt::format("{}", out.epsilon);
    Info("  epsilon {:.4g} ({}); {:.1f} % of the retain gradients are below it", out.epsilon,
         options.epsilon, 100.0 * out.share_below_epsilon);
  }
  LogDensity(mask);
  return mask;
}

}  // namespace grin
