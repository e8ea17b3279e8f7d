#include "grin/text/byte_level_tokenizer.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "grin/base/error.h"
#include "grin/text/known_patterns.h"

namespace grin {
namespace {

// What the families that share the two files do differently. bos and special tokens count where no
// file names any.
struct ByteLevelFamily {
  std::string_view tokenizer_class;
  std::string_view model_type;
  std::string_view bos = "<|endoftext|>";
  std::string_view eos = "<|endoftext|>";
  bool add_bos = false;
  bool add_eos = false;
  bool composes = false;                          // NFC
  std::string_view words = "";                    // the expression that splits; empty: GPT-2's
  std::array<std::string_view, 3> specials = {};  // besides bos and eos
};
constexpr ByteLevelFamily kGpt2 = {.tokenizer_class = "GPT2Tokenizer", .model_type = "gpt2"};
constexpr ByteLevelFamily kOpt = {.tokenizer_class = "",
                                  .model_type = "opt",
                                  .bos = "</s>",
                                  .eos = "</s>",
                                  .add_bos = true,
                                  .specials = {"<pad>"}};
constexpr ByteLevelFamily kByteLevelFamilies[] = {
    kGpt2,
    kOpt,
    {.tokenizer_class = "CodeGenTokenizer", .model_type = "phi"},
    {.tokenizer_class = "GPTNeoXTokenizer", .model_type = "gpt_neox", .composes = true},
    {.tokenizer_class = "RobertaTokenizer",
     .model_type = "roberta",
     .bos = "<s>",
     .eos = "</s>",
     .add_bos = true,
     .add_eos = true,
     .specials = {"<pad>", "<unk>", "<mask>"}},
    {.tokenizer_class = "Qwen2Tokenizer",
     .model_type = "qwen2",
     .composes = true,
     .words = kQwen2Words},
    {.tokenizer_class = "", .model_type = "qwen3", .composes = true, .words = kQwen2Words},
};

// OPT's vocabulary begins with these; it is RoBERTa's.
bool IsFairseqOrder(const TokenizerFile& file) {
  constexpr std::string_view kFirst[] = {"<s>", "<pad>", "</s>", "<unk>"};
  return std::ranges::all_of(kFirst, [&](const std::string_view& token) {
    return std::ranges::any_of(file.vocabulary, [&](const auto& entry) {
      return entry.first == token && entry.second == &token - kFirst;
    });
  });
}

const ByteLevelFamily& FamilyOf(const TokenizerSettings& settings, const TokenizerFile& file) {
  // GPT2Tokenizer serves OPT as well, so the model type goes first.
  for (const ByteLevelFamily& family : kByteLevelFamilies) {
    if (!settings.model_type.empty() && family.model_type == settings.model_type) return family;
  }
  for (const ByteLevelFamily& family : kByteLevelFamilies) {
    if (!settings.tokenizer_class.empty() && family.tokenizer_class == settings.tokenizer_class) {
      return family;
    }
  }
  const bool is_opt = settings.tokenizer_class.empty() && IsFairseqOrder(file);
  return is_opt ? kOpt : kGpt2;
}

std::vector<std::pair<std::string, std::string>> ParseMerges(std::string_view text,
                                                             const std::string& where) {
  std::vector<std::pair<std::string, std::string>> merges;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      BadInput("text", "{}:{}: is '{}', expected two tokens with a space between", where, number,
               line);
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

Json ByteLevel(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json PreTokenizerOf(const ByteLevelFamily& family, bool add_prefix_space) {
  if (family.words.empty()) return ByteLevel(add_prefix_space, true);
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", family.words}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"},
          {"pretokenizers", Json::array({split, ByteLevel(add_prefix_space, false)})}};
}

}  // namespace

TokenizerFile ByteLevelTokenizer(std::string_view vocabulary, std::string_view merges,
                                 TokenizerSettings settings, const std::string& where) {
  TokenizerFile file;
  file.vocabulary = ParseVocabulary(vocabulary, where + "/vocab.json");
  file.merges = ParseMerges(merges, where + "/merges.txt");
  file.has_vocabulary = file.has_merges = true;
  const ByteLevelFamily& family = FamilyOf(settings, file);
  file.settings["model"] = {{"type", "BPE"}};
  if (family.composes) file.settings["normalizer"] = {{"type", "NFC"}};
  file.settings["pre_tokenizer"] =
      PreTokenizerOf(family, settings.add_prefix_space.value_or(false));
  file.settings["decoder"] = ByteLevel(true, true);
  // A token that the vocabulary lacks would get an id that the model lacks.
  const auto is_known = [&](std::string_view token) {
    return std::ranges::any_of(file.vocabulary,
                               [&](const auto& entry) { return entry.first == token; });
  };
  if (!settings.bos && !settings.eos) {
    for (const std::string_view token : family.specials) {
      if (is_known(token)) settings.AddSpecial(std::string(token));
    }
  }
  const auto name = [&](std::optional<std::string>& token, std::string_view otherwise) {
    if (token || !is_known(otherwise)) return;
    token = otherwise;
    settings.AddSpecial(*token);
  };
  name(settings.bos, family.bos);
  name(settings.eos, family.eos);
  if (!settings.add_bos) settings.add_bos = family.add_bos;
  if (!settings.add_eos) settings.add_eos = family.add_eos;
  WriteSpecialTokens(settings, file);
  return file;
}

}  // namespace grin
