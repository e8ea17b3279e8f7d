#include "grin/gguf/pretokenizer.h"

#include <array>
#include <string>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/printable.h"

namespace grin {
namespace {

enum class Style { kGpt2, kDigits, kLlama3, kQwen2, kTekken };

struct KnownPretokenizer {
  std::string_view name;
  Style style;
};

// Names that are not here may look alike and differ in a detail that shifts every id.
constexpr std::array kTable{
    KnownPretokenizer{"gpt-2", Style::kGpt2},
    KnownPretokenizer{"phi-2", Style::kGpt2},
    KnownPretokenizer{"smollm", Style::kDigits},
    KnownPretokenizer{"starcoder", Style::kDigits},
    KnownPretokenizer{"refact", Style::kDigits},
    KnownPretokenizer{"llama-bpe", Style::kLlama3},
    KnownPretokenizer{"llama3", Style::kLlama3},
    KnownPretokenizer{"llama-v3", Style::kLlama3},
    KnownPretokenizer{"falcon3", Style::kLlama3},
    KnownPretokenizer{"qwen2", Style::kQwen2},
    KnownPretokenizer{"deepseek-r1-qwen", Style::kQwen2},
    KnownPretokenizer{"tekken", Style::kTekken},
};

Json ByteLevel(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json Sequence(Json first) {
  const bool split = first.at("type") == "Split";
  return {{"type", "Sequence"},
          {"pretokenizers", Json::array({std::move(first), ByteLevel(!split)})}};
}

Json Split(std::string_view pattern) {
  return {{"type", "Split"},
          {"pattern", Json{{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

// The patterns of Llama 3 and Qwen 2 differ in how many digits stay together.
std::string Tiktoken(std::string_view digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + std::string(digits) +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

// Mistral's newer tokenizers: words break where lower case turns to upper case.
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

GgufPreTokenizer Make(Style style) {
  switch (style) {
    case Style::kGpt2:
      return {nullptr, ByteLevel(true)};
    case Style::kDigits:
      return {nullptr, Sequence({{"type", "Digits"}, {"individual_digits", true}})};
    case Style::kLlama3:
      return {nullptr, Sequence(Split(Tiktoken(R"(\p{N}{1,3})"))), true, true};
    case Style::kQwen2:
      return {{{"type", "NFC"}}, Sequence(Split(Tiktoken(R"(\p{N})")))};
    case Style::kTekken:
      return {nullptr, Sequence(Split(kTekken)), true, true};
  }
  Defect("io", "a pre-tokenizer style has no definition");
}

// What matters of a component: offsets do not, and files may leave out what is the default.
Json Essence(const Json& component) {
  if (!component.is_object()) return nullptr;
  const std::string type = component.value("type", "");
  if (type == "Sequence") {
    for (const char* list : {"pretokenizers", "normalizers"}) {
      if (!component.contains(list)) continue;
      Json parts = Json::array();
      for (const Json& part : component[list]) parts.push_back(Essence(part));
      return parts.size() == 1 ? parts[0] : parts;
    }
  }
  if (type == "ByteLevel") {
    return {type, component.value("add_prefix_space", true), component.value("use_regex", true)};
  }
  if (type == "Digits") return {type, component.value("individual_digits", false)};
  if (type == "Split") {
    return {type, component.value("pattern", Json()), component.value("behavior", ""),
            component.value("invert", false)};
  }
  return {type};
}

}  // namespace

std::string GgufPreTokenizerName(const Json& normalizer, const Json& pre_tokenizer,
                                 bool ignore_merges) {
  for (const KnownPretokenizer& row : kTable) {
    const GgufPreTokenizer known = Make(row.style);
    if (known.ignore_merges == ignore_merges && Essence(known.normalizer) == Essence(normalizer) &&
        Essence(known.pre_tokenizer) == Essence(pre_tokenizer)) {
      return std::string(row.name);
    }
  }
  return {};
}

GgufPreTokenizer FindGgufPreTokenizer(std::string_view name, std::string_view file) {
  if (name.empty() || name == "default") {
    Warn("{}: names no pre-tokenizer; GPT-2's is used, which may differ from the model's own",
         file);
    return Make(Style::kGpt2);
  }
  std::string known = "default";
  for (const KnownPretokenizer& row : kTable) {
    if (row.name == name) return Make(row.style);
    known += ", " + std::string(row.name);
  }
  BadInput("io", "{}: the pre-tokenizer '{}' is not known; known are {}", file, Printable(name),
           known);
}

}  // namespace grin
