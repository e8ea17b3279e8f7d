#include "grin/text/post_processor.h"

#include <algorithm>
#include <map>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/utf8.h"
#include "grin/text/vocabulary.h"

namespace grin {
namespace {

using EncodedTokens = std::vector<EncodedToken>;
using Process = std::function<void(EncodedTokens&, std::string_view, bool)>;

int32_t IdFromJson(const Json& value, const std::string& where) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
      value.get<int64_t>() > kLargestTokenId) {
    BadInput("text", "{} is {}, expected a token id", where, DescribeJson(value));
  }
  return value.get<int32_t>();
}

// Leaves the white space that a token begins and ends with out of its span. One space in front of
// the text's first token stays when it was added there and is not in the text.
void TrimSpans(EncodedTokens& tokens, std::string_view text, bool add_prefix_space) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    EncodedToken& token = tokens[i];
    if (token.span.begin < 0) continue;
    auto begin = static_cast<size_t>(token.span.begin);
    auto end = static_cast<size_t>(token.span.end);
    uint32_t before = token.spaces_before;
    if (before == 1 && add_prefix_space && (i == 0 || begin == 0)) before = 0;
    for (; before > 0 && begin < end; --before) NextCharacter(text, begin);
    for (uint32_t behind = token.spaces_behind; behind > 0 && end > begin; --behind) {
      PreviousCharacter(text, end);
    }
    token.span = {static_cast<int64_t>(begin), static_cast<int64_t>(end)};
  }
}

// A template is a list of special tokens and the places of the text, e.g. <s> $A </s>.
Process MakeTemplate(const JsonFields& fields) {
  constexpr int32_t kText = -1;
  std::map<std::string, std::vector<int32_t>> special;
  const JsonFields listed(fields.Get("special_tokens"), fields.WhereOf("special_tokens"));
  for (const auto& [name, value] : fields.Get("special_tokens").items()) {
    const JsonFields token(value, listed.WhereOf(name));
    for (const Json& id : token.Array("ids")) {
      special[name].push_back(IdFromJson(id, token.WhereOf("ids")));
    }
  }
  std::vector<int32_t> parts;
  size_t index = 0;
  for (const Json& part : fields.Array("single")) {
    const std::string where = fmt::format("{}[{}]", fields.WhereOf("single"), index++);
    const JsonFields piece(part, where);
    if (piece.Find("Sequence") != nullptr) {
      const JsonFields sequence(piece.Get("Sequence"), piece.WhereOf("Sequence"));
      if (sequence.String("id") != "A") {
        BadInput("text", "{} is '{}', expected 'A' in the template for a single text",
                 sequence.WhereOf("id"), sequence.String("id"));
      }
      parts.push_back(kText);
      continue;
    }
    const JsonFields token(piece.Get("SpecialToken"), piece.WhereOf("SpecialToken"));
    const auto found = special.find(token.String("id"));
    if (found == special.end()) {
      BadInput("text", "{}: the special token '{}' is not in {}", where, token.String("id"),
               listed.where());
    }
    parts.insert(parts.end(), found->second.begin(), found->second.end());
  }
  return [parts](EncodedTokens& tokens, std::string_view, bool add_special_tokens) {
    EncodedTokens result;
    result.reserve(tokens.size() + parts.size());
    for (const int32_t part : parts) {
      if (part == kText) {
        result.insert(result.end(), tokens.begin(), tokens.end());
      } else if (add_special_tokens) {
        result.push_back({part, {-1, -1}});
      }
    }
    tokens = std::move(result);
  };
}

// ["</s>", 2]
int32_t NamedId(const JsonFields& fields, std::string_view field) {
  const Json& pair = fields.Array(field);
  if (pair.size() != 2) {
    BadInput("text", "{} is {}, expected a token and its id", fields.WhereOf(field),
             DescribeJson(pair));
  }
  return IdFromJson(pair[1], fields.WhereOf(field));
}

Process MakeClassifierFrame(const JsonFields& fields) {
  return [first = NamedId(fields, "cls"), last = NamedId(fields, "sep")](
             EncodedTokens& tokens, std::string_view, bool add_special_tokens) {
    if (!add_special_tokens) return;
    tokens.insert(tokens.begin(), {first, {-1, -1}});
    tokens.push_back({last, {-1, -1}});
  };
}

void AddProcesses(const Json& description, const std::string& where, PostProcessor& result,
                  std::vector<Process>& processes) {
  const JsonFields fields(description, where);
  const std::string& type = fields.String("type");
  const auto add_trimming = [&] {
    if (!fields.Bool("trim_offsets", true)) return;
    result.needs_spaces = true;
    processes.push_back([add_prefix_space = fields.Bool("add_prefix_space", true)](
                            EncodedTokens& tokens, std::string_view text, bool) {
      TrimSpans(tokens, text, add_prefix_space);
    });
  };
  if (type == "Sequence") {
    size_t index = 0;
    for (const Json& part : fields.Array("processors")) {
      AddProcesses(part, fmt::format("{}[{}]", fields.WhereOf("processors"), index++), result,
                   processes);
    }
  } else if (type == "TemplateProcessing") {
    processes.push_back(MakeTemplate(fields));
  } else if (type == "ByteLevel") {
    add_trimming();
  } else if (type == "RobertaProcessing") {
    add_trimming();
    processes.push_back(MakeClassifierFrame(fields));
  } else if (type == "BertProcessing") {
    processes.push_back(MakeClassifierFrame(fields));
  } else {
    UnknownType(
        fields, type,
        {"Sequence", "TemplateProcessing", "ByteLevel", "RobertaProcessing", "BertProcessing"});
  }
}

}  // namespace

PostProcessor MakePostProcessor(const Json* description, const std::string& where) {
  PostProcessor result;
  std::vector<Process> processes;
  if (description != nullptr && !description->is_null()) {
    AddProcesses(*description, where, result, processes);
  }
  result.process = [processes](EncodedTokens& tokens, std::string_view text,
                               bool add_special_tokens) {
    for (const Process& process : processes) process(tokens, text, add_special_tokens);
  };
  return result;
}

}  // namespace grin
