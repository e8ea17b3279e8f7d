#include "grin/gguf/vocabulary.h"

#include <cmath>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

std::vector<std::string_view> Strings(const GgufFile& file, const std::string& key) {
  std::vector<std::string_view> strings;
  const std::vector<GgufValue>* array = file.Array(key);
  if (!array) return strings;
  strings.reserve(array->size());
  for (const GgufValue& value : *array) {
    const auto* text = std::get_if<std::string_view>(&value.value);
    if (!text || !IsUtf8(*text)) {
      BadInput("io", "{}: element {} of '{}' is not UTF-8 text", file.path(), strings.size(), key);
    }
    strings.push_back(*text);
  }
  return strings;
}

// The elements of a numeric array as long as `count`; empty when absent.
std::vector<double> Numbers(const GgufFile& file, const std::string& key, size_t count) {
  std::vector<double> numbers;
  const std::vector<GgufValue>* array = file.Array(key);
  if (!array) return numbers;
  if (array->size() != count) {
    BadInput("io", "{}: '{}' has {} elements, there are {} tokens", file.path(), key, array->size(),
             count);
  }
  for (const GgufValue& value : *array) {
    if (const auto* real = std::get_if<double>(&value.value)) {
      numbers.push_back(*real);
    } else if (const auto* integer = std::get_if<int64_t>(&value.value)) {
      numbers.push_back(static_cast<double>(*integer));
    } else if (const auto* natural = std::get_if<uint64_t>(&value.value)) {
      numbers.push_back(static_cast<double>(*natural));
    } else {
      BadInput("io", "{}: element {} of '{}' is not a number", file.path(), numbers.size(), key);
    }
    if (!std::isfinite(numbers.back())) {
      BadInput("io", "{}: element {} of '{}' is {}", file.path(), numbers.size() - 1, key,
               numbers.back());
    }
  }
  return numbers;
}

std::optional<uint64_t> TokenId(const GgufFile& file, const std::string& key, size_t count) {
  const std::optional<uint64_t> id = file.Unsigned(key);
  if (!id || *id == 0xffffffff) return std::nullopt;  // -1 means none
  if (*id >= count) {
    BadInput("io", "{}: '{}' is {}, there are only {} tokens", file.path(), key, *id, count);
  }
  return id;
}

}  // namespace

GgufVocabulary ReadGgufVocabulary(const GgufFile& file, uint64_t rows) {
  const std::string prefix = "tokenizer.ggml.";
  GgufVocabulary vocabulary;
  vocabulary.model = file.String(prefix + "model").value_or("");
  vocabulary.pre = file.String(prefix + "pre").value_or("");
  vocabulary.tokens = Strings(file, prefix + "tokens");
  const size_t count = vocabulary.tokens.size();
  if (count == 0) BadInput("io", "{}: has no tokens ('{}tokens')", file.path(), prefix);
  if (count > rows) {
    BadInput("io", "{}: the tokenizer has {} tokens, the embedding only {} rows", file.path(),
             count, rows);
  }
  vocabulary.types.assign(count, GgufTokenType::kNormal);
  const std::vector<double> types = Numbers(file, prefix + "token_type", count);
  for (size_t i = 0; i < types.size(); ++i) {
    if (!(types[i] >= 0 && types[i] <= 6)) {
      BadInput("io", "{}: token {} has the unknown type {}", file.path(), i, types[i]);
    }
    if (types[i] >= 1) vocabulary.types[i] = static_cast<GgufTokenType>(static_cast<int>(types[i]));
  }
  vocabulary.scores = Numbers(file, prefix + "scores", count);
  vocabulary.merges = Strings(file, prefix + "merges");
  vocabulary.bos = TokenId(file, prefix + "bos_token_id", count);
  vocabulary.eos = TokenId(file, prefix + "eos_token_id", count);
  vocabulary.unknown = TokenId(file, prefix + "unknown_token_id", count);
  vocabulary.padding = TokenId(file, prefix + "padding_token_id", count);
  vocabulary.end_of_turn = TokenId(file, prefix + "eot_token_id", count);
  vocabulary.add_bos = file.Bool(prefix + "add_bos_token");
  vocabulary.add_eos = file.Bool(prefix + "add_eos_token");
  vocabulary.add_space_prefix = file.Bool(prefix + "add_space_prefix");
  return vocabulary;
}

}  // namespace grin
