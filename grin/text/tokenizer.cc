#include "grin/text/tokenizer.h"

#include <algorithm>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/log.h"
#include "grin/base/utf8.h"
#include "grin/io/sentencepiece.h"
#include "grin/text/added_tokens.h"
#include "grin/text/bert_tokenizer.h"
#include "grin/text/byte_alphabet.h"
#include "grin/text/byte_level_tokenizer.h"
#include "grin/text/character_class.h"
#include "grin/text/decoder.h"
#include "grin/text/normalizer.h"
#include "grin/text/post_processor.h"
#include "grin/text/pre_tokenizer.h"
#include "grin/text/sentencepiece_tokenizer.h"
#include "grin/text/token_model.h"
#include "grin/text/tokenizer_class.h"
#include "grin/text/tokenizer_file.h"

namespace grin {
namespace {

std::string Place(const std::string& where, std::string_view part) {
  return fmt::format("{}: {}", where, part);
}

// White space at the ends of a token, counted as spans are trimmed: the byte-level space too.
bool IsTokenSpace(char32_t character) {
  return character == ByteCharacter(' ') || IsWhitespace(character);
}

void CountSpaces(std::string_view token, EncodedToken& encoded) {
  for (size_t at = 0; at < token.size() && IsTokenSpace(NextCharacter(token, at));) {
    ++encoded.spaces_before;
  }
  for (size_t at = token.size(); at > 0 && IsTokenSpace(PreviousCharacter(token, at));) {
    ++encoded.spaces_behind;
  }
}

constexpr std::string_view kTokenizerJson = "tokenizer.json";

// Given add_prefix_space, the Llama class of `transformers` leaves tokenizer.json aside and makes
// the tokenizer from the SentencePiece model anew.
bool MakesAnewFrom(const TokenizerSettings& settings) {
  return settings.tokenizer_class == "LlamaTokenizer" && settings.add_prefix_space.has_value();
}

// The one file with such an ending beside `file`, else `file`.
std::filesystem::path OnlyTokenizerJson(const std::filesystem::path& file) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path())) {
    if (entry.path().filename().string().ends_with(kTokenizerJson)) found.push_back(entry.path());
  }
  return found.size() == 1 ? found[0] : file;
}

}  // namespace

struct Tokenizer::State {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<const TokenModel> model;
  AddedTokens added;
  PostProcessor post_processor;
  Decoder decoder;
  std::pair<size_t, size_t> frame;  // tokens that are put in front of a text, and behind it

  State(const JsonFields& fields, TokenizerFile& file, const std::string& where)
      : normalizer(MakeNormalizer(fields.Find("normalizer"), Place(where, "normalizer"))),
        pre_tokenizer(
            MakePreTokenizer(fields.Find("pre_tokenizer"), Place(where, "pre_tokenizer"))),
        model(MakeTokenModel(JsonFields(fields.Get("model"), Place(where, "model")), file, where)),
        added(fields.Find("added_tokens"), model->vocabulary(), normalizer,
              fields.Bool("split_special_tokens", false), Place(where, "added_tokens")),
        post_processor(
            MakePostProcessor(fields.Find("post_processor"), Place(where, "post_processor"))),
        decoder(MakeDecoder(fields.Find("decoder"), Place(where, "decoder"))) {
    std::vector<EncodedToken> text = {{0, {0, 1}}};
    post_processor.process(text, "x", true);
    const auto own = std::ranges::find_if(text, [](const auto& t) { return t.span.begin >= 0; });
    frame = {own - text.begin(), text.empty() ? 0 : text.end() - own - 1};
  }

  void TokenizePieces(Pieces& pieces, std::vector<EncodedToken>& tokens) const;
};

