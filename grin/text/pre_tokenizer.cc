#include "grin/text/pre_tokenizer.h"

#include <utility>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/utf8.h"
#include "grin/text/character_class.h"
#include "grin/text/known_patterns.h"
#include "grin/text/normalizer.h"
#include "grin/text/regex.h"
#include "grin/text/split_behavior.h"

namespace grin {
namespace {

using Step = std::function<void(Pieces&)>;

// Steps in order; a null one spells the pieces in the byte-level alphabet.
using Steps = std::vector<Step>;

bool Always(std::string_view, const Piece&) { return true; }

Step SplitAtPattern(Pattern pattern, SplitBehavior behavior, bool invert) {
  return [pattern = std::move(pattern), behavior, invert](Pieces& pieces) {
    pieces.SplitEach([&](std::string_view text, std::vector<Piece>& parts) {
      SplitAround(pattern.FindAll(text), text.size(), behavior, invert, parts);
    });
  };
}

// Every character for which `is_delimiter` holds is a delimiter of its own.
Step SplitAtCharacters(std::function<bool(char32_t)> is_delimiter, SplitBehavior behavior) {
  return [=](Pieces& pieces) {
    pieces.SplitEach([&](std::string_view text, std::vector<Piece>& parts) {
      std::vector<AlignedText::Match> matches;
      for (size_t position = 0; position < text.size();) {
        const size_t start = position;
        if (is_delimiter(NextCharacter(text, position))) matches.push_back({start, position});
      }
      SplitAround(matches, text.size(), behavior, false, parts);
    });
  };
}

// Runs of word characters and runs of all others but white space.
void SplitWords(Pieces& pieces) {
  enum Kind { kSpace, kWord, kOther };
  pieces.SplitEach([](std::string_view text, std::vector<Piece>& parts) {
    Kind previous = kSpace;
    for (size_t position = 0; position < text.size();) {
      const size_t start = position;
      const char32_t character = NextCharacter(text, position);
      const Kind kind = IsWordCharacter(character) ? kWord
                        : IsWhitespace(character)  ? kSpace
                                                   : kOther;
      if (kind != kSpace && kind == previous) {
        parts.back().end = position;
      } else if (kind != kSpace) {
        parts.push_back({0, start, position});
      }
      previous = kind;
    }
  });
}

void SplitFixedLength(Pieces& pieces, int64_t length) {
  pieces.SplitEach([&](std::string_view text, std::vector<Piece>& parts) {
    for (size_t position = 0; position < text.size();) {
      const size_t start = position;
      for (int64_t i = 0; i < length && position < text.size(); ++i) NextCharacter(text, position);
      parts.push_back({0, start, position});
    }
  });
}

void AddByteLevel(const JsonFields& fields, Steps& steps) {
  if (fields.Bool("add_prefix_space", true)) {
    steps.push_back([](Pieces& pieces) {
      pieces.ChangeEach([](std::string_view text, const Piece&) { return !text.starts_with(' '); },
                        [](AlignedText& text) { text.Prepend(" "); });
    });
  }
  if (fields.Bool("use_regex", true)) {
    static const Pattern words = Pattern::Expression(kGpt2Words, "the words of GPT-2");
    steps.push_back(SplitAtPattern(words, SplitBehavior::kIsolated, false));
  }
  steps.push_back(nullptr);
}

void AddMetaspace(const JsonFields& fields, Steps& steps) {
  std::string mark;
  AppendUtf8(mark, fields.Character("replacement"));
  std::string scheme = fields.String("prepend_scheme", "always");
  if (!fields.Bool("add_prefix_space", true)) {
    if (fields.Find("prepend_scheme") != nullptr && scheme != "never") {
      BadInput("text",
               "{}: 'add_prefix_space' is false but 'prepend_scheme' is '{}', expected 'never'",
               fields.where(), scheme);
    }
    scheme = "never";
  }
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    BadInput("text", "{} is '{}', expected always, first or never",
             fields.WhereOf("prepend_scheme"), scheme);
  }
  const Pattern space = Pattern::Literal(" ");
  steps.push_back([=](Pieces& pieces) {
    const auto prepends = [&](std::string_view text, const Piece& piece) {
      if (scheme == "never" || text.starts_with(mark) || text.starts_with(' ')) return false;
      return scheme == "always" || pieces.Origin(piece).begin == 0;
    };
    // The decision needs the piece as it was; marks in front of it do not move the origin.
    pieces.ChangeEach(prepends, [&](AlignedText& text) { text.Prepend(mark); });
    pieces.ChangeEach([](std::string_view text,
                         const Piece&) { return text.find(' ') != std::string_view::npos; },
                      [&](AlignedText& text) { text.Replace(space.FindAll(text.text()), mark); });
  });
  if (fields.Bool("split", true)) {
    steps.push_back(SplitAtPattern(Pattern::Literal(mark), SplitBehavior::kMergedWithNext, false));
  }
}

void AddSteps(const Json& description, const std::string& where, Steps& steps) {
  const JsonFields fields(description, where);
  const std::string& type = fields.String("type");
  if (type == "Sequence") {
    size_t index = 0;
    for (const Json& part : fields.Array("pretokenizers")) {
      AddSteps(part, fmt::format("{}[{}]", fields.WhereOf("pretokenizers"), index++), steps);
    }
  } else if (type == "ByteLevel") {
    AddByteLevel(fields, steps);
  } else if (type == "Metaspace") {
    AddMetaspace(fields, steps);
  } else if (type == "Split") {
    steps.push_back(
        SplitAtPattern(PatternFromJson(fields.Get("pattern"), fields.WhereOf("pattern")),
                       BehaviorFromJson(fields, "behavior"), fields.Bool("invert", false)));
  } else if (type == "Digits") {
    steps.push_back(SplitAtCharacters(IsNumeric, fields.Bool("individual_digits", false)
                                                     ? SplitBehavior::kIsolated
                                                     : SplitBehavior::kContiguous));
  } else if (type == "Punctuation") {
    steps.push_back(SplitAtCharacters(IsPunctuation, fields.Find("behavior") == nullptr
                                                         ? SplitBehavior::kIsolated
                                                         : BehaviorFromJson(fields, "behavior")));
  } else if (type == "Whitespace") {
    steps.push_back(SplitWords);
  } else if (type == "WhitespaceSplit") {
    steps.push_back(SplitAtCharacters(IsWhitespace, SplitBehavior::kRemoved));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(SplitAtCharacters(IsWhitespace, SplitBehavior::kRemoved));
    steps.push_back(SplitAtCharacters(IsPunctuation, SplitBehavior::kIsolated));
  } else if (type == "CharDelimiterSplit") {
    steps.push_back(SplitAtCharacters(
        [delimiter = fields.Character("delimiter")](char32_t c) { return c == delimiter; },
        SplitBehavior::kRemoved));
  } else if (type == "FixedLength") {
    const int64_t length = fields.Find("length") == nullptr ? 5 : fields.Integer("length");
    if (length < 1)
      BadInput("text", "{} is {}, expected 1 or more", fields.WhereOf("length"), length);
    steps.push_back([length](Pieces& pieces) { SplitFixedLength(pieces, length); });
  } else {
    UnknownType(
        fields, type,
        {"Sequence", "ByteLevel", "Metaspace", "Split", "Digits", "Punctuation", "Whitespace",
         "WhitespaceSplit", "BertPreTokenizer", "CharDelimiterSplit", "FixedLength"});
  }
}

}  // namespace

PreTokenizer MakePreTokenizer(const Json* description, const std::string& where) {
  Steps steps;
  if (description != nullptr && !description->is_null()) AddSteps(*description, where, steps);
  PreTokenizer result;
  if (!steps.empty() && steps.back() == nullptr) {
    // The model can take the bytes themselves, which is faster.
    result.to_bytes = true;
    steps.pop_back();
  }
  for (Step& step : steps) {
    if (step == nullptr) {
      step = [](Pieces& pieces) {
        pieces.ChangeEach(Always, [](AlignedText& text) { text.ToByteAlphabet(); });
      };
    }
  }
  result.split = [steps](Pieces& pieces) {
    for (const Step& step : steps) step(pieces);
  };
  return result;
}

}  // namespace grin
