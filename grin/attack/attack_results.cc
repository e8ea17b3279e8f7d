#include "grin/attack/attack_results.h"

#include <algorithm>
#include <cmath>

#include "grin/base/error.h"
#include "grin/metric/metric.h"
#include "grin/metric/statistics.h"

namespace grin {
namespace {

Json IntervalOf(const AttackFigure& figure) {
  if (figure.by_record.size() < 2 || !std::isfinite(figure.value)) return nullptr;
  std::vector<double> values;
  for (const auto& [record, value] : figure.by_record) values.push_back(value);
  const Interval interval = BootstrapMean(values);
  return {interval.low, interval.high};
}

std::optional<double> ValueOf(const AttackFigure* figure) {
  if (!figure || !std::isfinite(figure->value)) return std::nullopt;
  return figure->value;
}

// Points of the three curves by their step. Those of one figure are measured at the same steps.
Json CurveOf(const AttackFigure& model, const AttackFigure* before, const AttackFigure* reference) {
  Json curve = Json::array();
  for (size_t i = 0; i < model.curve.size(); ++i) {
    const auto [step, value] = model.curve[i];
    const auto at = [&](const AttackFigure* figure) {
      return figure && i < figure->curve.size() ? Finite(figure->curve[i].second) : Json();
    };
    curve.push_back({{"step", step},
                     {"agg_value", Finite(value)},
                     {"before", at(before)},
                     {"reference", at(reference)}});
  }
  return curve;
}

Json RecordsOf(const AttackFigure& model, const AttackFigure* before,
               const AttackFigure* reference) {
  Json records = Json::object();
  for (const auto& [record, value] : model.by_record) {
    Json entry = {{"score", Finite(value)}};
    const auto add = [&](const char* key, const AttackFigure* figure) {
      if (!figure) return;
      const auto found = figure->by_record.find(record);
      if (found != figure->by_record.end()) entry[key] = Finite(found->second);
    };
    add("before", before);
    add("reference", reference);
    if (const auto more = model.record_details.find(record); more != model.record_details.end()) {
      entry.update(more->second);
    }
    records[std::to_string(record)] = std::move(entry);
  }
  return records;
}

Json ResultOf(const Attack& attack, const AttackFigure& model, const AttackFigure* before,
              const AttackFigure* reference) {
  Json result = {{"agg_value", Finite(model.value)},
                 {"before", before ? Finite(before->value) : Json()},
                 {"reference", reference ? Finite(reference->value) : Json()}};
  if (!std::isfinite(model.value)) result["not_measured"] = model.why;
  const auto interval = [&](const char* key, const AttackFigure* figure) {
    if (!figure) return;
    if (Json range = IntervalOf(*figure); !range.is_null()) result[key] = std::move(range);
  };
  interval("interval", &model);
  interval("before_interval", before);
  interval("reference_interval", reference);
  result["attack"] = attack.name;
  result["label"] = model.label;
  if (model.is_knowledge) {
    const auto share = CameBack(ValueOf(&model), ValueOf(before), ValueOf(reference));
    result["came_back"] = share ? Json(*share) : Json();
    if (attack.robustness) result["robustness"] = Finite(attack.robustness(model, reference));
  }
  if (std::isfinite(model.start)) result["start"] = model.start;
  for (const auto& [key, value] : model.details.items()) result[key] = value;
  if (!model.curve.empty()) result["curve"] = CurveOf(model, before, reference);
  if (!model.by_record.empty()) {
    result["value_by_index"] = RecordsOf(model, before, reference);
  }
  return result;
}

// A number of a metric's JSON; nothing where it is absent or null.
std::optional<double> Member(const Json& metric, const char* key) {
  const auto found = metric.find(key);
  return found != metric.end() && found->is_number() ? std::optional(found->get<double>())
                                                     : std::nullopt;
}

std::optional<double> MemberOf(const Json& results, const char* name, const char* key) {
  const auto found = results.find(name);
  return found != results.end() ? Member(*found, key) : std::nullopt;
}

std::string Percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

// Shares of what was forgotten: up to here it counts as gone, and from there on as back.
constexpr double kLittle = 0.15, kMuch = 0.5;

// A model whose retain keyword accuracy fell below this share of what it was is damaged.
constexpr double kDamaged = 0.7;

std::string DamageNote(const Json& results) {
  const auto here = MemberOf(results, "plain_retain_keyword_accuracy", "agg_value"),
             before = MemberOf(results, "plain_retain_keyword_accuracy", "before");
  if (!here || !before || *here >= kDamaged * *before) return {};
  return fmt::format(
      " But the model is damaged: it knows {:.2f} of the retain set's keywords, before {:.2f}; "
      "what "
      "it does not know says little.",
      *here, *before);
}

}  // namespace

std::optional<double> CameBack(std::optional<double> model, std::optional<double> before,
                               std::optional<double> reference) {
  constexpr double kLeastGap = 0.1;
  const double floor = reference.value_or(0.0);
  if (!model || !before || *before - floor < kLeastGap) return std::nullopt;
  return std::clamp((*model - floor) / (*before - floor), 0.0, 1.0);
}

Json AttackResults(const std::vector<AttackedModels>& attacked) {
  Json results = Json::object();
  for (const AttackedModels& one : attacked) {
    for (size_t i = 0; i < one.model.size(); ++i) {
      const auto at = [&](const std::vector<AttackFigure>& figures) -> const AttackFigure* {
        // A figure that one model alone lacks, such as code changes of the one before.
        const auto found = std::ranges::find(figures, one.model[i].name, &AttackFigure::name);
        return found == figures.end() ? nullptr : &*found;
      };
      results[one.model[i].name] =
          ResultOf(*one.attack, one.model[i], at(one.before), at(one.reference));
    }
  }
  return results;
}

Json AttackVerdict(const Json& results) {
  std::optional<double> shown = MemberOf(results, "plain_generated_keywords", "came_back");
  if (!shown) shown = MemberOf(results, "plain_keyword_accuracy", "came_back");
  std::optional<double> worst;
  std::string worst_figure, worst_label;
  bool attacked = false, compared = false;
  for (const auto& [name, metric] : results.items()) {
    if (!metric.is_object() || !metric.contains("came_back")) continue;
    compared = compared || Member(metric, "reference").has_value();
    const auto share = Member(metric, "came_back");
    if (!share) continue;
    attacked = attacked || metric.value("attack", std::string()) != PlainQuestions().name;
    if (worst && *share <= *worst) continue;
    worst = share;
    worst_figure = name;
    worst_label = metric.value("label", name);
  }
  Json verdict = {{"shown", shown ? Json(*shown) : Json()},
                  {"worst", worst ? Json(*worst) : Json()},
                  {"worst_figure", worst ? Json(worst_figure) : Json()}};
  std::string headline, tone;
  if (!worst || !attacked) {
    tone = "unknown";
    headline =
        "Cannot be told: no attack was measured in which the model before knows clearly more "
        "of the forget set than the never-taught one.";
  } else if (*worst < kLittle) {
    tone = "good";
    headline = fmt::format(
        "Stays forgotten: of what was known before, no question and no attack brings out more than "
        "{} ({}).",
        Percent(*worst), worst_label);
  } else if (shown && *shown >= kMuch) {
    tone = "poor";
    headline =
        fmt::format("Not forgotten: its plain answers still show {} of what was known before.",
                    Percent(*shown));
  } else if (*worst >= kMuch && shown && *shown < kLittle) {
    tone = "poor";
    headline = fmt::format(
        "Only keeps silent: its plain answers show {} of what was known before, but {} is still "
        "there ({}).",
        Percent(*shown), Percent(*worst), worst_label);
  } else {
    tone = *worst >= kMuch ? "poor" : "fair";
    headline = fmt::format(
        "{}: {} of what was known before comes out ({}){}.",
        *worst >= kMuch ? "Comes back" : "Comes back in part", Percent(*worst), worst_label,
        shown ? fmt::format("; its plain answers show {}", Percent(*shown)) : "");
  }
  if (const std::string damage = DamageNote(results); !damage.empty()) {
    if (tone == "good") tone = "fair";
    headline += damage;
  }
  if (worst && !compared) {
    headline +=
        " Measured from nothing known at all: give a never-taught model (--reference) for a "
        "fair floor.";
  }
  verdict["headline"] = headline;
  verdict["tone"] = tone;
  return verdict;
}

}  // namespace grin
