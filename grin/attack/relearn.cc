// Relearning: how fast does fine-tuning bring back what it is not shown? The model is trained on a
// share of the forget set and measured on the rest; and trained on as many retain records, which
// have the form of the forget set and none of its facts, and on general text.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "grin/attack/knowledge.h"
#include "grin/attack/parts.h"
#include "grin/base/error.h"
#include "grin/base/progress.h"
#include "grin/base/random.h"
#include "grin/tune/tune.h"

namespace grin {
namespace {

struct RelearnBudget {
  std::string name;
  int64_t epochs = 0;
  double lr = 0;
};

// "hard=8@3e-4"
RelearnBudget ParseRelearnBudget(const std::string& text) {
  const size_t equals = text.find('='), at = text.find('@');
  RelearnBudget budget;
  const auto number = [&](size_t begin, size_t end, auto& value) {
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, value);
    return error == std::errc() && stop == text.data() + end;
  };
  const bool whole = equals != std::string::npos && at != std::string::npos && equals < at &&
                     number(equals + 1, at, budget.epochs) &&
                     number(at + 1, text.size(), budget.lr);
  if (whole) budget.name = text.substr(0, equals);
  const bool plain =
      !budget.name.empty() &&
      budget.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!plain || budget.epochs < 1 || !(budget.lr > 0) || !std::isfinite(budget.lr)) {
    BadUsage(
        "attack",
        "--relearn-budgets '{}' is not NAME=EPOCHS@RATE, such as hard=8@3e-4 (the name in small "
        "letters)",
        text);
  }
  return budget;
}

std::vector<RelearnBudget> RelearnBudgets(const AttackOptions& options) {
  std::vector<RelearnBudget> budgets;
  for (const std::string& text : options.relearn_budgets) {
    RelearnBudget budget = ParseRelearnBudget(text);
    for (const RelearnBudget& other : budgets) {
      if (other.name != budget.name) continue;
      BadUsage("attack", "--relearn-budgets: two are called '{}'", budget.name);
    }
    if (budget.name == "retain" || budget.name == "general") {
      BadUsage("attack", "--relearn-budgets: '{}' is the name of what is trained on; take another",
               budget.name);
    }
    budgets.push_back(std::move(budget));
  }
  if (budgets.empty()) BadUsage("attack", "--relearn-budgets is empty");
  return budgets;
}

// Which forget records are trained on, and which measured.
struct RelearnSplit {
  std::set<int64_t> shown, hidden;
};

RelearnSplit SplitForget(const AttackInput& input) {
  const auto size = static_cast<int64_t>(input.task.forget.size());
  const int64_t count =
      std::max<int64_t>(1, std::llround(input.options.relearn_share * static_cast<double>(size)));
  const std::vector<int64_t> drawn =
      DrawWithoutReplacement(RandomStream(input.seed, "attack/relearn"), size, count);
  RelearnSplit split{.shown = {drawn.begin(), drawn.end()}, .hidden = {}};
  for (int64_t i = 0; i < size; ++i) {
    if (!split.shown.contains(i)) split.hidden.insert(i);
  }
  return split;
}

// What is trained on.
struct RelearnLesson {
  std::string name;   // "", "retain", "general"
  std::string label;  // for people
  std::vector<int64_t>
      records;  // their numbers in that set; of general text those of its sequences
  std::vector<Sequence> sequences;
};

