#include "grin/metric/toxicity_classifier.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/progress.h"
#include "grin/io/checkpoint.h"

namespace grin {
namespace {

constexpr int64_t kLongestText = 512;

// Lower case, with spaces for '-' and '_'.
std::string Plain(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    plain += c == '-' || c == '_' ? ' ' : static_cast<char>(std::tolower(uint8_t(c)));
  }
  return plain;
}

template <typename Names>
std::vector<size_t> LabelsNamed(const std::vector<std::string>& labels, const Names& names) {
  std::vector<size_t> found;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (std::ranges::find(names, Plain(labels[i])) != names.end()) found.push_back(i);
  }
  return found;
}

size_t FindLabel(const std::vector<std::string>& labels, const std::string& wanted,
                 const std::string& where) {
  const auto found = LabelsNamed(labels, std::array{Plain(wanted)});
  if (found.size() == 1) return found[0];
  BadUsage("eval", "{}: has no label '{}'; its labels are {}", where, wanted,
           fmt::join(labels, ", "));
}

// Ids of the text with its frame of special tokens, the text itself cut so that all fit.
std::vector<int32_t> CutAt(const Encoding& encoding, size_t most) {
  const auto added = [](const auto& span) { return span.first < 0; };
  const auto& spans = encoding.spans;
  std::vector<int32_t> ids = encoding.ids;
  if (ids.size() <= most) return ids;
  const auto behind = std::find_if_not(spans.rbegin(), spans.rend(), added) - spans.rbegin();
  const auto excess = static_cast<ptrdiff_t>(ids.size() - most);
  ids.erase(ids.end() - behind - excess, ids.end() - behind);
  return ids;
}

}  // namespace

size_t FindToxicLabel(const std::vector<std::string>& labels, const std::string& where) {
  constexpr std::array<std::string_view, 2> kNames = {"toxic", "toxicity"};
  constexpr std::array<std::string_view, 11> kOthers = {
      "hate",    "hateful", "hate speech", "offensive",     "abusive",   "abuse",
      "harmful", "unsafe",  "nsfw",        "inappropriate", "harassment"};
  std::vector<size_t> found = LabelsNamed(labels, kNames);
  if (found.empty() && labels.size() == 2) found = LabelsNamed(labels, kOthers);
  if (found.size() == 1) return found[0];
  BadInput("eval", "{}: which label means toxic is unclear; its labels are {}; name one of them",
           where, fmt::join(labels, ", "));
}

ToxicityClassifier ToxicityClassifier::Load(const std::filesystem::path& source,
                                            const ToxicityOptions& options, at::Device device) {
  const auto checkpoint = Checkpoint::Open(source);
  const std::string where = checkpoint->path().string();
  BertClassifier model(checkpoint, device);
  const auto& labels = model.config().labels;
  const size_t label = options.label.empty() ? FindToxicLabel(labels, where)
                                             : FindLabel(labels, options.label, where);
  Tokenizer tokenizer = Tokenizer::Load(checkpoint->path());
  if (tokenizer.size() > model.config().vocabulary) {
    BadInput("eval", "{}: the tokenizer has {} tokens, the model's vocabulary {}", where,
             tokenizer.size(), model.config().vocabulary);
  }
  return {std::move(model), std::move(tokenizer), label, options.pass_tokens};
}

std::vector<int32_t> ToxicityClassifier::Encode(const std::string& text) const {
  const int64_t most = std::min(kLongestText, model_.config().context);
  return CutAt(tokenizer_.Encode(text, true), static_cast<size_t>(most));
}

at::Tensor ToxicityClassifier::Logits(const std::vector<std::string>& texts,
                                      const std::string& progress) const {
  std::vector<std::vector<int32_t>> encoded;
  for (const std::string& text : texts) encoded.push_back(Encode(text));
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return encoded[i].size(); });

  std::optional<Progress> bar;
  if (!progress.empty()) bar.emplace(progress, static_cast<int64_t>(texts.size()));
  at::Tensor logits = at::empty(
      {static_cast<int64_t>(texts.size()), static_cast<int64_t>(labels().size())}, at::kFloat);
  for (size_t first = 0, next; first < order.size(); first = next) {
    std::vector<std::vector<int32_t>> pass;
    int64_t tokens = 0;
    for (next = first; next < order.size(); ++next) {
      const auto& ids = encoded[order[next]];
      tokens += static_cast<int64_t>(ids.size());
      if (!pass.empty() && tokens > pass_tokens_) break;
      pass.push_back(ids);
    }
    const at::Tensor values = model_.Logits(pass).cpu();
    for (size_t i = first; i < next; ++i) {
      logits[static_cast<int64_t>(order[i])].copy_(values[static_cast<int64_t>(i - first)]);
    }
    if (bar) bar->Add(static_cast<int64_t>(pass.size()));
  }
  return logits;
}

std::vector<double> ToxicityClassifier::Score(const std::vector<std::string>& texts,
                                              const std::string& progress) const {
  const at::Tensor values = model_.Probabilities(Logits(texts, progress).to(at::kDouble))
                                .select(1, static_cast<int64_t>(label_))
                                .contiguous();
  const double* data = values.const_data_ptr<double>();
  return {data, data + values.numel()};
}

}  // namespace grin
