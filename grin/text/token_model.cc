#include "grin/text/token_model.h"

#include <array>
#include <optional>

#include "grin/base/error.h"
#include "grin/text/bpe.h"
#include "grin/text/unigram.h"
#include "grin/text/word_piece.h"

namespace grin {
namespace {

using Model = std::unique_ptr<const TokenModel>;

Vocabulary TakeVocabulary(const JsonFields& fields, TokenizerFile& file, const std::string& where) {
  if (!file.has_vocabulary)
    BadInput("text", "{}: 'vocab' is missing or not an object", fields.where());
  return Vocabulary(std::move(file.vocabulary), where);
}

Model MakeBpe(const JsonFields& fields, TokenizerFile& file, const std::string& where) {
  Vocabulary vocabulary = TakeVocabulary(fields, file, where);
  if (!file.has_merges) BadInput("text", "{}: 'merges' is missing or not an array", fields.where());
  if (const Json* dropout = fields.Find("dropout"); dropout != nullptr && *dropout != 0) {
    BadInput("text", "{} is {}, expected null: with dropout the ids of a text would be random",
             fields.WhereOf("dropout"), DescribeJson(*dropout));
  }
  BpeSettings settings;
  if (fields.Find("unk_token") != nullptr) settings.unknown_token = fields.String("unk_token");
  settings.continuing_prefix = fields.String("continuing_subword_prefix", "");
  settings.end_of_word_suffix = fields.String("end_of_word_suffix", "");
  settings.fuse_unknown = fields.Bool("fuse_unk", false);
  settings.byte_fallback = fields.Bool("byte_fallback", false);
  settings.ignore_merges = fields.Bool("ignore_merges", false);
  return std::make_unique<Bpe>(std::move(vocabulary), file.merges, std::move(settings), where);
}

Model MakeUnigram(const JsonFields& fields, TokenizerFile& file, const std::string& where) {
  if (!file.has_pieces) BadInput("text", "{}: 'vocab' is missing or not an array", fields.where());
  std::optional<int64_t> unknown;
  if (fields.Find("unk_id") != nullptr) unknown = fields.Integer("unk_id");
  return std::make_unique<Unigram>(std::move(file.pieces), unknown,
                                   fields.Bool("byte_fallback", false), where);
}

Model MakeWordPiece(const JsonFields& fields, TokenizerFile& file, const std::string& where) {
  WordPieceSettings settings;
  settings.unknown_token = fields.String("unk_token", settings.unknown_token);
  settings.continuing_prefix =
      fields.String("continuing_subword_prefix", settings.continuing_prefix);
  if (fields.Find("max_input_chars_per_word") != nullptr) {
    settings.longest_word = fields.Integer("max_input_chars_per_word");
  }
  return std::make_unique<WordPiece>(TakeVocabulary(fields, file, where), std::move(settings),
                                     where);
}

struct ModelType {
  std::string_view name;
  Model (*make)(const JsonFields&, TokenizerFile&, const std::string&);
};
constexpr std::array kTypes = {ModelType{"BPE", MakeBpe}, ModelType{"Unigram", MakeUnigram},
                               ModelType{"WordPiece", MakeWordPiece}};

// Files of before 2020 do not name the type.
std::string_view TypeByFields(const JsonFields& fields, const TokenizerFile& file) {
  if (fields.Find("max_input_chars_per_word") != nullptr) return "WordPiece";
  return file.has_pieces ? "Unigram" : "BPE";
}

}  // namespace

Model MakeTokenModel(const JsonFields& fields, TokenizerFile& file, const std::string& where) {
  const std::string type = fields.String("type", TypeByFields(fields, file));
  std::string known;
  for (const ModelType& row : kTypes) {
    if (row.name == type) return row.make(fields, file, where);
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  BadInput("text", "{} has the type '{}', which is not supported; known are {}", fields.where(),
           type, known);
}

}  // namespace grin
