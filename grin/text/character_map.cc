#include "grin/text/character_map.h"

#include <cstring>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/text/base64.h"
#include "grin/text/grapheme.h"

namespace grin {
namespace {

constexpr size_t kLongestCluster = 5;  // bytes

// A unit of the trie (the "darts" layout).
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Value(uint32_t unit) { return unit & 0x7fffffffu; }
uint32_t Label(uint32_t unit) { return unit & 0x800000ffu; }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }

uint32_t LittleEndian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// A part of the text becomes another: the first characters replace one each; more are inserted,
// fewer leave the rest to the last.
void AppendReplacement(std::string_view old_part, std::string_view new_part,
                       std::vector<Edit>& edits) {
  int old_count = 0;
  for (size_t at = 0; at < old_part.size(); ++old_count) NextCharacter(old_part, at);
  int new_count = 0;
  for (size_t at = 0; at < new_part.size(); ++new_count) {
    edits.push_back({NextCharacter(new_part, at), new_count < old_count ? 0 : 1});
  }
  if (new_count < old_count && !edits.empty()) edits.back().change += new_count - old_count;
}

}  // namespace

CharacterMap::CharacterMap(std::string_view bytes, std::string where) : where_(std::move(where)) {
  const size_t size = bytes.size() < 4 ? 0 : LittleEndian(bytes, 0);
  if (size < 4 || size % 4 != 0 || size > bytes.size() - 4) {
    BadInput("text", "{}: a map of {} bytes says that its trie has {}", where_, bytes.size(), size);
  }
  for (size_t at = 4; at < 4 + size; at += 4) units_.push_back(LittleEndian(bytes, at));
  replacements_ = bytes.substr(4 + size);
  if (const size_t invalid = FirstInvalidUtf8(replacements_); invalid != std::string::npos) {
    BadInput("text", "{}: the replacements are not UTF-8 at byte {}", where_, invalid);
  }
}

std::string_view CharacterMap::Find(std::string_view text) const {
  const auto unit_at = [&](uint32_t node) {
    if (node >= units_.size()) {
      BadInput("text", "{}: the trie of {} units points to unit {}", where_, units_.size(), node);
    }
    return units_[node];
  };
  uint32_t node = Offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte == 0) break;
    node ^= byte;
    const uint32_t unit = unit_at(node);
    if (Label(unit) != byte) break;
    node ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    const size_t begin = Value(unit_at(node));
    if (begin >= replacements_.size() || IsContinuationByte(replacements_[begin])) {
      BadInput("text", "{}: a replacement begins at byte {} of {}", where_, begin,
               replacements_.size());
    }
    return std::string_view(replacements_).substr(begin, replacements_.find('\0', begin) - begin);
  }
  return {};
}

void CharacterMap::Apply(AlignedText& text) const {
  const std::string_view old = text.text();
  std::vector<Edit> edits;
  edits.reserve(old.size());
  bool changed = false;
  const auto replace = [&](std::string_view part) {
    const std::string_view replacement = Find(part);
    if (replacement.data() == nullptr) return false;
    AppendReplacement(part, replacement, edits);
    return changed = true;
  };
  for (size_t position = 0; position < old.size();) {
    const size_t end = GraphemeEnd(old, position);
    if (end - position <= kLongestCluster && replace(old.substr(position, end - position))) {
      position = end;
      continue;
    }
    while (position < end) {
      const size_t begin = position;
      const char32_t character = NextCharacter(old, position);
      if (!replace(old.substr(begin, position - begin))) edits.push_back({character, 0});
    }
  }
  if (changed) text.Transform(edits);
}

Normalizer MakeCharacterMap(std::string_view base64, const std::string& where) {
  const std::optional<std::string> bytes = DecodeBase64(base64);
  if (!bytes) BadInput("text", "{} is not base64", where);
  const auto map = std::make_shared<const CharacterMap>(*bytes, where);
  return [map](AlignedText& text) { map->Apply(text); };
}

}  // namespace grin
