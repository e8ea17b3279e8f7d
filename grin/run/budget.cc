#include "grin/run/budget.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <variant>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/model/footprint.h"
#include "grin/ranks/ranks.h"
#include "grin/run/device_memory.h"
#include "grin/run/workspace.h"
#include "grin/tune/counting.h"
#include "grin/tune/tune_plan.h"

namespace grin {
namespace {

bool OnCpu(const Model& model) { return model.weights->device().is_cpu(); }

double Gigabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e9; }

// What sets the room, for messages.
std::string NameOfRoom(const ComputeOptions& compute) {
  return compute.memory_budget.empty() ? "the memory that is free on " + compute.device
                                       : "--memory-budget " + compute.memory_budget;
}

[[noreturn]] void RefuseBudget(const Model& model, const ComputeOptions& compute, int64_t reserved,
                               int64_t pass, int64_t longest) {
  throw Error(
      ErrorClass::kMemory, "run",
      fmt::format("a sequence of {} tokens does not fit {}: weights take {:.2f} GB, "
                  "scores, masks, optimiser and the like {:.2f} GB, the pass {:.2f} GB, the program "
                  "{:.2f} GB; shorten it with --max-length, or raise the budget",
                  longest, NameOfRoom(compute), Gigabytes(WeightBytes(model)),
                  Gigabytes(reserved), Gigabytes(pass), Gigabytes(ProgramBytes(model))));
}

// Tokens of a pass: `enough`, or less where the room wants it, but at least one sequence.
int64_t PassTokens(const Model& model, const ComputeOptions& compute, int64_t reserved,
                   int64_t longest, int64_t enough, int64_t bytes_per_token) {
  const std::optional<int64_t> room = RoomBesideWeights(model, compute);
  if (!room) return std::max(enough, longest);
  if (!OnCpu(model)) reserved += LogitBytes(model);
  const int64_t tokens = std::max<int64_t>(0, *room - reserved) / bytes_per_token;
  if (tokens < std::max<int64_t>(longest, 1)) {
    RefuseBudget(model, compute, reserved, longest * bytes_per_token, longest);
  }
  return std::min(tokens, std::max(enough, longest));
}

// The share of the scored weights that the options may select.
double ShareOf(const LocateOptions& options) { return options.threshold > 0 ? 1 : options.share(); }

// Per trained weight: position, master, m, v and gradient; and two states to go back to.
constexpr double kPosition = 4, kTraining = 16, kStates = 8;

int64_t BytesOfType(const Model& model) {
  return static_cast<int64_t>(c10::elementSize(model.weights->dtype()));
}

// A step of the optimiser on a device makes one number more per trained weight, for a moment.
double TrainingBytes(const Model& model) {
  const auto copies = static_cast<double>(model.ranks->copies_of_sums());
  return 4 * copies + kTraining + static_cast<double>(OptimiserBytes(model, 1));
}

// What all processes have: a plan that depends on it must be the same for all of them.
std::optional<int64_t> LeastOfAll(const Model& model, std::optional<int64_t> bytes) {
  if (model.ranks->alone()) return bytes;
  constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
  const at::Tensor all = model.ranks->GatherRows(at::scalar_tensor(bytes.value_or(kNoLimit), at::kLong));
  const int64_t least = all.min().item<int64_t>();
  return least == kNoLimit ? std::nullopt : std::optional(least);
}

// A weight that is trained gets memory of its own on the CPU, beside the file's; on a device it has that
// already.
double OwnMemory(const Model& model, const at::Tensor& tensor) {
  return OnCpu(model) ? static_cast<double>(tensor.numel() * BytesOfType(model)) : 0;
}

}  // namespace

int64_t ParseBytes(const std::string& text) {
  size_t used = 0;
  double number = 0;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  std::string unit = text.substr(used);
  if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
  if (unit.ends_with("B")) unit.pop_back();
  constexpr std::string_view kUnits = "KMGT";
  double factor = 1;
  if (unit.size() == 1 && kUnits.find(unit[0]) != std::string_view::npos) {
    factor = std::pow(1024.0, static_cast<double>(kUnits.find(unit[0]) + 1));
    unit.clear();
  }
  constexpr double kMost = 9e18;
  if (used == 0 || !unit.empty() || !(number > 0) || number * factor > kMost) {
    BadUsage("run", "--memory-budget '{}' is not an amount such as 2G or 800M", text);
  }
  return static_cast<int64_t>(number * factor);
}

int64_t WeightBytes(const Model& model) {
  int64_t numbers = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) numbers += tensor.numel();
  return numbers * BytesOfType(model);
}

