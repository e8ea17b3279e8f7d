#include "grin/text/normal_form.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

constexpr int kUnicodeVersion = 9;

bool IsKnown(UChar32 character) {
  UVersionInfo age;
  u_charAge(character, age);
  return age[0] != 0 && age[0] <= kUnicodeVersion;
}

const icu::Normalizer2& Tables(NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* tables = nullptr;
  switch (form) {
    case NormalForm::kNfc:
      tables = icu::Normalizer2::getNFCInstance(status);
      break;
    case NormalForm::kNfd:
      tables = icu::Normalizer2::getNFDInstance(status);
      break;
    case NormalForm::kNfkc:
      tables = icu::Normalizer2::getNFKCInstance(status);
      break;
    case NormalForm::kNfkd:
      tables = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  if (U_FAILURE(status)) Defect("text", "ICU has no normalisation data: {}", u_errorName(status));
  return *tables;
}

struct Item {
  Edit edit;
  uint8_t order;  // canonical combining class
};

uint8_t OrderOf(const icu::Normalizer2& tables, char32_t character) {
  const auto c = static_cast<UChar32>(character);
  const uint8_t order = character < 0x300 ? 0 : tables.getCombiningClass(c);
  return order != 0 && IsKnown(c) ? order : 0;
}

// Full decomposition in canonical order. The marks between two starters are sorted with the change
// they carry: the first character of each original one has 0, the others 1.
std::vector<Item> Decompose(std::string_view text, const icu::Normalizer2& tables) {
  std::vector<Item> items;
  items.reserve(text.size());
  size_t unsorted = 0;  // first item behind the last starter
  const auto sort_marks = [&] {
    std::stable_sort(items.begin() + static_cast<std::ptrdiff_t>(unsorted), items.end(),
                     [](const Item& a, const Item& b) { return a.order < b.order; });
    unsorted = items.size();
  };
  const auto append = [&](char32_t character, int change) {
    const uint8_t order = OrderOf(tables, character);
    if (order == 0) sort_marks();
    items.push_back({{character, change}, order});
  };
  icu::UnicodeString parts;
  for (size_t position = 0; position < text.size();) {
    const char32_t character = NextCharacter(text, position);
    const auto c = static_cast<UChar32>(character);
    if (character < 0x80 || !tables.getDecomposition(c, parts) || !IsKnown(c)) {
      append(character, 0);
      continue;
    }
    for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
      append(static_cast<char32_t>(parts.char32At(i)), i == 0 ? 0 : 1);
    }
  }
  sort_marks();
  return items;
}

std::optional<char32_t> Compose(const icu::Normalizer2& tables, char32_t a, char32_t b) {
  const UChar32 composed = tables.composePair(static_cast<UChar32>(a), static_cast<UChar32>(b));
  if (composed < 0 || !IsKnown(composed)) return std::nullopt;
  return static_cast<char32_t>(composed);
}

// Joins each starter with the marks (or the starter) behind it that nothing blocks.
std::vector<Edit> Recompose(const std::vector<Item>& items, const icu::Normalizer2& tables) {
  std::vector<Edit> edits;
  edits.reserve(items.size());
  std::optional<Edit> starter;
  std::vector<Edit> marks;            // behind the starter, could not be joined
  std::optional<uint8_t> last_order;  // of the last of them
  const auto flush = [&] {
    if (starter) edits.push_back(*starter);
    edits.insert(edits.end(), marks.begin(), marks.end());
    marks.clear();
    last_order.reset();
  };
  for (const auto& [edit, order] : items) {
    if (!starter) {
      if (order == 0) {
        starter = edit;
      } else {
        edits.push_back(edit);
      }
      continue;
    }
    if (!last_order || *last_order < order) {
      if (const auto joined = Compose(tables, starter->character, edit.character)) {
        starter = Edit{*joined, starter->change + edit.change - 1};
        continue;
      }
    }
    if (order == 0) {
      flush();
      starter = edit;
    } else {
      marks.push_back(edit);
      last_order = order;
    }
  }
  flush();
  return edits;
}

}  // namespace

void Normalize(AlignedText& text, NormalForm form) {
  const icu::Normalizer2& tables = Tables(form);
  const std::string_view old = text.text();
  UErrorCode status = U_ZERO_ERROR;
  if (tables.isNormalizedUTF8(icu::StringPiece(old.data(), static_cast<int32_t>(old.size())),
                              status) &&
      U_SUCCESS(status)) {
    return;
  }
  const bool composes = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  std::vector<Item> items = Decompose(old, tables);
  std::vector<Edit> edits;
  if (composes) {
    edits = Recompose(items, Tables(NormalForm::kNfc));
  } else {
    for (const Item& item : items) edits.push_back(item.edit);
  }
  text.Transform(edits);
}

}  // namespace grin
