#include "grin/text/tokenizer_settings.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/read_json.h"
#include "grin/text/tokenizer_class.h"

namespace grin {
namespace {

constexpr const char* kNamedTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
constexpr const char* kTokenLists[] = {"additional_special_tokens", "extra_special_tokens"};

std::optional<bool> OptionalBool(const JsonFields& fields, std::string_view name) {
  if (fields.Find(name) == nullptr) return std::nullopt;
  return fields.Bool(name, false);
}

// A token as tokenizer_config.json writes it, a string or an object with flags, in the form of
// tokenizer.json; nothing for other values.
std::optional<Json> TokenEntry(const Json& value, bool special) {
  const bool is_object = value.is_object();
  const Json content = is_object ? value.value("content", Json()) : value;
  if (!content.is_string()) return std::nullopt;
  const auto flag = [&](const char* name, bool otherwise) {
    return is_object && value.contains(name) ? value[name] == true : otherwise;
  };
  special = special || flag("special", false);
  return Json{{"content", content},
              {"single_word", flag("single_word", false)},
              {"lstrip", flag("lstrip", false)},
              {"rstrip", flag("rstrip", false)},
              {"normalized", flag("normalized", is_object && !special)},
              {"special", special}};
}

// Tokens, each by its first entry. A list may hold thousands.
struct TokenList {
  Json entries = Json::array();
  std::unordered_set<std::string> contents;

  void Append(Json entry) {
    if (contents.insert(entry["content"].get<std::string>()).second) {
      entries.push_back(std::move(entry));
    }
  }
};

// What the settings name as special.
std::unordered_set<std::string> NamedTokens(const Json& config) {
  std::unordered_set<std::string> named;
  const auto add = [&](const Json& value) {
    if (const auto entry = TokenEntry(value, true)) {
      named.insert((*entry)["content"].get<std::string>());
    }
  };
  for (const char* key : kNamedTokens) {
    if (config.contains(key)) add(config[key]);
  }
  for (const char* key : kTokenLists) {
    if (!config.contains(key) || !config[key].is_structured()) continue;
    for (const Json& value : config[key]) add(value);
  }
  return named;
}

// "added_tokens_decoder": {"50257": {"content": ...}, ...}. What is named elsewhere is special.
void AppendDecoder(const JsonFields& config, const std::unordered_set<std::string>& named,
                   TokenList& list) {
  std::map<int64_t, const Json*> by_id;
  const JsonFields decoder(config.Get("added_tokens_decoder"),
                           config.WhereOf("added_tokens_decoder"));
  for (const auto& [key, value] : config.Get("added_tokens_decoder").items()) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) {
      BadInput("text", "{} has the key '{}', expected a token id", decoder.where(), key);
    }
    by_id[id] = &value;
  }
  for (const auto& [id, value] : by_id) {
    std::optional<Json> entry = TokenEntry(*value, false);
    if (!entry) {
      BadInput("text", "{} is {}, expected a token", decoder.WhereOf(std::to_string(id)),
               DescribeJson(*value));
    }
    const auto content = (*entry)["content"].get<std::string>();
    if ((*entry)["special"] == false && named.contains(content)) {
      entry = TokenEntry(*value, true);
    }
    (*entry)["id"] = id;
    list.Append(std::move(*entry));
  }
}

// added_tokens.json: {"<tool>": 50257, ...}.
void AppendAddedTokens(const Json& added, const std::string& where,
                       const std::unordered_set<std::string>& named, TokenList& list) {
  std::map<int64_t, std::string> by_id;
  for (const auto& [content, id] : added.items()) {
    if (!id.is_number_integer()) {
      BadInput("text", "{}: '{}' is {}, expected a token id", where, content, DescribeJson(id));
    }
    by_id[id.get<int64_t>()] = content;
  }
  for (const auto& [id, content] : by_id) {
    const bool special = named.contains(content);
    list.Append({{"content", content}, {"normalized", !special}, {"special", special}, {"id", id}});
  }
}

std::optional<std::string> ContentOf(const Json& config, const char* key) {
  if (!config.contains(key)) return std::nullopt;
  const std::optional<Json> entry = TokenEntry(config[key], true);
  if (!entry) return std::nullopt;
  return (*entry)["content"].get<std::string>();
}

// Added tokens that the vocabulary lacks have the ids behind it.
int64_t IdOf(const std::string& token, const TokenizerFile& file, const Json& added) {
  std::unordered_map<std::string_view, int64_t> ids(file.vocabulary.begin(), file.vocabulary.end());
  for (const auto& [piece, score] : file.pieces) {
    ids.emplace(piece, static_cast<int64_t>(ids.size()));
  }
  for (const Json& entry : added) {
    ids.emplace(entry["content"].get_ref<const std::string&>(), static_cast<int64_t>(ids.size()));
  }
  const auto found = ids.find(token);
  return found == ids.end() ? -1 : found->second;
}

}  // namespace

Json ReadSideObject(const ReadSideFile& read, std::string_view name, const std::string& where) {
  const std::optional<std::string> text = read(name);
  if (!text) return Json::object();
  const std::string file = fmt::format("{}/{}", where, name);
  Json object = ParseJson(*text, file);
  if (!object.is_object()) BadInput("text", "{}: is not a JSON object", file);
  return object;
}

void TokenizerSettings::AddSpecial(const std::string& content) {
  for (const Json& entry : added_tokens) {
    if (entry["content"] == content) return;
  }
  added_tokens.push_back({{"content", content}, {"normalized", false}, {"special", true}});
}

