// How OpenUnlearning makes token ids of an example (its preprocess_chat_instance and collator), for
// --compat open-unlearning.

#include <algorithm>

#include "grin/base/json_fields.h"
#include "grin/base/log.h"
#include "grin/data/encode.h"

namespace grin {
namespace {

// A plain text is cut before the end token is put behind it, a chat never is.
std::vector<int32_t> Cut(std::vector<int32_t> ids, bool is_chat, int64_t longest) {
  if (!is_chat && static_cast<int64_t>(ids.size()) > longest) ids.resize(longest);
  return ids;
}

}  // namespace

// The labels are everything behind as many tokens as the prompt alone has.
Sequence Encoder::EncodeAsOpenUnlearning(const Rendered& rendered) const {
  const bool is_chat = !rendered.add_special;
  const bool is_whole = is_chat || rendered.prompt.empty();  // running text becomes windows
  const Encoding encoding = tokenizer_.Encode(rendered.text, rendered.add_special);
  Sequence sequence;
  sequence.tokens = Cut(encoding.ids, is_whole, cut_);
  sequence.truncated = sequence.tokens.size() < encoding.ids.size();
  const size_t read = sequence.tokens.size(), prompt = PromptIds(rendered).size();
  if (!end_tokens_.empty() && (read == 0 || sequence.tokens.back() != end_tokens_.front())) {
    sequence.tokens.push_back(end_tokens_.front());
  }
  for (size_t i = std::max<size_t>(prompt, 1); i < sequence.tokens.size(); ++i) {
    sequence.labels.push_back(static_cast<int32_t>(i));
    constexpr std::pair<int64_t, int64_t> kOutside(-1, -1);
    const std::pair<int64_t, int64_t> span = i < read ? encoding.spans[i] : kOutside;
    const bool inside = span.first < rendered.response_end && span.second > rendered.response_begin;
    sequence.label_spans.push_back(inside ? WithinResponse(rendered, span) : kOutside);
  }
  sequence.label_weights.assign(sequence.labels.size(), 1.0f);
  // The collator takes every token that equals the padding for padding.
  if (!padding_token_ || sequence.tokens.empty()) return sequence;
  const auto last = sequence.tokens.end() - 1;
  if (std::find(sequence.tokens.begin(), last, *padding_token_) != last) {
    sequence.unseen_token = *padding_token_;
  }
  return sequence;
}

// It asks transformers to be greedy, and leaves everything else to the model's own settings.
void Encoder::ReadGenerationConfig(const Json& generation, const std::string& where) {
  repetition_penalty_ = JsonFields(generation, where).Real("repetition_penalty", 1.0);
  const Json nothing[] = {nullptr, 0, Json::array()};
  for (const char* key : {"no_repeat_ngram_size", "min_length", "min_new_tokens", "bad_words_ids",
                          "suppress_tokens", "begin_suppress_tokens"}) {
    const auto found = generation.find(key);
    if (found == generation.end() || std::ranges::count(nothing, *found) > 0) continue;
    Warn("{}: OpenUnlearning's answers follow '{}', grin's do not", where, key);
  }
}

std::vector<int32_t> Encoder::PromptIds(const Rendered& rendered) const {
  return Cut(tokenizer_.Encode(rendered.prompt, rendered.add_special).ids, !rendered.add_special,
             cut_);
}

// Tokens that equal the padding are hidden, and generation counts positions without them: as if
// they were not there. The last one is the query, and stays.
std::vector<int32_t> Encoder::PromptAsOpenUnlearning(const Rendered& rendered) const {
  std::vector<int32_t> tokens = PromptIds(rendered);
  if (padding_token_ && !tokens.empty()) {
    tokens.erase(std::remove(tokens.begin(), tokens.end() - 1, *padding_token_), tokens.end() - 1);
  }
  return tokens;
}

}  // namespace grin
