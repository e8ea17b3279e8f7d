#include "grin/text/sentencepiece_tokenizer.h"

#include <algorithm>
#include <array>
#include <vector>

#include "grin/base/error.h"
#include "grin/io/sentencepiece.h"
#include "grin/text/base64.h"

namespace grin {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";  // stands for a space

// Classes that number the pieces in their own way, in the order of fairseq or with more in front.
constexpr std::array kRenumbering = {
    "Barthez", "BigBird", "Camembert", "DebertaV2", "FNet",       "MBart",
    "MBart50", "MT5",     "Nllb",      "Pegasus",   "PLBart",     "Reformer",
    "T5",      "UMT5",    "XGLM",      "XLNet",     "XLMRoberta",
};

void RefuseRenumbering(const std::string& tokenizer_class, const std::string& where) {
  for (const std::string name : kRenumbering) {
    if (tokenizer_class != name + "Tokenizer") continue;
    BadInput("text",
             "{}: {} numbers its pieces in its own way, which is not supported; save the "
             "tokenizer as tokenizer.json with transformers' save_pretrained",
             where, tokenizer_class);
  }
}

Json Replace(Json pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", content}};
}

// Spaces become marks, with one in front, and back.
void WriteSteps(const SentencePieceModel& model, const TokenizerSettings& settings, Json& json) {
  const bool prefix = settings.add_prefix_space.value_or(model.add_dummy_prefix);
  const bool legacy = settings.legacy.value_or(true);
  Json steps = Json::array();
  if (!model.character_map.empty()) {
    steps.push_back(
        {{"type", "Precompiled"}, {"precompiled_charsmap", EncodeBase64(model.character_map)}});
  }
  if (model.remove_extra_whitespaces) {
    // Not "Strip", which takes all white space.
    steps.push_back(Replace({{"Regex", "\\A +| +\\z"}}, ""));
    steps.push_back(Replace({{"Regex", " {2,}"}}, " "));
  }
  if (legacy) {
    if (prefix) steps.push_back({{"type", "Prepend"}, {"prepend", kSpaceMark}});
    steps.push_back(Replace({{"String", " "}}, kSpaceMark));
  } else {  // the mark at the beginning of the text only, not behind special tokens
    json["pre_tokenizer"] = {{"type", "Metaspace"},
                             {"replacement", kSpaceMark},
                             {"prepend_scheme", prefix ? "first" : "never"},
                             {"split", false}};
  }
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  Json decoders = Json::array({Replace({{"String", kSpaceMark}}, " "),
                               Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}});
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  json["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
}

// The model's own special pieces, with the flags that other files give them, and then theirs.
Json SentencePieceAddedTokens(const SentencePieceModel& model, const Json& others) {
  Json added = Json::array();
  for (const SentencePiece& piece : model.pieces) {
    const bool special = piece.type == PieceType::kControl || piece.type == PieceType::kUnknown;
    if (!special && piece.type != PieceType::kUserDefined) continue;
    const auto given = std::ranges::find_if(
        others, [&](const Json& token) { return token["content"] == piece.text; });
    if (given != others.end()) continue;
    added.push_back({{"content", piece.text}, {"normalized", false}, {"special", special}});
  }
  added.insert(added.end(), others.begin(), others.end());
  return added;
}

void TakeModel(SentencePieceModel& model, TokenizerFile& file) {
  Json& json = file.settings["model"];
  json["byte_fallback"] = model.byte_fallback;
  if (model.is_unigram) {
    json["type"] = "Unigram";
    json["unk_id"] = model.unknown_id;
    file.has_pieces = true;
    for (SentencePiece& piece : model.pieces) {
      file.pieces.emplace_back(std::move(piece.text), piece.score);
    }
    return;
  }
  json["type"] = "BPE";
  json["unk_token"] = model.pieces[static_cast<size_t>(model.unknown_id)].text;
  json["fuse_unk"] = true;
  std::vector<std::string_view> texts;
  std::vector<double> scores;
  for (const SentencePiece& piece : model.pieces) {
    texts.push_back(piece.text);
    scores.push_back(piece.score);
  }
  file.has_vocabulary = file.has_merges = true;
  for (const auto& [left, right] :
       MergesFromScores(texts, scores, std::vector<bool>(texts.size(), true))) {
    file.merges.emplace_back(texts[left], texts[right]);
  }
  for (SentencePiece& piece : model.pieces) {
    file.vocabulary.emplace_back(std::move(piece.text),
                                 static_cast<int64_t>(file.vocabulary.size()));
  }
}

}  // namespace

TokenizerFile SentencePieceTokenizer(std::string_view bytes, TokenizerSettings settings,
                                     const std::string& where) {
  RefuseRenumbering(settings.tokenizer_class, where);
  if (!IsSentencePieceModel(bytes)) {
    BadInput("text",
             "{}: is not a SentencePiece model (a list of tiktoken, perhaps); save the tokenizer "
             "as tokenizer.json with transformers' save_pretrained",
             where);
  }
  SentencePieceModel model = ParseSentencePieceModel(bytes, where);
  const auto piece_of = [&](int32_t id) -> std::optional<std::string> {
    if (id < 0) return std::nullopt;
    return model.pieces[static_cast<size_t>(id)].text;
  };
  if (!settings.bos) settings.bos = piece_of(model.bos_id);
  if (!settings.eos) settings.eos = piece_of(model.eos_id);
  settings.added_tokens = SentencePieceAddedTokens(model, settings.added_tokens);
  TokenizerFile file;
  WriteSteps(model, settings, file.settings);
  TakeModel(model, file);
  settings.add_bos = settings.add_bos.value_or(true);
  WriteSpecialTokens(settings, file);
  return file;
}

}  // namespace grin