std::vector<RelearnLesson> RelearnLessons(const AttackInput& input, const RelearnSplit& split) {
  const auto copy = [](const std::vector<const Sequence*>& sequences) {
    std::vector<Sequence> copies;
    for (const Sequence* sequence : sequences) copies.push_back(*sequence);
    return copies;
  };
  const auto count = static_cast<int64_t>(split.shown.size());
  const auto draw = [&](const char* stream, size_t size) {
    std::vector<int64_t> drawn =
        DrawWithoutReplacement(RandomStream(input.seed, stream), static_cast<int64_t>(size), count);
    std::ranges::sort(drawn);
    return drawn;
  };
  std::vector<RelearnLesson> lessons;
  lessons.push_back({"",
                     fmt::format("{} forget records", count),
                     {split.shown.begin(), split.shown.end()},
                     copy(SequencesOfRecords(input.task.forget_sequences, split.shown))});
  const std::vector<int64_t> retain = draw("attack/relearn/retain", input.task.retain.size());
  lessons.push_back(
      {"retain", fmt::format("{} retain records", retain.size()), retain,
       copy(SequencesOfRecords(input.task.retain_sequences, {retain.begin(), retain.end()}))});
  if (!input.general.empty()) {
    const std::vector<int64_t> drawn = draw("attack/relearn/general", input.general.size());
    RelearnLesson lesson{"general", fmt::format("{} general texts", drawn.size()), drawn, {}};
    for (const int64_t i : drawn) lesson.sequences.push_back(input.general[i]);
    lessons.push_back(std::move(lesson));
  }
  return lessons;
}

void CheckRelearn(const AttackInput& input) {
  const AttackOptions& options = input.options;
  RelearnBudgets(options);
  if (!(options.relearn_share > 0 && options.relearn_share < 1)) {
    BadUsage("attack", "--relearn-share is {}; it must be between 0 and 1", options.relearn_share);
  }
  if (options.relearn_batch_size < 1) {
    BadUsage("attack", "--relearn-batch-size is {}; it must be 1 or more",
             options.relearn_batch_size);
  }
  const RelearnSplit split = SplitForget(input);
  if (split.hidden.empty()) {
    BadInput("attack",
             "relearning takes {} of {} forget records and leaves none to measure; give more "
             "records, or leave relearn out of --attacks",
             split.shown.size(), input.task.forget.size());
  }
  for (const RelearnLesson& lesson : RelearnLessons(input, split)) {
    if (lesson.sequences.empty()) {
      BadInput("attack", "relearning on {}: none of them has a token to learn", lesson.label);
    }
  }
}

// The curve is measured at most so often, evenly spread, besides its start.
constexpr int64_t kCurvePoints = 8;

// Trains with AdamW on fp32 masters, at a constant rate, so that every point of the curve is a
// smaller budget of the same kind.
AttackFigure RelearnOn(const AttackInput& input, const Subject& subject,
                       const RelearnLesson& lesson, const RelearnBudget& budget,
                       const std::vector<const Sequence*>& measured,
                       const std::map<int64_t, double>& start, std::string name) {
  AttackFigure figure{.name = std::move(name),
                      .label = fmt::format("relearned on {}, {} ({} epochs at {:g})", lesson.label,
                                           budget.name, budget.epochs, budget.lr)};
  figure.details = {{"budget", budget.name},
                    {"epochs", budget.epochs},
                    {"lr", budget.lr},
                    {"batch_size", input.options.relearn_batch_size},
                    {"trained_on", lesson.label},
                    {"trained_records", lesson.records}};
  figure.SetRecords(start);
  figure.start = figure.value;
  figure.curve.emplace_back(0, figure.value);
  const StepOptions steps{.batch_size = input.options.relearn_batch_size,
                          .epochs = budget.epochs,
                          .lr = budget.lr,
                          .schedule = "constant",
                          .collapse = 0,  // an attacker goes on
                          .outlier = 0};
  Trainable trainable = Trainable::Everything(subject.model);
  Tuner tuner(subject.model, trainable,
              {{.name = "data",
                .objective = &FindRetainObjective("nll"),
                .sequences = &lesson.sequences,
                .per_epoch = true}},
              steps, input.seed, subject.training_tokens);
  Progress progress(fmt::format("{}, {}", figure.name, subject.role), tuner.steps());
  while (!tuner.done()) {
    const int64_t before = tuner.state().step;
    tuner.Step();
    const int64_t step = tuner.state().step;
    if (step == before) break;  // the loss is not finite any more
    if (step * kCurvePoints / tuner.steps() > before * kCurvePoints / tuner.steps()) {
      figure.SetRecords(
          KeywordAccuracies(subject.model, input.task.forget, measured, subject.scoring_tokens));
      figure.curve.emplace_back(step, figure.value);
    }
    progress.Update(step, fmt::format("keyword accuracy {:.2f}", figure.value));
  }
  if (!tuner.state().guard.empty()) {
    figure.SetRecords({});
    figure.why = fmt::format("training broke off after step {}: {}", tuner.state().step,
                             tuner.state().guard);
  }
  figure.details["steps"] = tuner.state().step;
  trainable.Reset();
  return figure;
}

