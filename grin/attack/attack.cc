#include "grin/attack/attack.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "grin/base/table.h"

namespace grin {

extern const Attack kRelearnAttack, kRoundAttack, kSampleAttack;

namespace {

const std::array<Attack, 3>& AttackTable() {
  static const std::array<Attack, 3> table = {kRelearnAttack, kRoundAttack, kSampleAttack};
  return table;
}

}  // namespace

std::span<const Attack> KnownAttacks() { return AttackTable(); }

std::string AttackOptions::Names() { return NamesOf(KnownAttacks()); }

std::vector<const Attack*> ChosenAttacks(const AttackOptions& options) {
  for (const std::string& name : options.attacks) FindRow("attack", "attack", KnownAttacks(), name);
  std::vector<const Attack*> chosen;
  for (const Attack& attack : KnownAttacks()) {
    if (options.attacks.empty() || std::ranges::count(options.attacks, attack.name) > 0) {
      chosen.push_back(&attack);
    }
  }
  return chosen;
}

void AttackFigure::SetRecords(std::map<int64_t, double> values) {
  by_record = std::move(values);
  double sum = 0;
  for (const auto& [record, one] : by_record) sum += one;
  value = by_record.empty() ? std::numeric_limits<double>::quiet_NaN()
                            : sum / static_cast<double>(by_record.size());
  if (by_record.empty()) {
    why = "no record has keywords that could be looked for";
  } else if (!std::isfinite(value)) {
    why = "the model gives values that are not finite";
  }
}

}  // namespace grin
