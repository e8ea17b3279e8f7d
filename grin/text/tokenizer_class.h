#pragma once
// What the classes of `transformers` do to a tokenizer.json: the file alone does not say which
// tokens a text is given. Follows versions 4.45 to 4.57, and 5 where only it knows a class.

#include <cstdint>
#include <string>
#include <string_view>

#include "grin/text/tokenizer_file.h"

namespace grin {

struct TokenizerSettings;

struct TokenizerClass {
  std::string_view name;  // without "Tokenizer" and "Fast" at its end

  // Special tokens where tokenizer_config.json is silent; empty: none.
  std::string_view bos, eos, unknown, padding;

  // Whether the class puts the begin and the end token around a text by add_bos_token and
  // add_eos_token, whatever the post-processor of tokenizer.json does.
  enum class Frame { kOfFile, kOfSettings, kOfSettingsIfGiven } frame = Frame::kOfFile;
  bool adds_bos = false;  // where add_bos_token is not given

  // Whether add_prefix_space, false where it is not given, replaces what a byte-level pre-tokenizer
  // says; or, where it is true, what every step says.
  enum class PrefixSpace { kOfFile, kOfSettings, kOnlyOn } prefix_space = PrefixSpace::kOfFile;
};

// The class that tokenizer_config.json or config.json names, else that of the model's type. A row
// that changes nothing where it is not known.
const TokenizerClass& FindTokenizerClass(std::string_view tokenizer_class,
                                         std::string_view model_type);

// Changes a tokenizer.json as the class of `settings` does: adds the special tokens that only the
// settings name, remakes the frame, sets the space in front. Tokens that the vocabulary lacks get
// the ids behind it; those of `rows` or more, for which the model has no row, are left out with a
// warning. `where` names the directory. Error (bad input) where a frame needs a token that there is
// not.
void FollowTokenizerClass(const TokenizerSettings& settings, int64_t rows, const std::string& where,
                          TokenizerFile& file);

}  // namespace grin
