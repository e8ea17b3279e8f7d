#include "grin/data/encode.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/log.h"
#include "grin/base/printable.h"
#include "grin/base/space.h"
#include "grin/data/cut_warnings.h"
#include "grin/data/shown_answer.h"
#include "grin/data/template_variables.h"
#include "grin/text/tokenizer_settings.h"

namespace grin {
namespace {

constexpr std::string_view kQa = "Question: {prompt}\nAnswer: {response}";
constexpr std::string_view kRaw = "{prompt}{response}";
constexpr int64_t kTheirLongest = 512;  // max_length of OpenUnlearning's sets of questions
constexpr std::string_view kPromptMark = "{prompt}";
constexpr std::string_view kResponseMark = "{response}";

std::string_view WithoutRoom(std::string_view message) {
  const size_t room = message.starts_with('[') ? message.find("] ") : std::string_view::npos;
  return room == std::string_view::npos ? message : message.substr(room + 2);
}

// Runs `work` on a record: what is wrong with its text names it.
template <typename Work>
auto OfRecord(const std::string& where, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kBadInput || where.empty()) throw;
    BadInput("data", "{}: {}", where, WithoutRoom(error.what()));
  }
}

ReadSideFile SideFilesOf(const Checkpoint& checkpoint) {
  return [&](std::string_view name) { return checkpoint.SideText(name); };
}

}  // namespace

Encoder::Encoder(const Checkpoint& checkpoint, const ModelConfig& config,
                 const EncodeOptions& options)
    : tokenizer_(Tokenizer::FromFiles(SideFilesOf(checkpoint), checkpoint.path().string(),
                                      config.vocabulary)),
      system_prompt_(options.system_prompt) {
  if (tokenizer_.size() > config.vocabulary) {
    BadInput("data",
             "{}: the tokenizer has ids up to {}, the model's vocab_size is {}; they do not "
             "belong together",
             checkpoint.path().string(), tokenizer_.size() - 1, config.vocabulary);
  }
  max_length_ =
      options.max_length > 0 ? std::min(options.max_length, config.context) : config.context;
  if (!options.compat.empty() && options.compat != "open-unlearning") {
    BadUsage("data", "--compat '{}' is not known; the only one is open-unlearning", options.compat);
  }
  open_unlearning_ = !options.compat.empty();
  positions_ = config.ropes.empty() ? config.context : std::numeric_limits<int64_t>::max();
  cut_ = std::min(options.max_length > 0 ? options.max_length : kTheirLongest, positions_ - 1);

  const std::string where = checkpoint.path().string();
  const Json tokenizer_config = ReadTokenizerConfig(SideFilesOf(checkpoint), where);
  // The default of transformers 4, which OpenUnlearning pins.
  cleans_spaces_ = JsonFields(tokenizer_config, where + "/tokenizer_config.json")
                       .Bool("clean_up_tokenization_spaces", true);

  const std::string& name = template_name_ = options.template_name;
  if (name.empty() || name == "chat") {
    chat_ = ChatTemplate::FromFiles(SideFilesOf(checkpoint), tokenizer_config, where);
    if (!chat_ && name == "chat") {
      BadInput("data", "{}: has no chat template; use --template qa, raw or FILE", where);
    }
    if (!chat_) pattern_ = kQa;
  } else if (name == "qa") {
    pattern_ = kQa;
  } else if (name == "raw") {
    pattern_ = kRaw;
  } else {
    const std::string text = ReadFile(name);
    if (text.find(kPromptMark) != std::string::npos &&
        text.find(kResponseMark) != std::string::npos) {
      pattern_ = text;
      if (pattern_.ends_with('\n')) pattern_.pop_back();  // the file's own last line end
    } else if (text.find("{%") != std::string::npos || text.find("{{") != std::string::npos) {
      chat_ = ChatTemplate::FromText(text, tokenizer_config, name);
    } else {
      BadInput("data",
               "{}: is no template: it needs {{prompt}} and {{response}}, or must be a Jinja "
               "chat template",
               name);
    }
  }
  if (template_name_.empty()) template_name_ = chat_ ? "chat" : "qa";
  const auto need_chat = [&](const std::string& value, const char* flag) {
    if (chat_ || value.empty()) return;
    BadUsage("data", "{} needs a chat template; the template here is {}", flag, template_name_);
  };
  need_chat(system_prompt_, "--system-prompt");
  need_chat(options.template_variables, "--template-variables");
  const Json variables = ParseTemplateVariables(options.template_variables);
  for (const auto& [name, value] : variables.items()) chat_->SetVariable(name, value);
  FindEndTokens(checkpoint, config, tokenizer_config);
}

