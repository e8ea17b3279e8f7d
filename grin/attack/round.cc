// Rounding: do fewer bits bring back what was gone? Weights go through a number format and back, in
// memory, as programs that run models with few bits would have them.

#include <cmath>

#include "grin/attack/knowledge.h"
#include "grin/attack/parts.h"
#include "grin/attack/rounding.h"
#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/progress.h"

namespace grin {
namespace {

void CheckRound(const AttackInput& input) {
  if (input.options.round_types.empty()) BadUsage("attack", "--round-types is empty");
  for (const std::string& name : input.options.round_types) FindRoundingType(name);
}

// Among the weights that differ from the model before, those whose code differs as well.
struct CodeChanges {
  int64_t changed = 0, changed_codes = 0;

  void Add(const RoundedValues& here, const RoundedValues& before) {
    for (size_t i = 0; i < here.stored.size(); ++i) {
      if (here.stored[i] == before.stored[i]) continue;
      ++changed;
      changed_codes += here.codes[i] != before.codes[i];
    }
  }
};

// Puts rounded values in the place of the model's own.
void PutRounded(const Model& model, const RoundedMatrix& matrix, RoundedValues& rounded) {
  at::Tensor weight = model.weights->tensors().at(matrix.name);
  const int64_t rows = weight.size(matrix.transposed ? 1 : 0);
  const at::Tensor values =
      at::from_blob(rounded.values.data(), {rows, weight.numel() / rows}, at::kFloat);
  weight.copy_(matrix.transposed ? values.t() : values);
}

void PutStoredBack(const Model& model, const std::string& name) {
  const Checkpoint& checkpoint = model.weights->checkpoint();
  at::Tensor weight = model.weights->tensors().at(name);
  weight.copy_(StoredTensor(checkpoint, *checkpoint.Find(name)));
}

AttackFigure CodeFigure(const RoundingType& type, const CodeChanges& changes) {
  AttackFigure figure{.name = fmt::format("round_{}_code_changes", type.name),
                      .label = fmt::format("changed weights whose {} code changed", type.name),
                      .is_knowledge = false};
  figure.details = {{"changed", changes.changed}, {"changed_codes", changes.changed_codes}};
  if (changes.changed > 0) {
    figure.value =
        static_cast<double>(changes.changed_codes) / static_cast<double>(changes.changed);
  } else {
    figure.why = "no weight differs from the model before";
  }
  return figure;
}

std::vector<AttackFigure> RoundTo(const AttackInput& input, const Subject& subject,
                                  const RoundingType& type, double start) {
  const Model& model = subject.model;
  const Checkpoint& checkpoint = model.weights->checkpoint();
  AttackFigure known{.name = fmt::format("round_{}_keyword_accuracy", type.name),
                     .label = fmt::format("rounded to {} ({})", type.name, type.like),
                     .start = start};
  const std::vector<RoundedMatrix> matrices = MatricesToRound(model, type);
  if (matrices.empty()) {
    known.why = fmt::format("no matrix has rows of whole blocks of {}", type.block);
    return {known};
  }
  CodeChanges changes;
  int64_t rounded_weights = 0, comparable = 0;
  Progress progress(fmt::format("round to {}, {}", type.name, subject.role),
                    static_cast<int64_t>(matrices.size()));
  for (const RoundedMatrix& matrix : matrices) {
    ThrowIfInterrupted();
    RoundedValues rounded = RoundMatrix(checkpoint, matrix, type);
    rounded_weights += static_cast<int64_t>(rounded.values.size());
    const TensorInfo* before = subject.before ? subject.before->Find(matrix.name) : nullptr;
    if (before && before->shape == checkpoint.Find(matrix.name)->shape && IsFloat(before->dtype)) {
      changes.Add(rounded, RoundMatrix(*subject.before, matrix, type));
      ++comparable;
    }
    PutRounded(model, matrix, rounded);
    progress.Add(1);
  }
  known.details = {
      {"format", type.name}, {"matrices", matrices.size()}, {"weights", rounded_weights}};
  known.SetRecords(KeywordAccuracies(
      model, input.task.forget, AllSequences(input.task.forget_sequences), subject.scoring_tokens));
  std::vector<AttackFigure> figures = {known};
  figures.push_back(RetainFigure(input, subject,
                                 fmt::format("round_{}_retain_keyword_accuracy", type.name),
                                 fmt::format("retain set, rounded to {}", type.name)));
  if (comparable > 0) figures.push_back(CodeFigure(type, changes));
  for (const RoundedMatrix& matrix : matrices) PutStoredBack(model, matrix.name);
  return figures;
}

// Once each format; rounding itself is little beside the scoring of a data set.
double RoundWork(const AttackInput& input) {
  const double scored =
      TokensOf(AllSequences(input.task.forget_sequences)) + TokensOf(RetainSample(input));
  return scored * static_cast<double>(input.options.round_types.size());
}

std::vector<AttackFigure> RoundWeights(const AttackInput& input, const Subject& subject) {
  AttackFigure start;  // measured where a format is not done yet
  std::set<std::string> writable;
  std::vector<AttackFigure> figures;
  const std::vector<std::string>& names = input.options.round_types;
  for (const std::string& name : names) {
    const RoundingType& type = FindRoundingType(name);
    const auto round = [&] {
      if (start.by_record.empty()) {
        start.SetRecords(KeywordAccuracies(subject.model, input.task.forget,
                                           AllSequences(input.task.forget_sequences),
                                           subject.scoring_tokens));
      }
      for (const RoundedMatrix& matrix : MatricesToRound(subject.model, type)) {
        if (writable.insert(matrix.name).second) subject.model.weights->MakeWritable(matrix.name);
      }
      return RoundTo(input, subject, type, start.value);
    };
    const double share = 1.0 / static_cast<double>(names.size());
    for (AttackFigure& figure : FiguresOfPart(subject, name, share, round)) {
      figures.push_back(std::move(figure));
    }
  }
  return figures;
}

// Q = min(metric after / metric before, 1) of FORMULAS section 10, where the metric is the share of
// the keywords that is forgotten: 1 - keyword accuracy.
double RoundRobustness(const AttackFigure& model, const AttackFigure*) {
  const double before = 1 - model.start, after = 1 - model.value;
  if (!(before > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::min(after / before, 1.0);
}

}  // namespace

extern const Attack kRoundAttack;
const Attack kRoundAttack = {.name = "round",
                             .summary = "weights rounded to fewer bits",
                             .check = CheckRound,
                             .run = RoundWeights,
                             .work = RoundWork,
                             .trains = false,
                             .robustness = RoundRobustness};

}  // namespace grin
