#include "grin/text/normalizer.h"

#include <vector>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/utf8.h"
#include "grin/text/character_class.h"
#include "grin/text/character_map.h"
#include "grin/text/normal_form.h"
#include "grin/text/regex.h"

namespace grin {
namespace {

// Each character becomes those that `change` appends: the first replaces it, others are inserted.
template <typename Change>
void MapCharacters(AlignedText& text, Change change) {
  std::vector<Edit> edits;
  edits.reserve(text.text().size());
  for (size_t position = 0; position < text.text().size();) {
    change(NextCharacter(text.text(), position), edits);
  }
  text.Transform(edits);
}

template <typename Predicate>
void KeepCharacters(AlignedText& text, Predicate keep) {
  std::vector<Edit> edits;
  size_t removed_in_front = 0;
  const std::string_view old = text.text();
  for (size_t position = 0; position < old.size();) {
    const char32_t character = NextCharacter(old, position);
    if (keep(character)) {
      edits.push_back({character, 0});
    } else if (edits.empty()) {
      ++removed_in_front;
    } else {
      --edits.back().change;
    }
  }
  text.Transform(edits, removed_in_front);
}

void Lowercase(AlignedText& text) {
  MapCharacters(text, [](char32_t character, std::vector<Edit>& edits) {
    const LowerCase lower = ToLowerCase(character);
    edits.push_back({lower.first, 0});
    if (lower.second != 0) edits.push_back({lower.second, 1});
  });
}

void Strip(AlignedText& text, bool left, bool right) {
  const std::string_view old = text.text();
  size_t begin = 0;
  size_t end = old.size();
  for (size_t next = begin; left && next < end && IsWhitespace(NextCharacter(old, next));) {
    begin = next;
  }
  for (size_t next = end; right && next > begin && IsWhitespace(PreviousCharacter(old, next));) {
    end = next;
  }
  if (begin > 0 || end < old.size()) text = AlignedText::Part(text, begin, end);
}

// The cleaning of the neural machine translation models of SentencePiece.
void Nmt(AlignedText& text) {
  KeepCharacters(text, [](char32_t c) {
    return !((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
             c == 0x9f);
  });
  MapCharacters(text, [](char32_t c, std::vector<Edit>& edits) {
    const bool space = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
                       (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xfeff || c == 0xfffd;
    edits.push_back({space ? U' ' : c, 0});
  });
}

bool IsChineseCharacter(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

Normalizer MakeBert(const JsonFields& fields) {
  const bool clean = fields.Bool("clean_text", true);
  const bool chinese = fields.Bool("handle_chinese_chars", true);
  const bool lowercase = fields.Bool("lowercase", true);
  const bool strip_accents = fields.Bool("strip_accents", lowercase);
  return [=](AlignedText& text) {
    if (clean) {
      KeepCharacters(text, [](char32_t c) { return c != 0 && c != 0xfffd && !IsControl(c); });
      MapCharacters(text, [](char32_t c, std::vector<Edit>& edits) {
        edits.push_back({IsWhitespace(c) ? U' ' : c, 0});
      });
    }
    if (chinese) {
      MapCharacters(text, [](char32_t c, std::vector<Edit>& edits) {
        if (!IsChineseCharacter(c)) return edits.push_back({c, 0});
        edits.insert(edits.end(), {{U' ', 0}, {c, 1}, {U' ', 1}});
      });
    }
    if (strip_accents) {
      Normalize(text, NormalForm::kNfd);
      KeepCharacters(text, [](char32_t c) { return !IsNonspacingMark(c); });
    }
    if (lowercase) Lowercase(text);
  };
}

Normalizer MakeNormalizerSequence(const JsonFields& fields) {
  std::vector<Normalizer> steps;
  for (const Json& step : fields.Array("normalizers")) {
    steps.push_back(
        MakeNormalizer(&step, fmt::format("{}[{}]", fields.WhereOf("normalizers"), steps.size())));
  }
  return [steps](AlignedText& text) {
    for (const Normalizer& step : steps) step(text);
  };
}

}  // namespace

Pattern PatternFromJson(const Json& description, const std::string& where) {
  const JsonFields fields(description, where);
  if (fields.Find("String") != nullptr) return Pattern::Literal(fields.String("String"));
  if (fields.Find("Regex") != nullptr) return Pattern::Expression(fields.String("Regex"), where);
  BadInput("text", "{} is {}, expected a 'String' or a 'Regex'", where, DescribeJson(description));
}

Normalizer MakeNormalizer(const Json* description, const std::string& where) {
  if (description == nullptr || description->is_null()) return [](AlignedText&) {};
  const JsonFields fields(*description, where);
  const std::string& type = fields.String("type");
  const auto form = [](NormalForm form) {
    return [form](AlignedText& text) { Normalize(text, form); };
  };
  if (type == "Sequence") return MakeNormalizerSequence(fields);
  if (type == "NFC") return form(NormalForm::kNfc);
  if (type == "NFD") return form(NormalForm::kNfd);
  if (type == "NFKC") return form(NormalForm::kNfkc);
  if (type == "NFKD") return form(NormalForm::kNfkd);
  if (type == "Lowercase") return Lowercase;
  if (type == "Nmt") return Nmt;
  if (type == "BertNormalizer") return MakeBert(fields);
  if (type == "ByteLevel") return [](AlignedText& text) { text.ToByteAlphabet(); };
  if (type == "StripAccents") {
    return [](AlignedText& text) {
      KeepCharacters(text, [](char32_t c) { return !IsCombiningMark(c); });
    };
  }
  if (type == "Strip") {
    return [left = fields.Bool("strip_left", true), right = fields.Bool("strip_right", true)](
               AlignedText& text) { Strip(text, left, right); };
  }
  if (type == "Prepend") {
    return [prefix = fields.String("prepend")](AlignedText& text) { text.Prepend(prefix); };
  }
  if (type == "Replace") {
    return [pattern = PatternFromJson(fields.Get("pattern"), fields.WhereOf("pattern")),
            content = fields.String("content")](AlignedText& text) {
      text.Replace(pattern.FindAll(text.text()), content);
    };
  }
  if (type == "Precompiled") {
    return MakeCharacterMap(fields.String("precompiled_charsmap"),
                            fields.WhereOf("precompiled_charsmap"));
  }
  UnknownType(fields, type,
              {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents",
               "Prepend", "Replace", "Nmt", "ByteLevel", "BertNormalizer", "Precompiled"});
}

}  // namespace grin
