#include "grin/text/added_tokens.h"

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/log.h"
#include "grin/base/utf8.h"
#include "grin/text/character_class.h"

namespace grin {

std::optional<StringFinder::Found> StringFinder::Find(std::string_view text, size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    std::optional<Found> longest;
    int32_t node = strings_.root();
    for (size_t end = begin; end < text.size();) {
      node = strings_.Step(node, text[end++]);
      if (node == ByteTrie::kNone) break;
      const int32_t value = strings_.ValueOf(node);
      if (value != ByteTrie::kNone) longest = Found{begin, end, value};
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

AddedTokens::AddedTokens(const Json* list, const Vocabulary& vocabulary,
                         const Normalizer& normalizer, bool split_special,
                         const std::string& where) {
  if (list == nullptr || list->is_null()) return;
  if (!list->is_array())
    BadInput("text", "{} is {}, expected an array", where, DescribeJson(*list));
  auto next_id = static_cast<int64_t>(vocabulary.count());
  size_t index = 0;
  for (const Json& entry : *list) {
    const JsonFields fields(entry, fmt::format("{}[{}]", where, index++));
    AddedToken token;
    token.content = fields.String("content");
    token.special = fields.Bool("special", false);
    token.normalized = fields.Bool("normalized", !token.special);
    token.single_word = fields.Bool("single_word", false);
    token.lstrip = fields.Bool("lstrip", false);
    token.rstrip = fields.Bool("rstrip", false);
    if (token.content.empty()) continue;
    if (const size_t invalid = FirstInvalidUtf8(token.content); invalid != std::string::npos) {
      BadInput("text", "{} is not UTF-8 at byte {}", fields.WhereOf("content"), invalid);
    }
    std::optional<int32_t> id = IdOf(token.content);
    if (!id) id = vocabulary.IdOf(token.content);
    if (!id) id = static_cast<int32_t>(next_id++);
    if (fields.Find("id") != nullptr && fields.Integer("id") != *id) {
      Warn("{}: token '{}' says it has id {}, but its place in the vocabulary gives it {}",
           fields.where(), token.content, fields.Integer("id"), *id);
    }
    normalized_.erase(*id);  // of an earlier entry for the same token
    if (token.normalized) {
      AlignedText text(token.content, 0, token.content.size());
      normalizer(text);
      if (text.text() != token.content) normalized_[*id] = text.text();
    }
    ids_[token.content] = *id;
    if (token.special) special_.insert(token.content);
    size_ = std::max<int64_t>(size_, *id + 1);
    tokens_[*id] = std::move(token);
  }
  std::vector<int32_t> ordered;
  for (const auto& [id, token] : tokens_) ordered.push_back(id);
  std::sort(ordered.begin(), ordered.end());
  for (const int32_t id : ordered) {
    const AddedToken& token = tokens_.at(id);
    if (token.special && split_special) continue;
    if (token.normalized) {
      in_normalized_.Add(*DecodedForm(id), id);
    } else {
      plain_.Add(token.content, id);
    }
  }
}

void AddedTokens::Extract(const Normalizer& normalizer, Pieces& pieces) const {
  Split(plain_, pieces);
  pieces.ChangeEach([](std::string_view, const Piece&) { return true; }, normalizer);
  Split(in_normalized_, pieces);
}

void AddedTokens::Split(const StringFinder& finder, Pieces& pieces) const {
  if (finder.empty()) return;
  pieces.SplitEach(
      [&](std::string_view text, std::vector<Piece>& parts) { SplitText(finder, text, parts); });
}

void AddedTokens::SplitText(const StringFinder& finder, std::string_view text,
                            std::vector<Piece>& parts) const {
  size_t done = 0;
  size_t from = 0;
  while (const auto found = finder.Find(text, from)) {
    from = found->end;
    size_t begin = found->begin;
    size_t end = found->end;
    const AddedToken& token = tokens_.at(found->value);
    if (token.single_word) {
      size_t before = begin;
      size_t behind = end;
      if (begin > 0 && IsWordCharacter(PreviousCharacter(text, before))) continue;
      if (end < text.size() && IsWordCharacter(NextCharacter(text, behind))) continue;
    }
    if (token.lstrip) {
      for (size_t next = begin; next > 0 && IsWhitespace(PreviousCharacter(text, next));)
        begin = next;
      begin = std::max(begin, done);  // the token before may have taken the white space already
    }
    if (token.rstrip) {
      for (size_t next = end; next < text.size() && IsWhitespace(NextCharacter(text, next));)
        end = next;
    }
    if (done < begin) parts.push_back({0, done, begin});
    parts.push_back({0, begin, end, found->value});
    done = end;
  }
  if (done != text.size()) parts.push_back({0, done, text.size()});
}

std::optional<int32_t> AddedTokens::IdOf(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const AddedToken* AddedTokens::Find(int32_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second;
}

const std::string* AddedTokens::DecodedForm(int32_t id) const {
  if (const auto found = normalized_.find(id); found != normalized_.end()) return &found->second;
  const AddedToken* token = Find(id);
  return token == nullptr ? nullptr : &token->content;
}

bool AddedTokens::IsSpecialContent(std::string_view content) const {
  return special_.contains(std::string(content));
}

}  // namespace grin