void Encoder::FindEndTokens(const Checkpoint& checkpoint, const ModelConfig& config,
                            const Json& tokenizer_config) {
  const auto id_of = [&](const char* key) {
    const auto text = SpecialTokenText(tokenizer_config, key);
    return text ? tokenizer_.IdOf(*text) : std::nullopt;
  };
  const auto add = [&](int32_t id) {
    if (!std::ranges::count(end_tokens_, id)) end_tokens_.push_back(id);
  };
  const auto end = id_of("eos_token"), padding = id_of("pad_token");
  padding_token_ = padding ? padding : end;
  if (end) add(*end);
  std::ranges::for_each(config.end_tokens, add);
  const std::string where = checkpoint.path().string() + "/generation_config.json";
  const Json generation =
      ReadSideObject(SideFilesOf(checkpoint), "generation_config.json", checkpoint.path().string());
  const auto named = JsonFields(generation, where).TokenIds("eos_token_id");
  std::ranges::for_each(named, add);
  // The token that closes an answer in the chat template ends generation as well.
  if (const auto closing = chat_ ? ClosingToken() : std::nullopt) add(*closing);
  stop_tokens_ = end_tokens_;
  if (!open_unlearning_) return;
  stop_tokens_ = generation.empty() ? config.end_tokens : named;
  ReadGenerationConfig(generation, where);
}

std::optional<int32_t> Encoder::ClosingToken() const {
  // A template may insist on a system turn, or on more than one question.
  const Message system = {"system", "x"}, user = {"user", "x"}, assistant = {"assistant", "x"};
  std::string why;
  for (const auto& turns : {std::vector{user}, {system, user}, {user, assistant, user}}) {
    try {
      const Rendered rendered = RenderChat({.prompt = "x", .response = "x", .turns = turns});
      const Encoding encoding = tokenizer_.Encode(rendered.text, /*add_special_tokens=*/false);
      const auto [begin, end] = ClosingTokens(rendered, encoding);
      if (begin == end) return std::nullopt;
      return encoding.ids[end - 1];
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kBadInput) throw;
      if (why.empty()) why = WithoutRoom(error.what());
    }
  }
  Warn("no token is known that closes an answer, besides those that the model's files name: {}",
       why);
  return std::nullopt;
}

std::string Encoder::DescribeTemplate() const {
  return chat_ ? fmt::format("{} ({})", template_name_, chat_->family()) : template_name_;
}

Encoder::Rendered Encoder::Render(const Example& example) const {
  const std::string &prompt = example.prompt, &response = example.response;
  Rendered rendered;
  if (example.is_text()) {  // plain text takes no template
    rendered.text = response;
    rendered.response_end = static_cast<int64_t>(response.size());
    return rendered;
  }
  if (chat_) return RenderChat(example);
  rendered.text = pattern_;
  // The response first, so that a prompt with "{response}" in it stays as it is.
  size_t at = rendered.text.find(kResponseMark);
  const size_t prompt_at = rendered.text.find(kPromptMark);
  rendered.text.replace(at, kResponseMark.size(), response);
  rendered.text.replace(prompt_at + (prompt_at > at ? response.size() - kResponseMark.size() : 0),
                        kPromptMark.size(), prompt);
  if (prompt_at < at) at += prompt.size() - kPromptMark.size();
  rendered.response_begin = static_cast<int64_t>(at);
  rendered.response_end = static_cast<int64_t>(at + response.size());
  rendered.prompt = rendered.text.substr(0, at);
  return rendered;
}

std::vector<Message> Encoder::TurnsBefore(const Example& example) const {
  std::vector<Message> messages = example.turns;
  if (messages.empty()) messages.push_back({"user", example.prompt});
  if (!system_prompt_.empty() && messages.front().role != "system") {
    messages.insert(messages.begin(), {"system", system_prompt_});
  }
  return messages;
}

Encoder::Rendered Encoder::RenderPrompt(const Example& example) const {
  Example asked = {.prompt = example.prompt, .turns = example.turns};
  if (example.is_text()) asked.prompt = example.response;
  if (!chat_) {
    asked.response = "x";
    return Render(asked);
  }
  return {.prompt = chat_->Render(TurnsBefore(asked), /*add_generation_prompt=*/true),
          .add_special = false};  // a chat template writes its own first token
}

