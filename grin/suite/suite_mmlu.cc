// MMLU (Hendrycks et al. 2021, arXiv 2009.03300): general knowledge in 57 subjects.

#include <algorithm>
#include <cmath>
#include <map>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/io/csv.h"
#include "grin/io/zip.h"
#include "grin/metric/choice.h"
#include "grin/metric/metric.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct Subject {
  std::vector<ChoiceQuestion> test, dev;
};
using Subjects = std::map<std::string, Subject>;

// Rows "question,A,B,C,D,letter" without a header, as the authors published them.
std::vector<ChoiceQuestion> ParseRows(const std::string& text, const std::string& where) {
  std::vector<ChoiceQuestion> questions;
  for (const CsvRow& row : ReadCsvRows(text, where)) {
    const std::vector<std::string>& fields = row.fields;
    Record record{.fields = Json::object(), .file = where, .line = row.line};
    if (fields.size() != 6) {
      BadInput("eval", "{}: has {} fields; expected question, four choices and a letter",
               record.Where(), fields.size());
    }
    record.fields = {{"question", fields[0]},
                     {"choices", {fields[1], fields[2], fields[3], fields[4]}},
                     {"answer", fields[5]}};
    questions.push_back(ParseChoiceQuestion(record));
  }
  return questions;
}

// "data/test/abstract_algebra_test.csv" -> its subject's test questions.
void AddFile(const fs::path& name, const std::function<std::string()>& text, Subjects& subjects) {
  const std::string stem = name.stem().string();
  for (const char* part : {"_test", "_dev"}) {
    if (name.extension() != ".csv" || !stem.ends_with(part)) continue;
    Subject& subject = subjects[stem.substr(0, stem.size() - std::string_view(part).size())];
    (std::string_view(part) == "_test" ? subject.test : subject.dev) =
        ParseRows(text(), name.string());
  }
}

// Records with a subject each, as the hub has them.
void AddRecords(const fs::path& path, bool test, Subjects& subjects) {
  for (const Record& record : ReadTable(path)) {
    const auto name = record.fields.find("subject");
    if (name == record.fields.end() || !name->is_string()) {
      BadInput("eval", "{}: 'subject' is missing", record.Where());
    }
    Subject& subject = subjects[name->get<std::string>()];
    (test ? subject.test : subject.dev).push_back(ParseChoiceQuestion(record));
  }
}

Subjects Load(const SuiteInput& input) {
  const fs::path data = input.options.data;
  Subjects subjects;
  fs::path archive = data.extension() == ".zip" ? data : data / "mmlu.zip";
  if (fs::is_regular_file(archive)) {
    const ZipFile zip(archive);
    for (const ZipEntry& entry : zip.entries()) {
      AddFile(
          entry.name, [&] { return zip.Read(entry); }, subjects);
    }
    input.note_input(archive, 0);
    return subjects;
  }
  if (!fs::is_directory(data)) {
    BadInput("eval", "{}: is neither a folder nor a .zip of MMLU's files", data.string());
  }
  if (const fs::path test = FindTable(data, {"test", "all/test"}); !test.empty()) {
    AddRecords(test, true, subjects);
    input.note_input(test, 0);
    if (const fs::path dev = FindTable(data, {"dev", "all/dev"}); !dev.empty()) {
      AddRecords(dev, false, subjects);
    }
    return subjects;
  }
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    if (!entry.is_regular_file()) continue;
    AddFile(
        entry.path(), [&] { return ReadFile(entry.path()); }, subjects);
  }
  input.note_input(data, 0);
  return subjects;
}

double NumberOrNaN(const Json& value) {
  return value.is_number() ? value.get<double>() : std::nan("");
}

FinishSuite PlanMmlu(const SuiteInput& input, EvalPlan& plan) {
  const SuiteOptions& options = input.options;
  if (options.data.empty()) BadUsage("eval", "--data is required: MMLU's folder or .zip");
  if (options.shots < 0 || options.shots > 5) {
    BadUsage("eval", "--shots is {}; it must be 0 to 5", options.shots);
  }
  Subjects subjects = Load(input);
  std::erase_if(subjects, [](const auto& subject) { return subject.second.test.empty(); });
  if (subjects.empty()) BadInput("eval", "{}: holds no test questions of MMLU", options.data);
  if (!IsWhole(options.split)) {
    std::vector<std::string> splits = {"all"};
    for (const auto& [name, subject] : subjects) splits.push_back(name);
    RequireSplit(options.split, splits);
    std::erase_if(subjects, [&](const auto& subject) { return subject.first != options.split; });
  }
  std::vector<std::string> known = {"mmlu"};
  for (const auto& [name, subject] : subjects) known.push_back("mmlu_" + name);
  const Wanted wanted(options.metrics, known, {{"mmlu", {known.begin() + 1, known.end()}}});

  auto asked = std::make_shared<std::vector<std::pair<std::string, AskedChoices>>>();
  for (auto& [name, subject] : subjects) {
    const std::string result = "mmlu_" + name;
    if (!wanted(result)) continue;
    if (static_cast<int64_t>(subject.dev.size()) < options.shots) {
      BadInput("eval", "{}: {} has {} worked examples (dev), --shots asks for {}", options.data,
               name, subject.dev.size(), options.shots);
    }
    std::string topic = name;
    std::ranges::replace(topic, '_', ' ');
    std::string header = fmt::format(
        "The following are multiple choice questions (with answers) about {}.\n\n", topic);
    for (int64_t i = 0; i < options.shots; ++i) header += WorkedExample(subject.dev[i]);
    Limit(input, subject.test);
    asked->emplace_back(
        result, AskedChoices(plan, input.encoder, input.context, header, std::move(subject.test)));
  }
  return [asked, wanted](const EngineResults& engines, const EngineResults*) {
    Json results = Json::object();
    std::vector<double> all;
    double macro = 0;  // NaN where a subject was not measured
    for (const auto& [name, choices] : *asked) {
      results[name] = choices.Result(engines);
      macro += NumberOrNaN(results[name]["agg_value"]) / static_cast<double>(asked->size());
      for (const auto& [index, value] : results[name]["value_by_index"].items()) {
        all.push_back(NumberOrNaN(value["score"]));
      }
    }
    if (wanted("mmlu")) {
      results["mmlu"] = Accuracy(all);
      results["mmlu"]["macro"] = Finite(macro);
      results["mmlu"]["questions"] = all.size();
    }
    return results;
  };
}

}  // namespace

extern const Suite kMmluSuite;
const Suite kMmluSuite = {.name = "mmlu",
                          .summary = "general knowledge: 57 subjects, by question and by subject",
                          .plan = PlanMmlu,
                          .default_split = "all",
                          .fixes_columns = true};

}  // namespace grin
