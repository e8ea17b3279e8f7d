#include "grin/suite/legacy_results.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/ordered_tree.h"
#include "grin/metric/metric.h"

namespace grin {
namespace {

struct Task {
  const char* file;
  const char* set;
  bool is_forget;
  bool is_normalised;  // its probability is the share among the answers to choose from
};

constexpr Task kTasks[] = {{"eval_log.json", "retain", false, false},
                           {"eval_real_author_wo_options.json", "ra", false, true},
                           {"eval_real_world_wo_options.json", "wf", false, true},
                           {"eval_log_forget.json", "forget", true, false}};

// One task's columns, {"avg_gt_loss": {index: value}}, as lists over the same examples.
class Columns {
 public:
  Columns(const Json& task, std::string where) : task_(task), where_(std::move(where)) {
    if (!task.is_object()) {
      BadInput("eval", "{}: holds {}, expected an object", where_, task.type_name());
    }
  }

  bool Has(const char* name) const { return task_.contains(name); }

  // Name of the first that is missing; empty when all are there.
  std::string Missing(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (!Has(name)) return name;
    }
    return {};
  }

  // Indices of the examples, by a column that is there.
  std::vector<std::string> Indices(const char* name) const {
    std::vector<std::string> indices;
    for (const auto& [index, value] : Column(name).items()) indices.push_back(index);
    return indices;
  }

  // A value of an example. A loss that was not a number is NaN.
  double Number(const char* name, const std::string& index) const {
    return AsNumber(Value(name, index), name, index);
  }

  std::vector<double> Numbers(const char* name, const std::string& index) const {
    const Json& value = Value(name, index);
    if (!value.is_array() || value.empty()) {
      BadInput("eval", "{}: {}:{}: holds {}, expected a list of numbers", where_, name, index,
               value.type_name());
    }
    std::vector<double> numbers;
    for (const Json& one : value) numbers.push_back(AsNumber(one, name, index));
    return numbers;
  }

  // A text of generated_text: [prompt, generation, ground truth]; null where it is not there.
  Json Text(size_t part, const std::string& index) const {
    const auto texts = task_.find("generated_text");
    if (texts == task_.end() || !texts->is_object()) return nullptr;
    const auto entry = texts->find(index);
    if (entry == texts->end() || !entry->is_array() || entry->size() != 3) return nullptr;
    return (*entry)[part];
  }

 private:
  const Json& Column(const char* name) const {
    const Json& column = task_.at(name);
    if (!column.is_object() || column.empty()) {
      BadInput("eval", "{}: {}: holds {}, expected values by index", where_, name,
               column.empty() ? "nothing" : column.type_name());
    }
    return column;
  }

  const Json& Value(const char* name, const std::string& index) const {
    const Json& column = Column(name);
    const auto found = column.find(index);
    if (found == column.end()) {
      BadInput("eval", "{}: {} has no example {}, which other values of this task have", where_,
               name, index);
    }
    return *found;
  }

  double AsNumber(const Json& value, const char* name, const std::string& index) const {
    if (value.is_null()) return std::nan("");
    if (!value.is_number()) {
      BadInput("eval", "{}: {}:{}: holds {}, expected a number", where_, name, index,
               value.type_name());
    }
    return value.get<double>();
  }