Encoder::Rendered Encoder::RenderChat(const Example& example) const {
  Rendered rendered = RenderPrompt({.prompt = example.prompt, .turns = example.turns});
  std::vector<Message> messages = TurnsBefore(example);
  messages.push_back({"assistant", example.response});
  rendered.text = chat_->Render(messages, /*add_generation_prompt=*/false);
  size_t begin = rendered.prompt.size();
  // Where the finished chat does not simply continue the prompt, it is compared with one that has
  // another answer: the two part where the answer begins. White space in front of an answer may be
  // its own or the template's.
  const std::string_view answer = example.response;
  if (!rendered.text.starts_with(rendered.prompt) ||
      !std::string_view(rendered.text).substr(begin).starts_with(answer) ||
      Trimmed(answer.substr(0, 1)).empty()) {
    messages.back().content = OtherAnswer(example.response);
    try {
      const std::string other = chat_->Render(messages, /*add_generation_prompt=*/false);
      begin = std::ranges::mismatch(rendered.text, other).in1 - rendered.text.begin();
    } catch (const Error& error) {  // a template that is particular about answers
      if (error.error_class() != ErrorClass::kBadInput) throw;
      begin = rendered.text.rfind(answer);
      if (begin == std::string::npos) begin = rendered.text.rfind(Trimmed(answer));
      begin = std::min(begin, rendered.text.size());
    }
  }
  const std::optional<ShownAnswer> shown =
      FindShown(std::string_view(rendered.text).substr(begin), answer);
  if (!shown) {
    BadInput("data",
             "the chat template does not show the answer '{}' as it is; give another template by "
             "--template",
             Printable(example.response, 100));
  }
  rendered.response_begin = static_cast<int64_t>(begin);
  rendered.response_end = static_cast<int64_t>(begin + shown->length);
  rendered.trimmed = static_cast<int64_t>(shown->trimmed);
  return rendered;
}

std::pair<int64_t, int64_t> Encoder::WithinResponse(const Rendered& rendered,
                                                    std::pair<int64_t, int64_t> span) {
  const int64_t before = rendered.response_begin - rendered.trimmed;
  return {std::max(span.first, rendered.response_begin) - before,
          std::min(span.second, rendered.response_end) - before};
}

std::pair<size_t, size_t> Encoder::ClosingTokens(const Rendered& rendered,
                                                 const Encoding& encoding) const {
  size_t begin = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [from, to] = encoding.spans[i];
    if (from < rendered.response_end && to > rendered.response_begin) begin = i + 1;
  }
  for (size_t i = begin; i < encoding.ids.size(); ++i) {
    const int32_t id = encoding.ids[i];
    if (tokenizer_.IsSpecial(id) || std::ranges::count(end_tokens_, id)) return {begin, i + 1};
    const auto [from, to] = encoding.spans[i];
    if (!IsBlank(std::string_view(rendered.text).substr(from, to - from))) break;
  }
  return {begin, begin};
}

Sequence Encoder::EncodeRendered(const Rendered& rendered) const {
  if (open_unlearning_) return EncodeAsOpenUnlearning(rendered);
  const Encoding encoding = tokenizer_.Encode(rendered.text, rendered.add_special);
  Sequence sequence;
  sequence.tokens = encoding.ids;
  size_t last = 0;  // one behind the response's last token
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [begin, end] = encoding.spans[i];
    if (begin >= rendered.response_end || end <= rendered.response_begin) continue;
    last = i + 1;
    if (i == 0) continue;  // nothing predicts the first token
    sequence.labels.push_back(static_cast<int32_t>(i));
    sequence.label_spans.push_back(WithinResponse(rendered, {begin, end}));
  }
  // What follows the response: its end token, or nothing that is scored.
  const auto [closing, end] = ClosingTokens(rendered, encoding);
  sequence.tokens.resize(closing < end ? end : last);
  if (closing == end && !end_tokens_.empty()) sequence.tokens.push_back(end_tokens_.front());
  for (size_t i = std::max<size_t>(last, 1); i < sequence.tokens.size(); ++i) {
    sequence.labels.push_back(static_cast<int32_t>(i));
    sequence.label_spans.emplace_back(-1, -1);
  }
  sequence.label_weights.assign(sequence.labels.size(), 1.0f);
  return sequence;
}

Sequence Encoder::Encode(const Example& example) const {
  Sequence sequence = OfRecord(example.where, [&] { return EncodeRendered(Render(example)); });
  sequence.where = example.where;
  // Under --compat only what the model has no positions for is left to cut here.
  const int64_t longest = open_unlearning_ && !example.is_text() ? positions_ : max_length_;
  if (sequence.length() > longest) {
    sequence.truncated = true;
    sequence.tokens.resize(longest);
    while (!sequence.labels.empty() && sequence.labels.back() >= longest) {
      sequence.labels.pop_back();
      sequence.label_spans.pop_back();
      sequence.label_weights.pop_back();
    }
  }
  return sequence;
}

