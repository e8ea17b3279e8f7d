#include "grin/text/bert_tokenizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/utf8.h"
#include "grin/text/character_class.h"

namespace grin {
namespace {

using Entries = std::vector<std::pair<std::string, int64_t>>;  // token, id

// The special tokens by role, in the order in which transformers adds them.
constexpr std::pair<const char*, const char*> kRoles[] = {{"unk_token", "[UNK]"},
                                                          {"sep_token", "[SEP]"},
                                                          {"pad_token", "[PAD]"},
                                                          {"cls_token", "[CLS]"},
                                                          {"mask_token", "[MASK]"}};

// Lines without the white space at their end; the number of a line is the token's id.
Entries ReadVocabulary(std::string_view text, const std::string& where) {
  if (const size_t invalid = FirstInvalidUtf8(text); invalid != std::string::npos) {
    BadInput("text", "{}: is not UTF-8 at byte {}", where, invalid);
  }
  Entries vocabulary;
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = std::min(text.find('\n', begin), text.size());
    size_t end = newline;
    for (size_t next = end; next > begin && IsWhitespace(PreviousCharacter(text, next));) {
      end = next;
    }
    vocabulary.emplace_back(text.substr(begin, end - begin),
                            static_cast<int64_t>(vocabulary.size()));
    begin = newline + 1;
  }
  return vocabulary;
}

void CheckClass(const JsonFields& config) {
  constexpr std::array kClasses = {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer",
                                   "MobileBertTokenizer"};
  std::string name = config.String("tokenizer_class", kClasses[0]);
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (std::ranges::find(kClasses, name) != kClasses.end()) return;
  BadInput("text",
           "{} is '{}', and there is no tokenizer.json; a vocab.txt alone is read for {} only",
           config.WhereOf("tokenizer_class"), name, fmt::join(kClasses, ", "));
}

// Added tokens, each content once: the first description counts.
class AddedList {
 public:
  // `token` is a string, or an object with content, lstrip, ... that may say whether it is special.
  void Add(const Json& token, bool special, const std::string& where) {
    const Json entry = token.is_string() ? Json{{"content", token}} : token;
    const std::string& content = JsonFields(entry, where).String("content");
    const auto [place, added] = places_.emplace(content, list_.size());
    if (added) list_.push_back(entry);
    Json& kept = list_[place->second];
    if (special && !kept.contains("special")) kept["special"] = true;
  }
  Json Take() { return std::move(list_); }

 private:
  Json list_ = Json::array();
  std::map<std::string, size_t> places_;
};

// Entries of an object that maps names to ids, or ids to tokens, in the order of the ids.
std::map<int64_t, std::string> KeysById(const JsonFields& fields, const Json& object,
                                        bool keys_are_ids) {
  std::map<int64_t, std::string> keys;
  for (const auto& [key, value] : object.items()) {
    if (!keys_are_ids) {
      keys.emplace(fields.Integer(key), key);
      continue;
    }
    const bool number =
        !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!number) BadInput("text", "{}: '{}' is not a token id", fields.where(), key);
    keys.emplace(std::stoll(key), key);
  }
  return keys;
}

struct SpecialTokens {
  std::map<std::string, Json> by_role;
  std::vector<Json> others;
};

SpecialTokens ReadSpecialTokens(const JsonFields& config, const JsonFields& map) {
  SpecialTokens special;
  for (const auto& [role, usual] : kRoles) {
    special.by_role[role] = usual;
    for (const JsonFields* source : {&config, &map}) {
      if (const Json* token = source->Find(role); token != nullptr) special.by_role[role] = *token;
    }
  }
  for (const JsonFields* source : {&config, &map}) {
    if (source->Find("additional_special_tokens") == nullptr) continue;
    const Json& list = source->Array("additional_special_tokens");
    special.others.assign(list.begin(), list.end());
  }
  return special;
}

}  // namespace

TokenizerFile ReadBertTokenizer(const ReadSideFile& read, const std::string& where) {
  const std::string vocabulary_path = where + "/vocab.txt";
  const std::string map_path = where + "/special_tokens_map.json";
  const std::string added_path = where + "/added_tokens.json";
  const Json config_json = ReadSideObject(read, "tokenizer_config.json", where);
  const JsonFields config(config_json, where + "/tokenizer_config.json");
  CheckClass(config);

  // A list of all added tokens takes the place of the two files that older versions wrote.
  const bool has_list = config.Find("added_tokens_decoder") != nullptr;
  const Json map_json =
      has_list ? Json::object() : ReadSideObject(read, "special_tokens_map.json", where);
  const SpecialTokens special = ReadSpecialTokens(config, JsonFields(map_json, map_path));
  AddedList added;
  if (has_list) {
    const Json& list = config.Get("added_tokens_decoder");
    const JsonFields fields(list, config.WhereOf("added_tokens_decoder"));
    for (const auto& [id, key] : KeysById(fields, list, true)) {
      added.Add(list.at(key), false, fields.WhereOf(key));
    }
  } else {
    const Json list = ReadSideObject(read, "added_tokens.json", where);
    const JsonFields fields(list, added_path);
    for (const auto& [id, key] : KeysById(fields, list, false)) {
      added.Add(key, false, added_path);
    }
  }
  std::map<std::string, std::string> contents;
  for (const auto& [role, usual] : kRoles) {
    const Json& token = special.by_role.at(role);
    added.Add(token, true, config.WhereOf(role));
    contents[role] =
        token.is_string() ? token.get<std::string>() : token.at("content").get<std::string>();
  }
  for (const Json& token : special.others) {
    added.Add(token, true, config.WhereOf("additional_special_tokens"));
  }

  TokenizerFile file;
  file.vocabulary = ReadVocabulary(read("vocab.txt").value_or(""), vocabulary_path);
  file.has_vocabulary = true;
  const auto framing = [&](const char* role) {
    const std::string& content = contents.at(role);
    const auto found = std::find_if(file.vocabulary.rbegin(), file.vocabulary.rend(),
                                    [&](const auto& entry) { return entry.first == content; });
    if (found == file.vocabulary.rend()) {
      BadInput("text", "{}: has no token '{}', which is the {} of this tokenizer", vocabulary_path,
               content, role);
    }
    return Json::array({content, found->second});
  };
  framing("unk_token");
  file.settings = {
      {"added_tokens", added.Take()},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", config.Bool("tokenize_chinese_chars", true)},
        {"lowercase", config.Bool("do_lower_case", true)}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "BertProcessing"}, {"sep", framing("sep_token")}, {"cls", framing("cls_token")}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model", {{"type", "WordPiece"}, {"unk_token", contents.at("unk_token")}}}};
  if (const Json* strip = config.Find("strip_accents"); strip != nullptr) {
    file.settings["normalizer"]["strip_accents"] = *strip;
  }
  return file;
}

}  // namespace grin
