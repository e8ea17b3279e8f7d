#include "grin/gguf/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/base/log.h"
#include "grin/base/printable.h"
#include "grin/gguf/pretokenizer.h"
#include "grin/gguf/vocabulary.h"
#include "grin/io/sentencepiece.h"

namespace grin {
namespace {

constexpr std::string_view kMetaSpace = "\u2581";

using Ids = std::unordered_map<std::string_view, uint64_t>;
using Merge = std::pair<std::string_view, std::string_view>;

// Ids by token, without the unused rows. Of equal tokens the first counts.
Ids IndexTokens(const GgufVocabulary& vocabulary, const std::string& file) {
  Ids ids;
  ids.reserve(vocabulary.tokens.size());
  for (uint64_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.types[id] == GgufTokenType::kUnused) continue;
    const auto [found, added] = ids.emplace(vocabulary.tokens[id], id);
    if (!added) {
      Warn("{}: the tokens {} and {} are both '{}'; text gives the first", file, found->second, id,
           Printable(vocabulary.tokens[id]));
    }
  }
  return ids;
}

// The merges that a byte-level tokenizer lists. Each must make a token.
std::vector<Merge> ListedMerges(const GgufVocabulary& vocabulary, const Ids& ids,
                                const std::string& file) {
  if (vocabulary.merges.empty()) {
    BadInput("io", "{}: a byte-level tokenizer without 'tokenizer.ggml.merges'", file);
  }
  std::vector<Merge> merges;
  merges.reserve(vocabulary.merges.size());
  for (const std::string_view text : vocabulary.merges) {
    const size_t space = text.find(' ', 1);  // the first part may itself begin with one
    const bool split = space != std::string_view::npos && space + 1 < text.size();
    const Merge merge = split ? Merge{text.substr(0, space), text.substr(space + 1)} : Merge{};
    const std::string whole = std::string(merge.first) + std::string(merge.second);
    if (!split || !ids.contains(merge.first) || !ids.contains(merge.second) ||
        !ids.contains(std::string_view(whole))) {
      BadInput("io", "{}: the merge {} '{}' does not join two tokens into a third", file,
               merges.size(), Printable(text));
    }
    merges.push_back(merge);
  }
  return merges;
}

std::vector<Merge> SentencePieceMerges(const GgufVocabulary& vocabulary, const std::string& file) {
  if (vocabulary.scores.empty()) {
    BadInput("io", "{}: a SentencePiece tokenizer without 'tokenizer.ggml.scores'", file);
  }
  std::vector<bool> is_normal;
  for (const GgufTokenType type : vocabulary.types) {
    is_normal.push_back(type == GgufTokenType::kNormal);
  }
  std::vector<Merge> merges;
  for (const auto& [left, right] :
       MergesFromScores(vocabulary.tokens, vocabulary.scores, is_normal)) {
    merges.emplace_back(vocabulary.tokens[left], vocabulary.tokens[right]);
  }
  return merges;
}

Json MergeList(const std::vector<Merge>& merges) {
  // "a b" is read by every version of the tokenizers library, pairs only by newer ones.
  const bool spaces = std::ranges::any_of(merges, [](const Merge& merge) {
    return merge.first.find(' ') != std::string_view::npos ||
           merge.second.find(' ') != std::string_view::npos;
  });
  Json list = Json::array();
  for (const auto& [left, right] : merges) {
    if (spaces) {
      list.push_back(Json::array({left, right}));
    } else {
      list.push_back(fmt::format("{} {}", left, right));
    }
  }
  return list;
}

Json VocabularyObject(const GgufVocabulary& vocabulary, const Ids& ids) {
  Json object = Json::object();
  auto& entries = object.get_ref<Json::object_t&>();
  entries.reserve(ids.size());
  for (uint64_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const auto found = ids.find(vocabulary.tokens[id]);
    // Appended past the map's own check for equal keys, which takes quadratic time.
    if (found != ids.end() && found->second == id) {
      entries.emplace_back(std::string(vocabulary.tokens[id]), id);
    }
  }
  return object;
}

Json AddedTokens(const GgufVocabulary& vocabulary, const Ids& ids) {
  Json list = Json::array();
  for (uint64_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const GgufTokenType type = vocabulary.types[id];
    const bool special = type == GgufTokenType::kControl || type == GgufTokenType::kUnknown;
    if (!special && type != GgufTokenType::kUserDefined) continue;
    const std::string_view token = vocabulary.tokens[id];
    if (token.empty() || ids.at(token) != id) continue;
    list.push_back({{"id", id},
                    {"content", token},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", special}});
  }
  return list;
}

// The post-processor that puts the begin and end tokens around a text; null when neither is wanted.
Json Template(const GgufVocabulary& vocabulary, bool add_bos, bool add_eos) {
  add_bos = add_bos && vocabulary.bos;
  add_eos = add_eos && vocabulary.eos;
  if (!add_bos && !add_eos) return nullptr;
  Json special = Json::object();
  const auto token = [&](uint64_t id, int type_id) {
    const std::string text(vocabulary.tokens[id]);
    special[text] = {{"id", text}, {"ids", Json::array({id})}, {"tokens", Json::array({text})}};
    return Json{{"SpecialToken", {{"id", text}, {"type_id", type_id}}}};
  };
  Json pair = Json::array(), single = Json::array();
  for (const int type_id : {0, 1}) {
    if (add_bos) pair.push_back(token(*vocabulary.bos, type_id));
    pair.push_back({{"Sequence", {{"id", type_id == 0 ? "A" : "B"}, {"type_id", type_id}}}});
    if (add_eos) pair.push_back(token(*vocabulary.eos, type_id));
    if (type_id == 0) single = pair;
  }
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", special}};
}

Json BpeModel(const GgufVocabulary& vocabulary, const Ids& ids, const std::vector<Merge>& merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", VocabularyObject(vocabulary, ids)},
          {"merges", MergeList(merges)}};
}

Json Skeleton(const GgufVocabulary& vocabulary, const Ids& ids) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", AddedTokens(vocabulary, ids)}};
}

Json ByteLevelTokenizer(const GgufVocabulary& vocabulary, const std::string& file) {
  const Ids ids = IndexTokens(vocabulary, file);
  const GgufPreTokenizer pre = FindGgufPreTokenizer(vocabulary.pre, file);
  Json tokenizer = Skeleton(vocabulary, ids);
  tokenizer["normalizer"] = pre.normalizer;
  tokenizer["pre_tokenizer"] = pre.pre_tokenizer;
  tokenizer["post_processor"] = Template(vocabulary, vocabulary.add_bos.value_or(pre.adds_bos),
                                         vocabulary.add_eos.value_or(false));
  tokenizer["decoder"] = {{"type", "ByteLevel"},
                          {"add_prefix_space", true},
                          {"trim_offsets", true},
                          {"use_regex", true}};
  tokenizer["model"] = BpeModel(vocabulary, ids, ListedMerges(vocabulary, ids, file));
  tokenizer["model"]["ignore_merges"] = pre.ignore_merges;
  return tokenizer;
}

Json SentencePieceTokenizer(const GgufVocabulary& vocabulary, const std::string& file) {
  const Ids ids = IndexTokens(vocabulary, file);
  const bool prefix = vocabulary.add_space_prefix.value_or(true);
  Json tokenizer = Skeleton(vocabulary, ids);
  const Json replace{
      {"type", "Replace"}, {"pattern", Json{{"String", " "}}}, {"content", kMetaSpace}};
  tokenizer["normalizer"] = replace;
  if (prefix) {
    tokenizer["normalizer"] = {
        {"type", "Sequence"},
        {"normalizers",
         Json::array({Json{{"type", "Prepend"}, {"prepend", kMetaSpace}}, replace})}};
  }
  tokenizer["pre_tokenizer"] = nullptr;
  tokenizer["post_processor"] =
      Template(vocabulary, vocabulary.add_bos.value_or(true), vocabulary.add_eos.value_or(false));
  Json decoders = Json::array(
      {Json{{"type", "Replace"}, {"pattern", Json{{"String", kMetaSpace}}}, {"content", " "}},
       Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}});
  if (prefix) {
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  tokenizer["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
  tokenizer["model"] = BpeModel(vocabulary, ids, SentencePieceMerges(vocabulary, file));
  std::optional<uint64_t> unknown = vocabulary.unknown;
  if (const auto found = std::ranges::find(vocabulary.types, GgufTokenType::kUnknown);
      !unknown && found != vocabulary.types.end()) {
    unknown = static_cast<uint64_t>(found - vocabulary.types.begin());
  }
  if (unknown) tokenizer["model"]["unk_token"] = vocabulary.tokens[*unknown];
  tokenizer["model"]["fuse_unk"] = true;
  tokenizer["model"]["byte_fallback"] =
      std::ranges::find(vocabulary.types, GgufTokenType::kByte) != vocabulary.types.end();
  return tokenizer;
}

Json TokenizerConfig(const GgufFile& file, const GgufVocabulary& vocabulary) {
  Json config{{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const auto add = [&](const char* key, const std::optional<uint64_t>& id) {
    if (id) config[key] = vocabulary.tokens[*id];
  };
  add("bos_token", vocabulary.bos);
  add("eos_token", vocabulary.eos);
  add("unk_token", vocabulary.unknown);
  add("pad_token", vocabulary.padding);
  config["clean_up_tokenization_spaces"] = false;
  config["model_input_names"] = {"input_ids", "attention_mask"};
  const std::string architecture = file.String("general.architecture").value_or("");
  if (const auto context = file.Unsigned(architecture + ".context_length")) {
    config["model_max_length"] = *context;
  }
  if (const auto chat = file.String("tokenizer.chat_template")) config["chat_template"] = *chat;
  return config;
}

// Chat models end a turn with another token than a text: generation stops at either.
Json GenerationConfig(const GgufVocabulary& vocabulary) {
  Json config = Json::object();
  if (vocabulary.bos) config["bos_token_id"] = *vocabulary.bos;
  if (vocabulary.eos) config["eos_token_id"] = *vocabulary.eos;
  if (vocabulary.eos && vocabulary.end_of_turn && vocabulary.end_of_turn != vocabulary.eos) {
    config["eos_token_id"] = Json::array({*vocabulary.eos, *vocabulary.end_of_turn});
  }
  if (vocabulary.padding) config["pad_token_id"] = *vocabulary.padding;
  return config;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> MakeGgufTokenizerFiles(const GgufFile& file,
                                                                        uint64_t rows) {
  if (file.String("tokenizer.ggml.model") == "none") return {};
  const GgufVocabulary vocabulary = ReadGgufVocabulary(file, rows);
  Json tokenizer;
  if (vocabulary.model == "gpt2") {
    tokenizer = ByteLevelTokenizer(vocabulary, file.path());
  } else if (vocabulary.model == "llama") {
    tokenizer = SentencePieceTokenizer(vocabulary, file.path());
  } else {
    BadInput("io", "{}: the tokenizer model '{}' is not known; known are gpt2, llama", file.path(),
             Printable(vocabulary.model));
  }
  return {{"tokenizer.json", tokenizer.dump(1) + "\n"},
          {"tokenizer_config.json", TokenizerConfig(file, vocabulary).dump(2) + "\n"},
          {"generation_config.json", GenerationConfig(vocabulary).dump(2) + "\n"}};
}

}  // namespace grin
