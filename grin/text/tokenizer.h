#pragma once
// Text to token ids and back, as a tokenizer.json describes it. Ids, decoded text and spans equal
// those of the Hugging Face `tokenizers` package (0.23).

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/base/json.h"
#include "grin/text/tokenizer_file.h"
#include "grin/text/tokenizer_settings.h"
#include "grin/text/vocabulary.h"

namespace grin {

struct TokenizerFile;

struct Encoding {
  std::vector<int32_t> ids;
  // Bytes [begin, end) of the original text behind each token; a token that is part of a character
  // has the whole character. {-1, -1}: the post-processor added the token (<s>, [CLS], ...).
  std::vector<std::pair<int64_t, int64_t>> spans;
};

// Immutable; copies share one state. All members may be called from several threads.
class Tokenizer {
 public:
  // Reads a tokenizer.json, a SentencePiece model, or the tokenizer files of a directory, where the
  // only file whose name ends in "tokenizer.json" counts as that. Error (bad input) when they are
  // missing, malformed, inconsistent, or of a kind that is not supported (the message names what
  // is).
  static Tokenizer Load(const std::filesystem::path& file_or_directory);

  // From the files beside a model, the first of these that is there: tokenizer.json, changed as its
  // class changes it (tokenizer_class.h); tokenizer.model (SentencePiece); vocab.json and
  // merges.txt; vocab.txt (BERT). `where` names their directory. Special tokens that only a setting
  // names get ids below `rows`, or none.
  static Tokenizer FromFiles(const ReadSideFile& read, const std::string& where,
                             int64_t rows = kLargestTokenId);

  // The same from the JSON text itself; `where` names it in messages.
  static Tokenizer FromText(std::string_view json_text, std::string_view where);
  // Slower than FromText on large vocabularies: ordered JSON objects have no index.
  static Tokenizer FromJson(const Json& tokenizer_json, std::string_view where);

  // Truncation and padding that the file may ask for are not applied. Error (bad input) when the
  // text is not UTF-8, naming the byte.
  Encoding Encode(std::string_view text, bool add_special_tokens) const;

  // The same with special tokens, but without those that the tokenizer puts behind a text: for one
  // that goes on.
  Encoding EncodeBeginning(std::string_view text) const;

  // Ids that are not in the vocabulary are left out, invalid byte sequences become U+FFFD.
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  // How many tokens are put in front of a text, and behind it.
  size_t tokens_in_front() const;
  size_t tokens_behind() const;

  // One above the largest id, added tokens included: what a model's embedding must have.
  int64_t size() const;

  std::optional<int32_t> IdOf(std::string_view token) const;

  // The token as the file spells it; empty for an id that is not in use.
  const std::string& TokenOf(int32_t id) const;

  bool IsSpecial(int32_t id) const;

 private:
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  static Tokenizer FromFile(TokenizerFile file, std::string_view where);
  void WarnOfOtherFrame(const TokenizerSettings& settings, const std::string& where) const;

  std::shared_ptr<const State> state_;
};

}  // namespace grin
