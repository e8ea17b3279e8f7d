#pragma once
// What the small files beside a vocabulary say about it: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json and config.json. Without a tokenizer.json they say all
// that the vocabulary does not; with one they may say more than it does (tokenizer_class.h).

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/text/tokenizer_file.h"

namespace grin {

// The text of a file beside the model, by name; nothing where there is none.
using ReadSideFile = std::function<std::optional<std::string>(std::string_view name)>;

struct TokenizerSettings {
  std::string tokenizer_class;  // without "Fast" at its end; empty when not given
  std::string model_type;       // of config.json; empty when not given
  std::optional<std::string> bos, eos, unknown;
  // What the class has where no file says anything of a token, be it null: see tokenizer_class.h.
  std::optional<std::string> class_bos, class_eos;
  std::vector<std::string> class_tokens;  // all of them
  std::optional<bool> add_bos, add_eos, add_prefix_space, legacy;
  bool split_special_tokens = false;  // special tokens are not looked for in texts
  // In the form of tokenizer.json's "added_tokens", in the order in which they get their ids; those
  // of added_tokens_decoder and added_tokens.json with the "id" that stands there.
  Json added_tokens = Json::array();
  bool has_decoder = false;  // whether there is an added_tokens_decoder

  std::optional<std::string> BeginToken() const { return bos ? bos : class_bos; }
  std::optional<std::string> EndToken() const { return eos ? eos : class_eos; }

  // Adds a special token by its text, unless it is there already.
  void AddSpecial(const std::string& content);
};

// The JSON object in a file beside the model; empty where there is none. Error (bad input) when it
// is no object, naming the directory `where`.
Json ReadSideObject(const ReadSideFile& read, std::string_view name, const std::string& where);

// tokenizer_config.json; where it has no added_tokens_decoder, with the tokens of
// special_tokens_map.json in it, as `transformers` has them, and with those that the class which it
// names has where it is silent. Errors as above.
Json ReadTokenizerConfig(const ReadSideFile& read, const std::string& where);

// The text of a special token of tokenizer_config.json, by its key ("eos_token"): a string, or an
// object with "content". nullopt for null, or where there is none.
std::optional<std::string> SpecialTokenText(const Json& tokenizer_config, const char* key);

// From those and, where there is no added_tokens_decoder, added_tokens.json. Error (bad input) on a
// wrong type, naming the file in the directory `where`.
TokenizerSettings ReadTokenizerSettings(const ReadSideFile& read, const std::string& where);

// Writes "added_tokens", and a "post_processor" that puts the first and the last token around a
// text where `settings` say that they are added. The vocabulary must stand in `file` already.
void WriteSpecialTokens(const TokenizerSettings& settings, TokenizerFile& file);

}  // namespace grin
