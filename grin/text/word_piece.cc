#include "grin/text/word_piece.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/utf8.h"

namespace grin {

WordPiece::WordPiece(Vocabulary known, WordPieceSettings settings, std::string_view where)
    : TokenModel(std::move(known)), settings_(std::move(settings)), where_(where) {
  for (int32_t id = 0; id < vocabulary().size(); ++id) {
    const std::string* token = vocabulary().TokenOf(id);
    if (token != nullptr) longest_token_ = std::max(longest_token_, token->size());
  }
}

void WordPiece::Tokenize(std::string_view word, Alphabet, std::vector<WordToken>& tokens) const {
  const auto characters =
      std::ranges::count_if(word, [](char byte) { return !IsContinuationByte(byte); });
  const size_t before = tokens.size();
  if (characters <= settings_.longest_word && TakeApart(word, tokens)) return;
  tokens.resize(before);
  const auto unknown = vocabulary().IdOf(settings_.unknown_token);
  if (!unknown) {
    BadInput("text", "{}: the word '{}' is unknown, and the vocabulary has no '{}' for such words",
             where_, word, settings_.unknown_token);
  }
  tokens.push_back({*unknown, static_cast<int64_t>(word.size())});
}

// False when some rest of the word begins with no token.
bool WordPiece::TakeApart(std::string_view word, std::vector<WordToken>& tokens) const {
  const size_t prefix = settings_.continuing_prefix.size();
  std::string text = settings_.continuing_prefix + std::string(word);
  for (size_t begin = 0; begin < word.size();) {
    // The prefix is written over what lies before a token that is not the first.
    const size_t lead = begin == 0 ? 0 : prefix;
    if (begin > 0) text.replace(begin, prefix, settings_.continuing_prefix);
    const std::string_view rest = std::string_view(text).substr(begin + prefix - lead);
    size_t end = std::min(rest.size(), longest_token_);
    std::optional<int32_t> id;
    for (; end > lead; --end) {
      if (end < rest.size() && IsContinuationByte(rest[end])) continue;
      if ((id = vocabulary().IdOf(rest.substr(0, end)))) break;
    }
    if (!id) return false;
    tokens.push_back({*id, static_cast<int64_t>(end - lead)});
    begin += end - lead;
  }
  return true;
}

}  // namespace grin