namespace {

Json ReadWrittenConfig(const ReadSideFile& read, const std::string& where) {
  Json config = ReadSideObject(read, "tokenizer_config.json", where);
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder == config.end() || decoder->is_null()) {
    Json map = ReadSideObject(read, "special_tokens_map.json", where);
    // Its further tokens come on top of those of the configuration.
    const char* more = kTokenLists[0];
    if (config.contains(more) && config[more].is_array() && map.contains(more) &&
        map[more].is_array()) {
      Json both = config[more];
      for (const Json& token : map[more]) {
        if (!std::ranges::count(both, token)) both.push_back(token);
      }
      map[more] = both;
    }
    config.update(map);
  }
  return config;
}

}  // namespace

Json ReadTokenizerConfig(const ReadSideFile& read, const std::string& where) {
  Json config = ReadWrittenConfig(read, where);
  const JsonFields fields(config, where + "/tokenizer_config.json");
  const TokenizerClass& kind = FindTokenizerClass(fields.String("tokenizer_class", ""), "");
  const auto fill = [&](const char* key, std::string_view token) {
    if (!token.empty() && !config.contains(key)) config[key] = token;
  };
  fill("bos_token", kind.bos);
  fill("eos_token", kind.eos);
  fill("unk_token", kind.unknown);
  fill("pad_token", kind.padding);
  return config;
}

std::optional<std::string> SpecialTokenText(const Json& tokenizer_config, const char* key) {
  const auto found = tokenizer_config.find(key);
  if (found == tokenizer_config.end()) return std::nullopt;
  const Json text = found->is_object() ? found->value("content", Json()) : *found;
  return text.is_string() ? std::optional(text.get<std::string>()) : std::nullopt;
}

TokenizerSettings ReadTokenizerSettings(const ReadSideFile& read, const std::string& where) {
  const Json config = ReadWrittenConfig(read, where);
  const Json model_config = ReadSideObject(read, "config.json", where);
  TokenizerSettings settings;
  const std::unordered_set<std::string> named = NamedTokens(config);
  TokenList added;
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder == config.end() || decoder->is_null()) {
    AppendAddedTokens(ReadSideObject(read, "added_tokens.json", where),
                      where + "/added_tokens.json", named, added);
  }
  const JsonFields fields(config, where + "/tokenizer_config.json");
  if (fields.Find("added_tokens_decoder") != nullptr) {
    settings.has_decoder = true;
    AppendDecoder(fields, named, added);
  }
  for (const char* key : kNamedTokens) {
    if (!config.contains(key)) continue;
    if (auto entry = TokenEntry(config[key], true)) added.Append(*std::move(entry));
  }
  for (const char* key : kTokenLists) {
    const auto tokens = config.find(key);
    if (tokens == config.end() || !tokens->is_structured()) continue;
    for (const Json& token : *tokens) {
      if (auto entry = TokenEntry(token, true)) added.Append(*std::move(entry));
    }
  }
  settings.added_tokens = std::move(added.entries);
  const JsonFields model_fields(model_config, where + "/config.json");
  settings.tokenizer_class =
      fields.String("tokenizer_class", model_fields.String("tokenizer_class", ""));
  if (settings.tokenizer_class.ends_with("Fast")) {
    settings.tokenizer_class.resize(settings.tokenizer_class.size() - 4);
  }
  settings.model_type = model_fields.String("model_type", "");
  settings.bos = ContentOf(config, "bos_token");
  settings.eos = ContentOf(config, "eos_token");
  settings.unknown = ContentOf(config, "unk_token");
  settings.add_bos = OptionalBool(fields, "add_bos_token");
  settings.add_eos = OptionalBool(fields, "add_eos_token");
  settings.add_prefix_space = OptionalBool(fields, "add_prefix_space");
  settings.legacy = OptionalBool(fields, "legacy");
  settings.split_special_tokens = fields.Bool("split_special_tokens", false);
  const TokenizerClass& kind = FindTokenizerClass(settings.tokenizer_class, settings.model_type);
  const auto class_token = [&](const char* key, std::string_view token) {
    std::optional<std::string> text;
    if (token.empty() || config.contains(key)) return text;
    settings.class_tokens.push_back(*(text = token));
    return text;
  };
  settings.class_bos = class_token("bos_token", kind.bos);
  settings.class_eos = class_token("eos_token", kind.eos);
  class_token("unk_token", kind.unknown);
  class_token("pad_token", kind.padding);
  return settings;
}

void WriteSpecialTokens(const TokenizerSettings& settings, TokenizerFile& file) {
  file.settings["split_special_tokens"] = settings.split_special_tokens;
  file.settings["added_tokens"] = settings.added_tokens;
  Json special = Json::object();
  Json around = Json::array();
  const auto add = [&](bool wanted, const std::optional<std::string>& token) {
    if (!wanted || !token) return;
    const int64_t id = IdOf(*token, file, settings.added_tokens);
    if (id < 0) return;
    special[*token] = {{"id", *token}, {"ids", {id}}, {"tokens", {*token}}};
    around.push_back({{"SpecialToken", {{"id", *token}, {"type_id", 0}}}});
  };
  add(settings.add_bos.value_or(false), settings.bos);
  around.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add(settings.add_eos.value_or(false), settings.eos);
  file.settings["post_processor"] = {
      {"type", "TemplateProcessing"}, {"single", around}, {"special_tokens", special}};
}

}  // namespace grin
