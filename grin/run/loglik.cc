#include "grin/run/loglik.h"

#include <optional>
#include <utility>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/engine/likelihood.h"
#include "grin/io/table.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/output.h"

namespace grin {
namespace {

// A record of token ids: every token but the first is a label.
Sequence SequenceOfTokens(const Record& record, const ModelConfig& config) {
  Sequence sequence;
  sequence.where = record.Where();
  const Json& tokens = record.fields.at("tokens");
  if (!tokens.is_array()) BadInput("loglik", "{}: 'tokens' must be an array", record.Where());
  for (const Json& token : tokens) {
    if (!token.is_number_integer() || token.get<int64_t>() < 0 ||
        token.get<int64_t>() >= config.vocabulary) {
      BadInput("loglik", "{}: token {} is not an id below the model's vocab_size {}",
               record.Where(), token.dump(), config.vocabulary);
    }
    sequence.tokens.push_back(token.get<int32_t>());
  }
  if (sequence.tokens.empty()) BadInput("loglik", "{}: 'tokens' is empty", record.Where());
  if (sequence.length() > config.context) {
    sequence.truncated = true;
    sequence.tokens.resize(config.context);
  }
  for (int32_t i = 1; i < sequence.length(); ++i) {
    sequence.labels.push_back(i);
    sequence.label_spans.emplace_back(-1, -1);
  }
  sequence.label_weights.assign(sequence.labels.size(), 1.0f);
  return sequence;
}

// Token ids need no tokenizer; text loads it.
std::vector<Sequence> LoadScored(Workspace& workspace, const std::string& data) {
  const auto records = ReadTable(data);
  if (records.empty() || !records.front().fields.contains("tokens")) {
    if (!workspace.encoder) OpenEncoder(workspace);
    return workspace.encoder->EncodeAll(
        LoadExamples(data, workspace.options.data.columns));
  }
  std::vector<Sequence> sequences;
  int64_t truncated = 0;
  for (const Record& record : records) {
    if (!record.fields.contains("tokens")) {
      BadInput("loglik", "{}: 'tokens' is missing, which earlier records have", record.Where());
    }
    sequences.push_back(SequenceOfTokens(record, workspace.model.config));
    sequences.back().example = static_cast<int64_t>(sequences.size()) - 1;
    truncated += sequences.back().truncated;
  }
  if (truncated > 0) {
    Warn("{} of {} sequences are longer than the context of {} tokens and lose their end",
         truncated, sequences.size(), workspace.model.config.context);
  }
  return sequences;
}

Json EmptyLine() {
  return {{"tokens", Json::array()}, {"logprobs", Json::array()}, {"argmax", Json::array()}};
}

}  // namespace

LoglikReport RunLoglik(Workspace& workspace, const LoglikOptions& options,
                       const std::function<void(std::string_view)>& emit) {
  if (options.data.empty()) BadUsage("run", "--data is required; see --help");
  std::optional<AtomicFile> file;
  if (!options.output.out.empty()) {
    CheckOutput(options.output, OutputKind::kFile);
    file.emplace(options.output.out);
  }
  const auto sequences = LoadScored(workspace, options.data);
  const int64_t pass_tokens = ScoringPassTokens(workspace.model, workspace.options.compute, 0,
                                                LongestOf(sequences));
  const auto scores = InStage(workspace.options.compute, "scoring", "", [&] {
    return ScoreSequences(
        workspace.model, sequences,
        {.pass_tokens = pass_tokens, .extras = {.argmax = true}, .progress = "loglik"});
  });
  LoglikReport report{.sequences = static_cast<int64_t>(sequences.size())};
  Json line = EmptyLine();
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t k = 0; k < scores[i].logp.size(); ++k) {
      line["tokens"].push_back(sequences[i].tokens[sequences[i].labels[k]]);
      line["logprobs"].push_back(scores[i].logp[k]);
      line["argmax"].push_back(scores[i].argmax[k]);
      report.sum += scores[i].logp[k];
    }
    report.labels += static_cast<int64_t>(scores[i].logp.size());
    // The windows of a long text follow each other, and make one line.
    if (i + 1 < sequences.size() && sequences[i + 1].example == sequences[i].example) continue;
    const std::string text = std::exchange(line, EmptyLine()).dump() + "\n";
    if (file) {
      file->Write(text);
    } else if (emit) {
      emit(text);
    }
  }
  if (file) file->Commit();
  Info("{} sequences, {} scored tokens, mean log-probability {:.5f}", report.sequences,
       report.labels, report.labels > 0 ? report.sum / static_cast<double>(report.labels) : 0.0);
  return report;
}

}  // namespace grin