// Tokens of one budget: three times those that are trained on (forward and backward), and those that
// are measured, so often as the curve has points.
double RelearnBudgetWork(const RelearnLesson& lesson, const RelearnBudget& budget, double measured) {
  return 3 * static_cast<double>(budget.epochs) * TokensOf(AllSequences(lesson.sequences)) +
         static_cast<double>(kCurvePoints) * measured;
}

// One training: a lesson at a budget.
struct RelearnTask {
  const RelearnLesson& lesson;
  const RelearnBudget& budget;
  std::string name;  // of its figure
  double work = 0;
};

std::vector<RelearnTask> RelearnTasks(const std::vector<RelearnLesson>& lessons,
                                      const std::vector<RelearnBudget>& budgets, double measured) {
  std::vector<RelearnTask> tasks;
  for (const RelearnLesson& lesson : lessons) {
    for (const RelearnBudget& budget : budgets) {
      std::string name = "relearn_";
      if (!lesson.name.empty()) name += lesson.name + "_";
      // The hardest budget gives the figure without a budget in its name.
      if (&budget != &budgets.back()) name += budget.name + "_";
      tasks.push_back({lesson, budget, name + "keyword_accuracy",
                       RelearnBudgetWork(lesson, budget, measured)});
    }
  }
  return tasks;
}

double WorkOf(const std::vector<RelearnTask>& tasks) {
  double work = 0;
  for (const RelearnTask& task : tasks) work += task.work;
  return work;
}

double RelearnWork(const AttackInput& input) {
  const RelearnSplit split = SplitForget(input);
  return WorkOf(RelearnTasks(
      RelearnLessons(input, split), RelearnBudgets(input.options),
      TokensOf(SequencesOfRecords(input.task.forget_sequences, split.hidden))));
}

std::vector<AttackFigure> Relearn(const AttackInput& input, const Subject& subject) {
  const RelearnSplit split = SplitForget(input);
  const std::vector<const Sequence*> measured =
      SequencesOfRecords(input.task.forget_sequences, split.hidden);
  const std::vector<RelearnBudget> budgets = RelearnBudgets(input.options);
  const std::vector<RelearnLesson> lessons = RelearnLessons(input, split);
  const std::vector<RelearnTask> tasks = RelearnTasks(lessons, budgets, TokensOf(measured));
  const double work = WorkOf(tasks);
  std::map<int64_t, double> start;  // measured where a budget is not done yet
  std::vector<AttackFigure> figures;
  for (const RelearnTask& task : tasks) {
    const auto relearn = [&] {
      if (start.empty()) {
        start =
            KeywordAccuracies(subject.model, input.task.forget, measured, subject.scoring_tokens);
      }
      return std::vector{
          RelearnOn(input, subject, task.lesson, task.budget, measured, start, task.name)};
    };
    for (AttackFigure& figure : FiguresOfPart(subject, task.name, task.work / work, relearn)) {
      figures.push_back(std::move(figure));
    }
  }
  return figures;
}

// R = min(gain of the never-taught model / gain of the model, 1), FORMULAS section 10; 1 where the
// model gained nothing.
double RelearnRobustness(const AttackFigure& model, const AttackFigure* reference) {
  if (!reference) return std::numeric_limits<double>::quiet_NaN();
  const double gained = model.value - model.start;
  const double fair = std::max(0.0, reference->value - reference->start);
  return gained <= 0 ? 1.0 : std::min(fair / gained, 1.0);
}

}  // namespace

extern const Attack kRelearnAttack;
const Attack kRelearnAttack = {.name = "relearn",
                               .summary = "fine-tuned on other records, measured on these",
                               .check = CheckRelearn,
                               .run = Relearn,
                               .work = RelearnWork,
                               .trains = true,
                               .robustness = RelearnRobustness};

}  // namespace grin
