#pragma once
// What the small files beside a vocabulary say about it: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json and config.json. Needed where there is no
// tokenizer.json, which says all of it.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "grin/base/json.h"
#include "grin/text/tokenizer_file.h"

namespace grin {

// The text of a file beside the model, by name; nothing where there is none.
using ReadSideFile = std::function<std::optional<std::string>(std::string_view name)>;

struct TokenizerSettings {
  std::string tokenizer_class;  // without "Fast" at its end; empty when not given
  std::string model_type;       // of config.json; empty when not given
  std::optional<std::string> bos, eos, unknown;
  std::optional<bool> add_bos, add_eos, add_prefix_space, legacy;
  // In the form of tokenizer.json's "added_tokens", in the order in which they get their ids.
  Json added_tokens = Json::array();

  // Adds a special token by its text, unless it is there already.
  void AddSpecial(const std::string& content);
};

// The JSON object in a file beside the model; empty where there is none. Error (bad input) when it
// is no object, naming the directory `where`.
Json ReadSideObject(const ReadSideFile& read, std::string_view name, const std::string& where);

// tokenizer_config.json; where it has no added_tokens_decoder, with the tokens of
// special_tokens_map.json in it, as `transformers` has them. Errors as above.
Json ReadTokenizerConfig(const ReadSideFile& read, const std::string& where);

// From those and, where there is no added_tokens_decoder, added_tokens.json. Error (bad input) on a
// wrong type, naming the file in the directory `where`.
TokenizerSettings ReadTokenizerSettings(const ReadSideFile& read, const std::string& where);

// Writes "added_tokens", and a "post_processor" that puts the first and the last token around a
// text where `settings` say that they are added. The vocabulary must stand in `file` already.
void WriteSpecialTokens(const TokenizerSettings& settings, TokenizerFile& file);

}  // namespace grin
