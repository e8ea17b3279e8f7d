#pragma once
// The "Precompiled" normaliser: SentencePiece's own table of replacements, as it stands in its
// model files.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grin/text/normalizer.h"

namespace grin {

// A double-array trie of what is replaced, and the replacements one after the other. Immutable.
class CharacterMap {
 public:
  // From the bytes: size of the trie, trie, replacements that end in 0. Error (bad input) when they
  // are damaged; `where` names them.
  CharacterMap(std::string_view bytes, std::string where);

  // Replaces each cluster of characters of up to 5 bytes whose beginning is listed, else each
  // character of it that is; so the `tokenizers` package does it, of two that fit with the shorter.
  void Apply(AlignedText& text) const;

 private:
  // What stands for `text`; nullptr data when nothing does.
  std::string_view Find(std::string_view text) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
  std::string where_;
};

// From the base64 text that a tokenizer.json has. Error (bad input) when it is damaged.
Normalizer MakeCharacterMap(std::string_view base64, const std::string& where);

}  // namespace grin
