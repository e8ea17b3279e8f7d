#pragma once
// The few expressions that nearly all byte-level tokenizers split their texts with. PCRE2 compiles
// them to machine code and finds their matches four times as fast as Oniguruma does.

#include <memory>
#include <string_view>

#include "grin/text/regex.h"

namespace grin {

// The words of GPT-2, which the ByteLevel pre-tokenizer splits at; those of Llama 3, SmolLM3, OLMo
// 2 and others that follow OpenAI's cl100k, with up to three digits in a word; and those of Qwen 2
// and 3 and StableLM 2, where each digit stands by itself.
inline constexpr std::string_view kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

// A matcher by PCRE2 for an expression that is, letter by letter, one of the known ones; null for
// any other. `where` names the expression in errors. Both libraries read the known expressions in
// the same way, which a test holds for random texts.
std::shared_ptr<const PatternMatcher> KnownPatternMatcher(std::string_view expression,
                                                          std::string_view where);

}  // namespace grin