// Turns the pieces into tokens, with spans in the original text.
void Tokenizer::State::TokenizePieces(Pieces& pieces, std::vector<EncodedToken>& tokens) const {
  auto alphabet = TokenModel::Alphabet::kText;
  if (pre_tokenizer.to_bytes && model->takes_bytes()) {
    alphabet = TokenModel::Alphabet::kBytes;
  } else if (pre_tokenizer.to_bytes) {
    pieces.ChangeEach([](std::string_view, const Piece&) { return true; },
                      [](AlignedText& text) { text.ToByteAlphabet(); });
  }
  std::vector<WordToken> word;
  for (const Piece& piece : pieces.list()) {
    if (piece.token >= 0) {
      tokens.push_back({piece.token, pieces.Origin(piece)});
      if (post_processor.needs_spaces) CountSpaces(pieces.View(piece), tokens.back());
      continue;
    }
    word.clear();
    model->Tokenize(pieces.View(piece), alphabet, word);
    const AlignedText& text = pieces.TextOf(piece);
    size_t begin = piece.begin;
    size_t end = piece.begin;
    for (const auto& [id, length] : word) {
      if (length > 0) begin = std::exchange(end, end + static_cast<size_t>(length));
      tokens.push_back({id, text.Origin(begin, end)});
      if (post_processor.needs_spaces) CountSpaces(*model->vocabulary().TokenOf(id), tokens.back());
    }
  }
}

Tokenizer Tokenizer::Load(const std::filesystem::path& file_or_directory) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(file_or_directory, ignored)) {
    const std::string where = file_or_directory.string();
    const std::string content = ReadFile(file_or_directory);
    if (!IsSentencePieceModel(content)) return FromText(content, where);
    return FromFile(SentencePieceTokenizer(content, {}, where), where);
  }
  const auto read = [&](std::string_view name) -> std::optional<std::string> {
    fs::path file = file_or_directory / name;
    if (name == kTokenizerJson && !fs::exists(file, ignored)) file = OnlyTokenizerJson(file);
    if (!fs::is_regular_file(file, ignored)) return std::nullopt;
    return ReadFile(file);
  };
  return FromFiles(read, file_or_directory.string());
}

Tokenizer Tokenizer::FromFiles(const ReadSideFile& read, const std::string& where, int64_t rows) {
  const auto json = read(kTokenizerJson);
  const auto model = read("tokenizer.model");
  if (json) {
    const TokenizerSettings settings = ReadTokenizerSettings(read, where);
    const bool from_model = model && IsSentencePieceModel(*model) && MakesAnewFrom(settings);
    if (!from_model) {
      const std::string name = fmt::format("{}/{}", where, kTokenizerJson);
      TokenizerFile file = ParseTokenizerFile(*json, name);
      FollowTokenizerClass(settings, rows, where, file);
      Tokenizer tokenizer = FromFile(std::move(file), name);
      tokenizer.WarnOfOtherFrame(settings, where);
      return tokenizer;
    }
  }
  if (model) {
    const std::string file = where + "/tokenizer.model";
    return FromFile(SentencePieceTokenizer(*model, ReadTokenizerSettings(read, where), file), file);
  }
  const auto vocabulary = read("vocab.json");
  const auto merges = read("merges.txt");
  if (vocabulary && merges) {
    return FromFile(
        ByteLevelTokenizer(*vocabulary, *merges, ReadTokenizerSettings(read, where), where),
        where + "/vocab.json");
  }
  if (read("vocab.txt")) return FromFile(ReadBertTokenizer(read, where), where + "/vocab.txt");
  BadInput("text",
           "{}: has no tokenizer: no tokenizer.json, no tokenizer.model, no vocab.json with "
           "merges.txt, no vocab.txt; save the tokenizer into it with transformers' "
           "save_pretrained",
           where);
}

Tokenizer Tokenizer::FromText(std::string_view json_text, std::string_view where) {
  return FromFile(ParseTokenizerFile(json_text, where), where);
}

Tokenizer Tokenizer::FromFile(TokenizerFile file, std::string_view where) {
  const JsonFields fields(file.settings, std::string(where));
  return Tokenizer(std::make_shared<const State>(fields, file, std::string(where)));
}

