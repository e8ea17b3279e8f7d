#include "grin/text/unigram.h"

#include <algorithm>
#include <limits>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/text/word_cache.h"

namespace grin {
namespace {

// An unknown character scores this much below the rarest piece, as in SentencePiece.
constexpr double kUnknownPenalty = 10;

Vocabulary VocabularyOf(const std::vector<std::pair<std::string, double>>& pieces,
                        const std::string& where) {
  std::vector<std::pair<std::string, int64_t>> entries;
  entries.reserve(pieces.size());
  for (const auto& [piece, score] : pieces) {
    entries.emplace_back(piece, static_cast<int64_t>(entries.size()));
  }
  return Vocabulary(std::move(entries), where);
}

size_t CountBytes(const std::vector<std::pair<std::string, double>>& pieces) {
  size_t bytes = 0;
  for (const auto& [piece, score] : pieces) bytes += piece.size();
  return bytes;
}

}  // namespace

Unigram::Unigram(std::vector<std::pair<std::string, double>> pieces, std::optional<int64_t> unknown,
                 bool byte_fallback, const std::string& where)
    : TokenModel(VocabularyOf(pieces, where)),
      trie_(CountBytes(pieces) / 2),
      where_(where),
      serial_(WordCache::NewSerial()) {
  if (pieces.empty()) BadInput("text", "{}: the vocabulary has no pieces", where);
  const auto count = static_cast<int64_t>(pieces.size());
  if (unknown && (*unknown < 0 || *unknown >= count)) {
    BadInput("text", "{}: unk_id is {}, expected 0 to {}", where, *unknown, count - 1);
  }
  if (unknown) unknown_ = static_cast<int32_t>(*unknown);
  double lowest = std::numeric_limits<double>::infinity();
  scores_.reserve(pieces.size());
  for (const auto& [piece, score] : pieces) {
    scores_.push_back(score);
    lowest = std::min(lowest, score);
    if (const auto id = vocabulary().IdOf(piece)) trie_.Add(piece, *id);
  }
  unknown_score_ = lowest - kUnknownPenalty;
  if (!byte_fallback) return;
  for (int byte = 0; byte < 256; ++byte) {
    byte_ids_.push_back(vocabulary().IdOf(fmt::format("<0x{:02X}>", byte)).value_or(-1));
  }
}

void Unigram::Tokenize(std::string_view word, Alphabet, std::vector<WordToken>& tokens) const {
  if (word.empty()) return;
  WordCache& cache = WordCache::OfThisThread();
  if (cache.Find(serial_, word, tokens)) return;

  thread_local std::vector<Step> steps;
  FindBestSteps(word, steps);
  // The way backwards; neighbouring unknown pieces become one.
  std::vector<std::pair<size_t, size_t>> parts;
  bool joins = false;
  for (size_t end = word.size(); end > 0;) {
    const size_t begin = end - steps[end].length;
    const bool is_unknown = steps[end].id == unknown_;
    if (is_unknown && joins) {
      parts.back().first = begin;
    } else {
      parts.emplace_back(begin, end);
    }
    joins = is_unknown;
    end = begin;
  }
  const size_t first = tokens.size();
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const auto& [begin, end] = *part;
    Append(word.substr(begin, end - begin), steps[end].id, tokens);
  }
  cache.Keep(serial_, word, tokens, first);
}

// steps[p] for every place p between two characters.
void Unigram::FindBestSteps(std::string_view word, std::vector<Step>& steps) const {
  steps.assign(word.size() + 1, Step());
  const auto offer = [&](size_t begin, size_t end, int32_t id, double score) {
    Step& step = steps[end];
    if (step.id >= 0 && !(score > step.score)) return;
    step = {id, static_cast<uint32_t>(end - begin), score};
  };
  for (size_t begin = 0; begin < word.size();) {
    const double score = steps[begin].score;
    size_t next = begin;
    NextCharacter(word, next);
    bool has_character = false;
    int32_t node = trie_.root();
    for (size_t end = begin; end < word.size();) {
      node = trie_.Step(node, word[end++]);
      if (node == ByteTrie::kNone) break;
      const int32_t id = trie_.ValueOf(node);
      if (id == ByteTrie::kNone) continue;
      offer(begin, end, id, scores_[static_cast<size_t>(id)] + score);
      has_character = has_character || end == next;
    }
    if (const Step& step = steps[next];
        !has_character && (step.id < 0 || unknown_score_ + score > step.score)) {
      offer(begin, next, UnknownId(word.substr(begin, next - begin)), unknown_score_ + score);
    }
    begin = next;
  }
}

void Unigram::Append(std::string_view part, int32_t id, std::vector<WordToken>& tokens) const {
  auto length = static_cast<int64_t>(part.size());
  if (id == unknown_) {
    const auto known = vocabulary().IdOf(part);  // the spelling of the unknown piece itself
    const bool has_bytes = !byte_ids_.empty() && std::ranges::none_of(part, [&](char byte) {
      return byte_ids_[static_cast<uint8_t>(byte)] < 0;
    });
    if (!known && has_bytes) {
      for (const char byte : part) {
        tokens.push_back({byte_ids_[static_cast<uint8_t>(byte)], length});
        length = 0;  // all of them stand for the whole part
      }
      return;
    }
    id = known.value_or(id);
  }
  tokens.push_back({id, length});
}

int32_t Unigram::UnknownId(std::string_view text) const {
  if (!unknown_) {
    BadInput("text", "{}: the text has '{}', which the vocabulary lacks, and there is no unk_id",
             where_, text);
  }
  return *unknown_;
}

}  // namespace grin