  const Json& task_;
  std::string where_;
};

double AverageOrNaN(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// A metric from one entry per example, and the value of each that is averaged.
Json MetricOf(const std::vector<std::string>& indices,
              const std::function<std::pair<Json, double>(const std::string&)>& entry) {
  Json by_index = Json::object();
  std::vector<double> values;
  for (const std::string& index : indices) {
    auto [json, value] = entry(index);
    AppendMember(by_index, index, std::move(json));
    values.push_back(value);
  }
  const double average = AverageOrNaN(values);
  Json metric = {{"agg_value", nullptr}};
  if (std::isfinite(average)) {
    metric["agg_value"] = average;
  } else {
    metric["not_measured"] = "some of its values are not finite numbers";
  }
  metric["value_by_index"] = std::move(by_index);
  return metric;
}

Json Probability(const Columns& task, const char* column) {
  if (!task.Has(column)) return NotMeasured(fmt::format("the file has no {}", column));
  return MetricOf(task.Indices(column), [&](const std::string& index) {
    const double loss = task.Number(column, index);
    return std::pair(Json{{"prob", std::exp(-loss)}, {"avg_loss", loss}}, std::exp(-loss));
  });
}

constexpr const char* kPerturbed = "average_perturb_loss";

Json WrongProbability(const Columns& task) {
  if (!task.Has(kPerturbed)) return NotMeasured(fmt::format("the file has no {}", kPerturbed));
  return MetricOf(task.Indices(kPerturbed), [&](const std::string& index) {
    const std::vector<double> losses = task.Numbers(kPerturbed, index);
    std::vector<double> probabilities;
    for (const double loss : losses) probabilities.push_back(std::exp(-loss));
    return std::pair(Json{{"prob", probabilities}, {"avg_loss", losses}},
                     AverageOrNaN(probabilities));
  });
}

Json NormalisedProbability(const Columns& task) {
  const std::string missing = task.Missing({"avg_gt_loss", kPerturbed});
  if (!missing.empty()) return NotMeasured(fmt::format("the file has no {}", missing));
  return MetricOf(task.Indices("avg_gt_loss"), [&](const std::string& index) {
    const double right = std::exp(-task.Number("avg_gt_loss", index));
    double all = right;
    for (const double loss : task.Numbers(kPerturbed, index)) all += std::exp(-loss);
    return std::pair(Json{{"prob", right / all}}, right / all);
  });
}

Json Rouge(const Columns& task) {
  if (!task.Has("rougeL_recall")) return NotMeasured("the file has no rougeL_recall");
  return MetricOf(task.Indices("rougeL_recall"), [&](const std::string& index) {
    const double recall = task.Number("rougeL_recall", index);
    Json entry = {{"rougeL_recall", recall}};
    if (task.Has("rouge1_recall")) entry["rouge1_recall"] = task.Number("rouge1_recall", index);
    const char* const parts[] = {"input", "generation", "ground_truth"};
    for (size_t part = 0; part < 3; ++part) {
      if (Json text = task.Text(part, index); text.is_string()) entry[parts[part]] = text;
    }
    return std::pair(entry, recall);
  });
}

// Wrong over right: the geometric mean of the wrong answers' probabilities over the paraphrase's.
Json TruthRatio(const Columns& task, bool is_forget) {
  const std::string missing = task.Missing({"avg_paraphrased_loss", kPerturbed});
  if (!missing.empty()) return NotMeasured(fmt::format("the file has no {}", missing));
  return MetricOf(task.Indices("avg_paraphrased_loss"), [&](const std::string& index) {
    const double ratio = std::exp(task.Number("avg_paraphrased_loss", index) -
                                  AverageOrNaN(task.Numbers(kPerturbed, index)));
    const double value = std::isnan(ratio) ? ratio
                         : is_forget       ? std::min(ratio, 1 / ratio)
                                           : std::max(0.0, 1 - ratio);
    return std::pair(Json{{"score", ratio}}, value);
  });
}

}  // namespace

bool IsLegacyResults(const Json& document) {
  return std::ranges::any_of(kTasks,
                             [&](const Task& task) { return document.contains(task.file); });
}

Json ConvertLegacyResults(const Json& document, const std::string& file) {
  Json results = Json::object();
  for (const Task& task : kTasks) {
    const auto found = document.find(task.file);
    if (found == document.end()) continue;
    const Columns columns(*found, fmt::format("{}: {}", file, task.file));
    const std::string set = task.set;
    results[set + "_Q_A_Prob"] = Probability(columns, "avg_gt_loss");
    if (task.is_normalised) {
      results[set + "_Q_A_Prob_normalised"] = NormalisedProbability(columns);
    } else {
      results[set + "_Q_A_PARA_Prob"] = Probability(columns, "avg_paraphrased_loss");
    }
    results[set + "_Q_A_PERT_Prob"] = WrongProbability(columns);
    results[set + "_Q_A_ROUGE"] = Rouge(columns);
    results[set + (task.is_forget ? "_truth_ratio" : "_Truth_Ratio")] =
        TruthRatio(columns, task.is_forget);
  }
  return results;
}

}  // namespace grin
