#pragma once
// Examples -> sequences: the template around prompt and response, tokenised as one string.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grin/data/example.h"
#include "grin/data/sequence.h"
#include "grin/io/checkpoint.h"
#include "grin/model/config.h"
#include "grin/text/chat_template.h"
#include "grin/text/tokenizer.h"

namespace grin {

struct EncodeOptions {
  // "chat", "qa", "raw" or a file; empty: chat where the checkpoint has a chat template, else qa.
  std::string template_name;
  std::string system_prompt;  // for chat templates; empty: whatever the template does by itself
  std::string template_variables;  // for chat templates: see ParseTemplateVariables
  std::string compat;  // "open-unlearning": its token ids and labels, encode_open_unlearning.cc
  // Longest sequence; 0: the model's context, or with compat the 512 tokens of OpenUnlearning.
  int64_t max_length = 0;
};

class Encoder {
 public:
  // Loads the tokenizer and template of a checkpoint. Error (bad input) when there is no tokenizer,
  // when it has ids that the model lacks, or when the template is unknown.
  Encoder(const Checkpoint& checkpoint, const ModelConfig& config, const EncodeOptions& options);

  // The labelled sequence of an example. Too long ones lose their end and are marked. Error (bad
  // input) naming the record where the template refuses it or does not show its response.
  Sequence Encode(const Example& example) const;

  // All of them, in order, in parallel. Plain text that is too long becomes several sequences, each
  // of its tokens scored once (EncodeWindows). Others that lost tokens are counted in one warning;
  // those that lost every label are left out, counted too.
  std::vector<Sequence> EncodeAll(const std::vector<Example>& examples) const;

  // What the model is given to continue: the sequence up to where the response would begin, or what
  // a chat template makes of the prompt with add_generation_prompt. White space that would merge
  // into the response's first token is left for the model to produce.
  std::vector<int32_t> EncodePrompt(const std::string& prompt) const;
  // The same of an example, with every turn of a conversation. Plain text is a prompt here.
  std::vector<int32_t> EncodePrompt(const Example& example) const;

  // Plain text cut into sequences of at most the longest length. Each begins with the tokens that
  // the tokenizer puts before a text, or, where there are none, with the token before its first
  // scored one.
  std::vector<Sequence> EncodeWindows(const Example& example) const;

  const Tokenizer& tokenizer() const { return tokenizer_; }
  // Tokens at which generation ends: the tokenizer's end token, what config.json and
  // generation_config.json name, and what closes an answer in the chat template. With --compat
  // open-unlearning those of generation_config.json alone, or else of config.json.
  const std::vector<int32_t>& stop_tokens() const { return stop_tokens_; }
  // With --compat open-unlearning that of generation_config.json, else 1: see GenerationOptions.
  double repetition_penalty() const { return repetition_penalty_; }
  // With --compat open-unlearning its padding, which prompts there are filled up with: nothing sees
  // it, but the penalty counts it as said.
  std::vector<int32_t> hidden_tokens() const {
    return open_unlearning_ && padding_token_ ? std::vector{*padding_token_}
                                              : std::vector<int32_t>{};
  }
  int64_t max_length() const { return max_length_; }
  // Tokens at which an example with a prompt is cut.
  int64_t longest_example() const {
    if (!open_unlearning_) return max_length_;
    return chat_ ? positions_ : cut_;
  }
  // Whether --compat open-unlearning is on.
  bool open_unlearning() const { return open_unlearning_; }
  // Whether transformers, unless told otherwise, takes spaces before punctuation out of the text.
  bool cleans_spaces() const { return cleans_spaces_; }
  std::string DescribeTemplate() const;

 private:
  // Prompt and response inside the template, and where the response lies.
  struct Rendered {
    std::string text;
    std::string prompt;  // what stands before an answer that is still to come
    int64_t response_begin = 0, response_end = 0;
    int64_t trimmed = 0;      // bytes that the template took off the response's beginning
    bool add_special = true;  // whether the tokenizer's own first and last tokens belong to it
  };
  Rendered Render(const Example& example) const;
  Rendered RenderChat(const Example& example) const;
  // What stands before an answer that is not known.
  Rendered RenderPrompt(const Example& example) const;
  // The turns before an answer: those of the example or its prompt alone, behind the system prompt.
  std::vector<Message> TurnsBefore(const Example& example) const;
  // The tokens [begin, end) that close the response: the end token behind it, with the white space
  // in between. None where something else follows.
  std::pair<size_t, size_t> ClosingTokens(const Rendered& rendered, const Encoding& encoding) const;
  // The token that closes an answer in the chat template; none where it cannot be found out.
  std::optional<int32_t> ClosingToken() const;
  // The bytes of the response that a token with these bytes of the text overlaps.
  static std::pair<int64_t, int64_t> WithinResponse(const Rendered& rendered,
                                                    std::pair<int64_t, int64_t> span);
  void FindEndTokens(const Checkpoint& checkpoint, const ModelConfig& config,
                     const Json& tokenizer_config);
  Sequence EncodeRendered(const Rendered& rendered) const;
  std::vector<int32_t> OpenPrompt(const Rendered& rendered) const;
  // As OpenUnlearning does it: encode_open_unlearning.cc.
  Sequence EncodeAsOpenUnlearning(const Rendered& rendered) const;
  std::vector<int32_t> PromptAsOpenUnlearning(const Rendered& rendered) const;
  std::vector<int32_t> PromptIds(const Rendered& rendered) const;  // hidden ones, too
  void ReadGenerationConfig(const Json& generation, const std::string& where);

  Tokenizer tokenizer_;
  std::optional<ChatTemplate> chat_;
  std::string pattern_;  // with {prompt} and {response}, where there is no chat template
  std::string template_name_, system_prompt_;
  bool open_unlearning_ = false, cleans_spaces_ = true;
  std::optional<int32_t> padding_token_;
  double repetition_penalty_ = 1.0;
  std::vector<int32_t> end_tokens_;  // that end an answer; the first is put behind one without
  std::vector<int32_t> stop_tokens_;
  int64_t max_length_ = 0;
  int64_t positions_ = 0;  // most that the model has; no limit with rotary ones
  int64_t cut_ = 0;        // --compat open-unlearning: longest text of a plain template
};

}  // namespace grin