Tokenizer Tokenizer::FromJson(const Json& tokenizer_json, std::string_view where) {
  return FromText(tokenizer_json.dump(-1, ' ', false, Json::error_handler_t::replace), where);
}

// Other classes than those that take add_bos_token and add_eos_token ignore them in transformers 4;
// transformers 5 lets them count in all. Worth a word where it matters.
void Tokenizer::WarnOfOtherFrame(const TokenizerSettings& settings,
                                 const std::string& where) const {
  const auto [front, behind] = state_->frame;
  const auto compare = [&](const std::optional<bool>& wanted, size_t count, const char* key,
                           const char* place) {
    if (!wanted || *wanted == (count > 0)) return;
    Warn(
        "{}: tokenizer_config.json says '{}': {}, and tokenizer.json puts {} token {} a text; "
        "that is followed, as the class {} does in transformers 4",
        where, key, *wanted, count > 0 ? "a" : "no", place,
        settings.tokenizer_class.empty() ? "PreTrainedTokenizer" : settings.tokenizer_class);
  };
  compare(settings.add_bos, front, "add_bos_token", "in front of");
  compare(settings.add_eos, behind, "add_eos_token", "behind");
}

Encoding Tokenizer::EncodeBeginning(std::string_view text) const {
  Encoding encoding = Encode(text, /*add_special_tokens=*/true);
  const size_t kept = encoding.ids.size() - tokens_behind();
  encoding.ids.resize(kept);
  encoding.spans.resize(kept);
  return encoding;
}

Encoding Tokenizer::Encode(std::string_view text, bool add_special_tokens) const {
  if (const size_t invalid = FirstInvalidUtf8(text); invalid != std::string_view::npos) {
    BadInput("text",
             "the text is not UTF-8: byte {} of {} (0x{:02x}) does not begin or continue a "
             "character; convert it to UTF-8 first",
             invalid, text.size(), static_cast<uint8_t>(text[invalid]));
  }
  Pieces pieces(text);
  state_->added.Extract(state_->normalizer, pieces);
  state_->pre_tokenizer.split(pieces);
  std::vector<EncodedToken> tokens;
  tokens.reserve(text.size() / 3 + 8);
  state_->TokenizePieces(pieces, tokens);
  state_->post_processor.process(tokens, text, add_special_tokens);
  Encoding encoding;
  encoding.ids.reserve(tokens.size());
  encoding.spans.reserve(tokens.size());
  for (const EncodedToken& token : tokens) {
    encoding.ids.push_back(token.id);
    encoding.spans.emplace_back(token.span.begin, token.span.end);
  }
  return encoding;
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  const AddedTokens& added = state_->added;
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    const std::string* token = added.DecodedForm(id);
    if (token == nullptr) token = state_->model->vocabulary().TokenOf(id);
    if (token == nullptr) continue;
    if (skip_special_tokens && (IsSpecial(id) || added.IsSpecialContent(*token))) continue;
    tokens.push_back(*token);
  }
  state_->decoder(tokens);
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

size_t Tokenizer::tokens_in_front() const { return state_->frame.first; }

size_t Tokenizer::tokens_behind() const { return state_->frame.second; }

int64_t Tokenizer::size() const {
  return std::max(state_->model->vocabulary().size(), state_->added.size());
}

std::optional<int32_t> Tokenizer::IdOf(std::string_view token) const {
  const auto id = state_->added.IdOf(token);
  return id ? id : state_->model->vocabulary().IdOf(token);
}

const std::string& Tokenizer::TokenOf(int32_t id) const {
  static const std::string kNone;
  if (const AddedToken* token = state_->added.Find(id)) return token->content;
  const std::string* token = state_->model->vocabulary().TokenOf(id);
  return token == nullptr ? kNone : *token;
}

bool Tokenizer::IsSpecial(int32_t id) const {
  const AddedToken* token = state_->added.Find(id);
  return token != nullptr && token->special;
}

}  // namespace grin