int64_t ProgramBytes(const Model& model) {
  // On the CPU LibTorch, logits of a chunk, data. On a card its driver's context and the workspaces of
  // its libraries, and what its allocator cannot use between two tensors.
  constexpr int64_t kProgram = int64_t{300} << 20, kContext = int64_t{800} << 20;
  return OnCpu(model) ? kProgram : kContext;
}

std::optional<int64_t> RoomBesideWeights(const Model& model, const ComputeOptions& compute) {
  std::optional<int64_t> room;
  if (!compute.memory_budget.empty()) {
    room = ParseBytes(compute.memory_budget) - WeightBytes(model) - ProgramBytes(model);
  }
  // Weights and the context are there already.
  constexpr int64_t kUnusable = int64_t{256} << 20;
  if (const auto free = FreeDeviceMemory(model.weights->device())) {
    const int64_t left = *free - kUnusable;
    room = std::min(room.value_or(left), left);
  }
  return LeastOfAll(model, room);
}

int64_t OptimiserBytes(const Model& model, int64_t selected) {
  return OnCpu(model) ? 0 : 4 * selected;
}

int64_t ScoreBytes(const Model& model, const LocateOptions& options) {
  int64_t bytes = 0;
  for (const std::string& name : ScoredNames(model, options)) {
    bytes += 2 * 4 * model.weights->tensors().at(name).numel();
  }
  return bytes;
}

int64_t TrainedBytes(const Model& model, const LocateOptions& options) {
  const double each = kPosition + TrainingBytes(model) + kStates;
  double bytes = 0, largest = 0;
  for (const std::string& name : ScoredNames(model, options)) {
    const at::Tensor& tensor = model.weights->tensors().at(name);
    const auto size = static_cast<double>(tensor.numel());
    bytes += size * ShareOf(options) * each + OwnMemory(model, tensor);
    largest = std::max(largest, size);
  }
  return static_cast<int64_t>(bytes + 4 * largest);
}

int64_t TrainedBytes(const Model& model, const Mask& mask) {
  double bytes = static_cast<double>(mask.count()) * (kPosition + TrainingBytes(model) + kStates);
  double largest = 0;
  for (const MaskTensor& selected : mask.tensors()) {
    const auto found = model.weights->tensors().find(selected.name);
    if (selected.count > 0 && found != model.weights->tensors().end()) {
      bytes += OwnMemory(model, found->second);
      largest = std::max(largest, static_cast<double>(selected.size()));
    }
  }
  return static_cast<int64_t>(bytes + 4 * largest);
}

int64_t TrainedBytes(const Model& model, bool keeps_states) {
  double bytes = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    bytes += static_cast<double>(tensor.numel()) *
                 (TrainingBytes(model) + (keeps_states ? kStates : 0)) +
             OwnMemory(model, tensor);
  }
  return static_cast<int64_t>(bytes);
}

int64_t ReferenceBytes(const Model& model, const Task& task, const ObjectiveOptions& options,
                       bool open_unlearning) {
  const int64_t row = model.config.hidden * BytesOfType(model);
  int64_t bytes = 0;
  for (const LossTerm& term : MakeTerms(task.forget_sequences, task.retain_sequences, options,
                                        /*seed=*/0, open_unlearning)) {
    if (!term.objective->needs_reference) continue;
    const bool one_number = std::holds_alternative<OnLogp>(term.objective->kind);
    const bool every_row = CountsPadding(term.counting.rows);
    for (const Sequence& sequence : *term.sequences) {
      const auto labels = static_cast<int64_t>(sequence.labels.size());
      // Of a pair the preferred answer is about as long.
      bytes +=
          (every_row ? LongestOf(*term.sequences) : labels * term.unit()) * (one_number ? 4 : row);
    }
  }
  return bytes;
}

int64_t MethodReferenceBytes(const Model& model, const Task& task, const Method& method) {
  if (!method.run || method.uses_checkpoints) return 0;
  int64_t labels = 0;
  for (const Sequence& sequence : task.retain_sequences) {
    labels += static_cast<int64_t>(sequence.labels.size());
  }
  return labels * model.config.hidden * BytesOfType(model);
}

int64_t SelectedCount(const Model& model, const LocateOptions& options) {
  double count = 0;
  for (const std::string& name : ScoredNames(model, options)) {
    count += static_cast<double>(model.weights->tensors().at(name).numel()) * ShareOf(options);
  }
  return static_cast<int64_t>(count);
}

