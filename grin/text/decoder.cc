#include "grin/text/decoder.h"

#include <cctype>
#include <string_view>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/utf8.h"
#include "grin/text/byte_alphabet.h"
#include "grin/text/normalizer.h"
#include "grin/text/regex.h"

namespace grin {
namespace {

using TokenTexts = std::vector<std::string>;

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void DecodeByteLevel(TokenTexts& tokens) {
  std::string bytes;
  std::string part;
  for (const std::string& token : tokens) bytes += BytesOfToken(token, part) ? part : token;
  tokens.assign(1, LossyUtf8(bytes));
}

// The byte of <0x41>; -1 for any other token.
int FallbackByte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return -1;
    value = value * 16 +
            (std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

// Runs of byte tokens become text; where they are not UTF-8, each byte becomes U+FFFD.
void DecodeByteFallback(TokenTexts& tokens) {
  TokenTexts result;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (IsUtf8(bytes)) {
      result.push_back(bytes);
    } else {
      result.insert(result.end(), bytes.size(), "\xef\xbf\xbd");
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = FallbackByte(token); byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
      continue;
    }
    flush();
    result.push_back(std::move(token));
  }
  flush();
  tokens = std::move(result);
}

std::string Concatenate(const TokenTexts& tokens, std::string_view between) {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += between;
    text += tokens[i];
  }
  return text;
}

// Removes up to `start` times `content` from the beginning of each token and `stop` times from its
// end.
Decoder MakeStrip(const JsonFields& fields) {
  std::string content;
  AppendUtf8(content, fields.Character("content"));
  return [content, start = fields.Integer("start"),
          stop = fields.Integer("stop")](TokenTexts& tokens) {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (int64_t i = 0; i < start && rest.starts_with(content); ++i)
        rest.remove_prefix(content.size());
      for (int64_t i = 0; i < stop && rest.ends_with(content); ++i)
        rest.remove_suffix(content.size());
      token = std::string(rest);
    }
  };
}

Decoder MakeReplace(const JsonFields& fields) {
  return [pattern = PatternFromJson(fields.Get("pattern"), fields.WhereOf("pattern")),
          content = fields.String("content")](TokenTexts& tokens) {
    for (std::string& token : tokens) {
      std::string replaced;
      size_t done = 0;
      for (const auto& [begin, end] : pattern.FindAll(token)) {
        replaced.append(token, done, begin - done).append(content);
        done = end;
      }
      token = replaced.append(token, done);
    }
  };
}

// The mark becomes a space; in the first token it goes, when it was put there.
Decoder MakeMetaspace(const JsonFields& fields) {
  std::string mark;
  AppendUtf8(mark, fields.Character("replacement"));
  const bool prepended =
      fields.String("prepend_scheme", "always") != "never" && fields.Bool("add_prefix_space", true);
  return [mark, prepended](TokenTexts& tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      ReplaceAll(tokens[i], mark, i == 0 && prepended ? "" : " ");
    }
  };
}

void CleanUpWordPiece(std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) ReplaceAll(text, from, to);
}

Decoder MakeWordPiece(const JsonFields& fields) {
  return [prefix = fields.String("prefix", "##"),
          cleanup = fields.Bool("cleanup", true)](TokenTexts& tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) {
        if (tokens[i].starts_with(prefix)) {
          tokens[i].erase(0, prefix.size());
        } else {
          tokens[i].insert(0, " ");
        }
      }
      if (cleanup) CleanUpWordPiece(tokens[i]);
    }
  };
}

Decoder MakeDecoderSequence(const JsonFields& fields) {
  std::vector<Decoder> steps;
  for (const Json& step : fields.Array("decoders")) {
    steps.push_back(
        MakeDecoder(&step, fmt::format("{}[{}]", fields.WhereOf("decoders"), steps.size())));
  }
  return [steps](TokenTexts& tokens) {
    for (const Decoder& step : steps) step(tokens);
  };
}

}  // namespace

Decoder MakeDecoder(const Json* description, const std::string& where) {
  if (description == nullptr || description->is_null()) {
    return [](TokenTexts& tokens) { tokens.assign(1, Concatenate(tokens, " ")); };
  }
  const JsonFields fields(*description, where);
  const std::string& type = fields.String("type");
  if (type == "Sequence") return MakeDecoderSequence(fields);
  if (type == "ByteLevel") return DecodeByteLevel;
  if (type == "ByteFallback") return DecodeByteFallback;
  if (type == "Metaspace") return MakeMetaspace(fields);
  if (type == "Strip") return MakeStrip(fields);
  if (type == "Replace") return MakeReplace(fields);
  if (type == "WordPiece") return MakeWordPiece(fields);
  if (type == "Fuse") return [](TokenTexts& tokens) { tokens.assign(1, Concatenate(tokens, "")); };
  if (type == "BPEDecoder") {
    return [suffix = fields.String("suffix", "</w>")](TokenTexts& tokens) {
      for (size_t i = 0; i < tokens.size(); ++i) {
        ReplaceAll(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
      }
    };
  }
  UnknownType(fields, type,
              {"Sequence", "ByteLevel", "ByteFallback", "Fuse", "Metaspace", "Replace", "Strip",
               "WordPiece", "BPEDecoder"});
}

}  // namespace grin
