#include "grin/text/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/text/byte_alphabet.h"
#include "grin/text/word_cache.h"

namespace grin {
namespace {

// Up to this many symbols, looking through all pairs for each merge is faster than a queue.
constexpr size_t kShortWord = 48;

constexpr std::string_view kMark = "\u2581";  // SentencePiece's space

uint64_t Pair(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

uint64_t Scatter(uint64_t pair) {
  pair *= 0x9e3779b97f4a7c15ull;
  return pair ^ pair >> 32;
}

}  // namespace

Bpe::Bpe(Vocabulary known, const std::vector<std::pair<std::string, std::string>>& merges,
         BpeSettings settings, std::string_view where)
    : TokenModel(std::move(known)),
      settings_(std::move(settings)),
      where_(where),
      serial_(WordCache::NewSerial()) {
  merges_.resize(std::bit_ceil(merges.size() * 2 + 2), {0, -1, -1});
  merge_mask_ = merges_.size() - 1;
  std::string merged;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    if (right.size() < settings_.continuing_prefix.size()) {
      BadInput("text",
               "{}: merge {} joins '{}' and '{}', the second is shorter than the prefix '{}'",
               where, rank, left, right, settings_.continuing_prefix);
    }
    merged.assign(left).append(right, settings_.continuing_prefix.size());
    const auto id_of = [&](const std::string& token) {
      const auto id = vocabulary().IdOf(token);
      if (!id) {
        BadInput("text",
                 "{}: merge {} ('{}' with '{}') needs the token '{}', which is not in the "
                 "vocabulary",
                 where, rank, left, right, token);
      }
      return *id;
    };
    const int32_t left_id = id_of(left);
    const int32_t right_id = id_of(right);
    AddMerge(left_id, right_id, static_cast<int32_t>(rank), id_of(merged));
  }
  basic_characters_.assign(0x10000, -1);
  for (int32_t id = 0; id < vocabulary().size(); ++id) {
    const std::string* token = vocabulary().TokenOf(id);
    if (token == nullptr || token->empty() || token->size() > 3) continue;
    size_t position = 0;
    const char32_t character = NextCharacter(*token, position);
    if (position == token->size()) basic_characters_[character] = id;
  }
  PrepareBytes();
  splits_at_marks_ = settings_.continuing_prefix.empty() && settings_.end_of_word_suffix.empty() &&
                     !settings_.ignore_merges && NoTokenHasInnerMark();
}

bool Bpe::NoTokenHasInnerMark() const {
  if (!vocabulary().IdOf(kMark)) return false;  // it could be fused with unknown neighbours
  for (int32_t id = 0; id < vocabulary().size(); ++id) {
    const std::string* token = vocabulary().TokenOf(id);
    if (token == nullptr) continue;
    size_t behind_marks = 0;
    while (token->compare(behind_marks, kMark.size(), kMark) == 0) behind_marks += kMark.size();
    if (token->find(kMark, behind_marks) != std::string::npos) return false;
  }
  return true;
}

void Bpe::PrepareBytes() {
  takes_bytes_ = settings_.continuing_prefix.empty() && settings_.end_of_word_suffix.empty();
  for (int byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = basic_characters_[ByteCharacter(static_cast<uint8_t>(byte))];
    takes_bytes_ = takes_bytes_ && byte_ids_[byte] >= 0;
  }
  if (!takes_bytes_ || !settings_.ignore_merges) return;
  std::string bytes;
  for (int32_t id = 0; id < vocabulary().size(); ++id) {
    const std::string* token = vocabulary().TokenOf(id);
    if (token != nullptr && BytesOfToken(*token, bytes)) byte_words_.emplace(bytes, id);
  }
}

const Bpe::Merge* Bpe::FindMerge(int32_t left, int32_t right) const {
  const uint64_t pair = Pair(left, right);
  for (uint64_t slot = Scatter(pair) & merge_mask_;; slot = (slot + 1) & merge_mask_) {
    const Merge& merge = merges_[slot];
    if (merge.rank < 0) return nullptr;
    if (merge.pair == pair) return &merge;
  }
}

// A pair that is listed twice has its later rank.
void Bpe::AddMerge(int32_t left, int32_t right, int32_t rank, int32_t id) {
  const uint64_t pair = Pair(left, right);
  uint64_t slot = Scatter(pair) & merge_mask_;
  while (merges_[slot].rank >= 0 && merges_[slot].pair != pair) slot = (slot + 1) & merge_mask_;
  merges_[slot] = {pair, rank, id};
}

void Bpe::Tokenize(std::string_view word, Alphabet alphabet, std::vector<WordToken>& tokens) const {
  if (!splits_at_marks_ || alphabet == Alphabet::kBytes)
    return TokenizeWord(word, alphabet, tokens);
  while (!word.empty()) {
    size_t behind_marks = 0;
    while (word.substr(behind_marks).starts_with(kMark)) behind_marks += kMark.size();
    const size_t end = std::min(word.find(kMark, behind_marks), word.size());
    TokenizeWord(word.substr(0, end), alphabet, tokens);
    word.remove_prefix(end);
  }
}

void Bpe::TokenizeWord(std::string_view word, Alphabet alphabet,
                       std::vector<WordToken>& tokens) const {
  if (word.empty()) return;
  WordCache& cache = WordCache::OfThisThread();
  if (cache.Find(serial_, word, tokens)) return;

  std::vector<WordToken> symbols;
  if (settings_.ignore_merges) {
    std::optional<int32_t> whole;
    if (alphabet == Alphabet::kText) {
      whole = vocabulary().IdOf(word);
    } else if (const auto found = byte_words_.find(std::string(word)); found != byte_words_.end()) {
      whole = found->second;
    }
    if (whole) symbols.push_back({*whole, static_cast<int64_t>(word.size())});
  }
  if (symbols.empty()) {
    symbols.reserve(word.size());
    if (alphabet == Alphabet::kBytes) {
      for (const char byte : word) symbols.push_back({byte_ids_[static_cast<uint8_t>(byte)], 1});
    } else {
      SplitCharacters(word, symbols);
    }
    if (symbols.size() <= kShortWord) {
      MergeShort(symbols);
    } else {
      MergeLong(symbols);
    }
  }
  cache.Keep(serial_, word, symbols, 0);
  tokens.insert(tokens.end(), symbols.begin(), symbols.end());
}

std::optional<int32_t> Bpe::IdOfCharacter(std::string_view character) const {
  if (character.size() > 3) return vocabulary().IdOf(character);
  size_t position = 0;
  const int32_t id = basic_characters_[NextCharacter(character, position)];
  return id >= 0 ? std::optional(id) : std::nullopt;
}

void Bpe::SplitCharacters(std::string_view word, std::vector<WordToken>& tokens) const {
  const std::string& prefix = settings_.continuing_prefix;
  const std::string& suffix = settings_.end_of_word_suffix;
  std::optional<WordToken> unknown;  // not yet appended, because it may be fused
  std::string affixed;
  for (size_t position = 0; position < word.size();) {
    const size_t start = position;
    NextCharacter(word, position);
    std::string_view character = word.substr(start, position - start);
    const auto length = static_cast<int64_t>(character.size());
    std::optional<int32_t> id;
    const bool has_prefix = start > 0 && !prefix.empty();
    const bool has_suffix = position == word.size() && !suffix.empty();
    if (has_prefix || has_suffix) {
      affixed.assign(has_prefix ? prefix : "").append(character).append(has_suffix ? suffix : "");
      character = affixed;
      id = vocabulary().IdOf(character);
    } else {
      id = IdOfCharacter(character);
    }
    if (id) {
      if (unknown) tokens.push_back(*unknown);
      unknown.reset();
      tokens.push_back({*id, length});
      continue;
    }
    if (settings_.byte_fallback) {
      std::vector<WordToken> bytes;
      for (const char byte : character) {
        const auto byte_id =
            vocabulary().IdOf(fmt::format("<0x{:02X}>", static_cast<uint8_t>(byte)));
        if (byte_id) bytes.push_back({*byte_id, 1});
      }
      if (bytes.size() == character.size()) {
        // A pending unknown token stays pending: it comes out behind these bytes, as in the
        // reference implementation.
        tokens.insert(tokens.end(), bytes.begin(), bytes.end());
        continue;
      }
    }
    if (!settings_.unknown_token) continue;  // the character is dropped
    if (unknown && settings_.fuse_unknown) {
      unknown->length += length;
      continue;
    }
    if (unknown) tokens.push_back(*unknown);
    const auto unknown_id = vocabulary().IdOf(*settings_.unknown_token);
    if (!unknown_id) {
      BadInput("text",
               "{}: the text has '{}', which the vocabulary lacks, and the vocabulary has no "
               "unknown token '{}' either",
               where_, character, *settings_.unknown_token);
    }
    unknown = WordToken{*unknown_id, length};
  }
  if (unknown) tokens.push_back(*unknown);
}

void Bpe::MergeShort(std::vector<WordToken>& tokens) const {
  const Merge* merges[kShortWord];  // of token i with its right neighbour
  size_t count = tokens.size();
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = FindMerge(tokens[i].id, tokens[i + 1].id);
  while (true) {
    const Merge* best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (merges[i] != nullptr && (best == nullptr || merges[i]->rank < best->rank)) {
        best = merges[i];
        at = i;
      }
    }
    if (best == nullptr) break;
    tokens[at].id = best->id;
    tokens[at].length += tokens[at + 1].length;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    --count;
    for (size_t i = at + 1; i + 1 < count; ++i) merges[i] = merges[i + 1];
    if (at + 1 < count) merges[at] = FindMerge(tokens[at].id, tokens[at + 1].id);
    if (at > 0) merges[at - 1] = FindMerge(tokens[at - 1].id, tokens[at].id);
  }
}

