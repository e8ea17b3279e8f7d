// grin loglik: per-token log-probabilities.

#include <utility>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/cli/command.h"
#include "grin/cli/stages.h"
#include "grin/engine/likelihood.h"
#include "grin/io/table.h"

namespace grin {
namespace {

struct LoglikOptions {
  std::string data;
  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit.List(
        "data", data,
        "questions and answers, text, or {\"tokens\": [...]} records, of which every next token "
        "is scored");
  }
};

struct Options {
  ModelOptions model;
  LoglikOptions input;
  DataOptions data;
  OutputOptions output;
};

// A record of token ids: every token but the first is a label.
Sequence FromTokens(const Record& record, const ModelConfig& config) {
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
std::vector<Sequence> LoadSequences(Workspace& workspace, const Options& options) {
  const auto records = ReadTable(options.input.data);
  if (records.empty() || !records.front().fields.contains("tokens")) {
    OpenEncoder(workspace, options.data);
    return workspace.encoder->EncodeAll(LoadExamples(options.input.data, options.data.columns));
  }
  std::vector<Sequence> sequences;
  int64_t truncated = 0;
  for (const Record& record : records) {
    if (!record.fields.contains("tokens")) {
      BadInput("loglik", "{}: 'tokens' is missing, which earlier records have", record.Where());
    }
    sequences.push_back(FromTokens(record, workspace.model.config));
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

void Run(const Options& options, const CommonOptions& common) {
  Require(options.input.data, "--data");
  if (!options.output.out.empty()) CheckOutput(options.output);
  Workspace workspace = OpenModel(common, options.model);
  const auto sequences = LoadSequences(workspace, options);
  const auto scores = ScoreSequences(workspace.model, sequences,
                                     {.extras = {.argmax = true}, .progress = "loglik"});
  std::optional<AtomicFile> file;
  if (!options.output.out.empty()) file.emplace(options.output.out);
  double sum = 0;
  int64_t labels = 0;
  Json line = EmptyLine();
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t k = 0; k < scores[i].logp.size(); ++k) {
      line["tokens"].push_back(sequences[i].tokens[sequences[i].labels[k]]);
      line["logprobs"].push_back(scores[i].logp[k]);
      line["argmax"].push_back(scores[i].argmax[k]);
      sum += scores[i].logp[k];
    }
    labels += static_cast<int64_t>(scores[i].logp.size());
    // The windows of a long text follow each other, and make one line.
    if (i + 1 < sequences.size() && sequences[i + 1].example == sequences[i].example) continue;
    const std::string text = std::exchange(line, EmptyLine()).dump() + "\n";
    file ? file->Write(text) : void(std::fputs(text.c_str(), stdout));
  }
  if (file) file->Commit();
  Info("{} sequences, {} scored tokens, mean log-probability {:.5f}", sequences.size(), labels,
       labels > 0 ? sum / static_cast<double>(labels) : 0.0);
}

std::function<void()> SetUp(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", options->input);
  flags.Bind("Input", options->data);
  flags.Bind("Output", options->output);
  return [options, &common] { Run(*options, common); };
}

}  // namespace

extern const Command kLoglik;
const Command kLoglik = {
    .name = "loglik",
    .summary = "log-probabilities of the scored tokens of each record, as JSON Lines",
    .examples =
        "Examples:\n"
        "  grin loglik --model M --data questions.jsonl --out scores.jsonl\n"
        "Each line: {\"tokens\": [...], \"logprobs\": [...], \"argmax\": [...]} at the scored "
        "positions. Without --out they go to stdout.",
    .set_up = SetUp};

}  // namespace grin
