#pragma once
// Attacks: does the model know underneath what it does not show? Each is run in the same way on the
// unlearned model, on the model before, and on one that was never taught. A new attack is one file
// and one row of the table (docs/attacks.md).

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/attack/options.h"
#include "grin/base/json.h"
#include "grin/data/encode.h"
#include "grin/data/task.h"
#include "grin/model/decoder.h"

namespace grin {

// What every attack gets, the same for every model.
struct AttackInput {
  const AttackOptions& options;
  const Encoder& encoder;
  const Task& task;
  const std::vector<Sequence>& general;  // empty where none was given
  uint64_t seed = 0;
};

class AttackParts;

// One of the models. An attack may change its weights in memory, and puts back the stored ones.
struct Subject {
  std::string role;  // "model", "before", "reference"
  const Model& model;
  const Checkpoint* before;                     // of the model before; null for that one itself
  int64_t training_tokens = 512;                // of one pass that is recorded for its gradients
  int64_t scoring_tokens = 4096;                // of one pass that only scores
  int64_t cache_bytes = 0, prefill_tokens = 0;  // of generation, see GenerationOptions
  AttackParts* parts = nullptr;  // see parts.h; null: nothing is kept and nobody asks how far it is
};

// What an attack measured on one model.
struct AttackFigure {
  std::string name;   // in result files: "relearn_keyword_accuracy"
  std::string label;  // for people
  // Whether it says how much of the forget set is known, from 0 to 1. Others tell of damage, or how
  // the attack went.
  bool is_knowledge = true;
  std::map<int64_t, double> by_record;  // by the number of the record in its set
  // Mean over those records, or a figure without records. NaN: not measured, see `why`.
  double value = std::numeric_limits<double>::quiet_NaN();
  std::string why;
  // The same figure on the same records before the attack; NaN where that says nothing.
  double start = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::pair<int64_t, double>> curve;  // (optimiser step, value), from step 0
  std::map<int64_t, Json> record_details;         // objects that are shown beside a record's value
  Json details = Json::object();                  // shown beside the figure

  // Takes the values of records, and their mean as the value. A mean that is not finite, or of
  // nothing, is not measured.
  void SetRecords(std::map<int64_t, double> values);
};

struct Attack {
  std::string_view name;     // in --attacks, and at the start of its figures' names
  std::string_view summary;  // for the table and the report
  // Error (usage or bad input) for settings or sets that it cannot work with.
  void (*check)(const AttackInput& input);
  std::vector<AttackFigure> (*run)(const AttackInput& input, const Subject& subject);
  // About how much work that is on one model, as tokens that go through it once.
  double (*work)(const AttackInput& input);
  bool trains;  // whether it trains every weight, for which memory is needed
  // How little a figure of knowledge gave way: 1 not at all, 0 altogether; NaN where that cannot be
  // told. `reference` is null where there is no never-taught model. Null: the attack has no such
  // number.
  double (*robustness)(const AttackFigure& model, const AttackFigure* reference);
};

std::span<const Attack> KnownAttacks();

// The rows that the options name, in the table's order. Error (usage) for an unknown name.
std::vector<const Attack*> ChosenAttacks(const AttackOptions& options);

// What a model shows without any attack: keywords under teacher forcing, in its greedy answers,
// refusals among those, and what it knows of the retain set. It is run before every attack, as the
// row that the others are compared with.
const Attack& PlainQuestions();

}  // namespace grin