// The same with a queue of candidates, O(n log n): a text without spaces to split at is one word.
void Bpe::MergeLong(std::vector<WordToken>& tokens) const {
  struct Candidate {
    int32_t rank;
    int32_t id;
    size_t at;
    bool operator<(
        const Candidate& other) const {  // the largest is the next: lowest rank, leftmost
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  constexpr size_t kNone = static_cast<size_t>(-1);
  const size_t count = tokens.size();
  std::vector<size_t> before(count);
  std::vector<size_t> after(count);
  std::vector<Candidate> first;
  for (size_t i = 0; i < count; ++i) {
    before[i] = i - 1;  // kNone for the first
    after[i] = i + 1 < count ? i + 1 : kNone;
    if (i + 1 == count) break;
    if (const Merge* merge = FindMerge(tokens[i].id, tokens[i + 1].id)) {
      first.push_back({merge->rank, merge->id, i});
    }
  }
  std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(first));
  const auto push = [&](size_t at) {
    const Merge* merge = FindMerge(tokens[at].id, tokens[after[at]].id);
    if (merge != nullptr) queue.push({merge->rank, merge->id, at});
  };
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const size_t right = after[top.at];
    if (tokens[top.at].length == 0 || right == kNone) continue;
    // The pair may have changed since it was queued.
    const Merge* merge = FindMerge(tokens[top.at].id, tokens[right].id);
    if (merge == nullptr || merge->id != top.id) continue;
    tokens[top.at].id = top.id;
    tokens[top.at].length += tokens[right].length;
    tokens[right].length = 0;
    after[top.at] = after[right];
    if (after[top.at] != kNone) before[after[top.at]] = top.at;
    if (before[top.at] != kNone) push(before[top.at]);
    if (after[top.at] != kNone) push(top.at);
  }
  std::erase_if(tokens, [](const WordToken& token) { return token.length == 0; });
}

}  // namespace grin