int64_t MatrixBytes(const Model& model, const Mask& mask) {
  int64_t bytes = 0;
  for (const MaskTensor& tensor : mask.tensors()) {
    if (tensor.count > 0 && model.weights->tensors().contains(tensor.name)) {
      bytes += 4 * tensor.size();
    }
  }
  return bytes;
}

int64_t ForgetGradientBytes(int64_t selected, const ForgetGradientOptions& options) {
  if (!options.apart()) return 0;
  const int64_t rehearsed = options.rehearse == 0 ? 0 : options.rehearse_every == 1 ? 1 : 2;
  return 4 * selected * (1 + rehearsed);
}

int64_t LongestUnit(const Task& task, const ObjectiveOptions& options) {
  const int64_t longest = LongestOf(task);
  return FindForgetObjective(options.objective).pairs() ? 2 * longest : longest;
}

void CheckBudget(const Model& model, const ComputeOptions& compute, int64_t reserved) {
  const std::optional<int64_t> room = RoomBesideWeights(model, compute);
  if (!room || reserved <= *room) return;
  throw Error(ErrorClass::kMemory, "run",
              fmt::format("the run does not fit {}: weights take {:.2f} GB, what is kept for the "
                          "selected ones {:.2f} GB, the program {:.2f} GB; raise the budget",
                          NameOfRoom(compute), Gigabytes(WeightBytes(model)), Gigabytes(reserved),
                          Gigabytes(ProgramBytes(model))));
}

LocateFit BudgetLocate(const Model& model, const ComputeOptions& compute,
                       const LocateOptions& options, const LocateWork& work, int64_t reserved) {
  std::optional<int64_t> room = RoomBesideWeights(model, compute);
  if (room) {
    *room -= reserved + model.ranks->copies_of_sums() * ScoreBytes(model, options) / 2;
  }
  // The processes of a machine share its memory.
  std::optional<int64_t> host_room = FreeHostMemory();
  if (host_room) *host_room /= model.ranks->local_world();
  const LocateFit fit = FitLocate(model, options, work, room, LeastOfAll(model, host_room));
  if (room && fit.device_bytes > *room) {
    throw Error(ErrorClass::kMemory, "run",
                fmt::format("locating does not fit {}: weights take {:.2f} GB, the program {:.2f} GB, "
                            "what the objective compares with {:.2f} GB, and the gradients at least "
                            "{:.2f} GB; a narrower --scope takes fewer, or raise the budget",
                            NameOfRoom(compute), Gigabytes(WeightBytes(model)),
                            Gigabytes(ProgramBytes(model)), Gigabytes(reserved),
                            Gigabytes(fit.device_bytes)));
  }
  if (const std::string how = DescribeFit(model, fit.memory); !how.empty()) {
    Info("locate: {}, to fit {}", how, NameOfRoom(compute));
  }
  return fit;
}

int64_t EnoughRecordedTokens(const Model& model) { return OnCpu(model) ? 512 : 4096; }

int64_t RecordedPassTokens(const Model& model, const ComputeOptions& compute, int64_t reserved,
                           int64_t longest) {
  return PassTokens(model, compute, reserved, longest, EnoughRecordedTokens(model),
                    RecordedBytesPerToken(model));
}

int64_t ScoringPassTokens(const Model& model, const ComputeOptions& compute, int64_t reserved,
                          int64_t longest) {
  const int64_t enough = model.weights->device().is_cpu() ? 4096 : 16384;
  return PassTokens(model, compute, reserved, longest, enough, ForwardBytesPerToken(model));
}

void CheckGradientBudget(const Model& model, const ComputeOptions& compute, int64_t longest) {
  // Embedding and head are summed up in fp32; of the others one is held at a time.
  int64_t reserved = 4 * model.embedding.value.numel(), largest = 0;
  if (model.head.weight.name != model.embedding.name) reserved += 4 * model.head.weight.value.numel();
  for (const auto& [name, tensor] : model.weights->tensors()) {
    largest = std::max(largest, 4 * tensor.numel());
  }
  RecordedPassTokens(model, compute, reserved + largest, longest);
}

GenerationBudget BudgetGeneration(const Model& model, const ComputeOptions& compute) {
  if (compute.memory_budget.empty()) return {};
  const int64_t left =
      *RoomBesideWeights(model, compute) - (OnCpu(model) ? 0 : LogitBytes(model));
  if (left < 2 * ForwardBytesPerToken(model)) RefuseBudget(model, compute, 0, left, 1);
  return {.cache_bytes = left / 2, .prefill_tokens = left / 2 / ForwardBytesPerToken(model)};
}

}  // namespace grin