std::vector<Sequence> Encoder::EncodeWindows(const Example& example) const {
  Sequence whole = OfRecord(example.where, [&] { return EncodeRendered(Render(example)); });
  whole.where = example.where;
  if (whole.length() <= max_length_ || whole.labels.empty()) return {std::move(whole)};
  // What every window begins with, and the first token that is scored.
  const bool special = tokenizer_.IsSpecial(whole.tokens.front());
  int64_t begin = whole.labels.front();
  const int64_t lead = special ? begin : 1;
  if (lead >= max_length_) return {Encode(example)};
  // An end token alone says nothing about the text.
  const bool closed = !end_tokens_.empty() && whole.tokens.back() == end_tokens_.front();
  const int64_t text_end = whole.length() - (closed ? 1 : 0);
  std::vector<Sequence> windows;
  size_t label = 0;
  while (begin < text_end) {
    const int64_t end = std::min(begin + max_length_ - lead, whole.length());
    Sequence window;
    window.where = example.where;
    const auto at = [&](int64_t index) { return whole.tokens.begin() + index; };
    window.tokens.assign(at(special ? 0 : begin - lead), at(special ? lead : begin));
    window.tokens.insert(window.tokens.end(), at(begin), at(end));
    for (; label < whole.labels.size() && whole.labels[label] < end; ++label) {
      window.labels.push_back(static_cast<int32_t>(whole.labels[label] - begin + lead));
      window.label_spans.push_back(whole.label_spans[label]);
    }
    window.label_weights.assign(window.labels.size(), 1.0f);
    windows.push_back(std::move(window));
    begin = end;
  }
  return windows;
}

std::vector<Sequence> Encoder::EncodeAll(const std::vector<Example>& examples) const {
  std::vector<std::vector<Sequence>> encoded(examples.size());
  at::parallel_for(0, static_cast<int64_t>(examples.size()), 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (examples[i].is_text()) {
        encoded[i] = EncodeWindows(examples[i]);
      } else {
        encoded[i].push_back(Encode(examples[i]));
      }
    }
  });
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < encoded.size(); ++i) {
    for (Sequence& sequence : encoded[i]) {
      sequence.example = static_cast<int64_t>(i);
      sequences.push_back(std::move(sequence));
    }
  }
  const auto truncated = std::ranges::count(sequences, true, &Sequence::truncated);
  if (truncated > 0) {
    const auto first = std::ranges::find(sequences, true, &Sequence::truncated);
    WarnOfCut(truncated, sequences.size(), longest_example(), first->where);
  }
  const auto unlabelled = [](const Sequence& s) { return s.labels.empty(); };
  const auto empty = std::ranges::find_if(sequences, unlabelled);
  if (empty != sequences.end()) {
    const std::string where = empty->where;
    const auto dropped = std::erase_if(sequences, unlabelled);
    if (sequences.empty()) {
      BadInput("data",
               "{}: no token of the answer is left within {} tokens, nor in any other record",
               where, longest_example());
    }
    WarnOfLost(static_cast<int64_t>(dropped), longest_example(), where);
  }
  return sequences;
}

std::vector<int32_t> Encoder::EncodePrompt(const std::string& prompt) const {
  return EncodePrompt(Example{.prompt = prompt});
}

std::vector<int32_t> Encoder::EncodePrompt(const Example& example) const {
  return OfRecord(example.where, [&] {
    const Rendered rendered = RenderPrompt(example);
    return open_unlearning_ ? PromptAsOpenUnlearning(rendered) : OpenPrompt(rendered);
  });
}

std::vector<int32_t> Encoder::OpenPrompt(const Rendered& rendered) const {
  const auto encode = [&](const std::string& text) {
    return rendered.add_special ? tokenizer_.EncodeBeginning(text) : tokenizer_.Encode(text, false);
  };
  const std::string& head = rendered.prompt;
  std::vector<int32_t> tokens = encode(head).ids;
  if (head.empty() || !std::isspace(static_cast<unsigned char>(head.back()))) return tokens;
  // Beginnings of answers of several kinds: a small vocabulary may have " T" and no " x".
  for (const char* beginning : {"x", "The", "I", "a", "1"}) {
    const Encoding encoding = encode(head + beginning);
    // A token that reaches into the response is the model's to produce.
    const auto reaches = std::ranges::find_if(encoding.spans, [&](const auto& span) {
      return span.second > static_cast<int64_t>(head.size());
    });
    const auto count = static_cast<size_t>(reaches - encoding.spans.begin());
    if (count < tokens.size()) tokens.assign(encoding.ids.begin(), encoding.ids.begin() + count);
  }
  return tokens;
}

}  // namespace grin
