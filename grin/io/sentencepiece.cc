#include "grin/io/sentencepiece.h"

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/utf8.h"
#include "grin/io/protobuf.h"

namespace grin {
namespace {

// Field numbers of sentencepiece_model.proto.
namespace model_field {
constexpr uint64_t kPieces = 1, kTrainer = 2, kNormalizer = 3;
}
namespace piece_field {
constexpr uint64_t kText = 1, kScore = 2, kType = 3;
}
namespace trainer_field {
constexpr uint64_t kModelType = 3, kByteFallback = 35, kUnknownId = 40, kBosId = 41, kEosId = 42,
                   kPadId = 43;
}
namespace normalizer_field {
constexpr uint64_t kCharacterMap = 2, kAddDummyPrefix = 3, kRemoveExtraWhitespaces = 4;
}

constexpr uint64_t kUnigram = 1, kBpe = 2;

SentencePiece ReadPiece(std::string_view message, size_t id, std::string_view where) {
  SentencePiece piece;
  for (ProtobufReader reader(message, where); reader.Next();) {
    if (reader.field() == piece_field::kText) piece.text = reader.Bytes();
    if (reader.field() == piece_field::kScore) piece.score = reader.Float();
    if (reader.field() != piece_field::kType) continue;
    const uint64_t type = reader.Varint();
    if (type < 1 || type > 6) {
      BadInput("io", "{}: piece {} has the type {}, expected 1 to 6", where, id, type);
    }
    piece.type = static_cast<PieceType>(type);
  }
  if (!IsUtf8(piece.text)) {
    BadInput("io", "{}: piece {} is '{}', which is not UTF-8", where, id, Printable(piece.text));
  }
  return piece;
}

void ReadTrainer(std::string_view message, std::string_view where, SentencePieceModel& model) {
  // Negative numbers are written with 64 bits.
  const auto id = [](const ProtobufReader& reader) {
    return static_cast<int32_t>(static_cast<int64_t>(reader.Varint()));
  };
  for (ProtobufReader reader(message, where); reader.Next();) {
    switch (reader.field()) {
      case trainer_field::kModelType:
        if (reader.Varint() != kUnigram && reader.Varint() != kBpe) {
          BadInput("io", "{}: the model is of type {}, expected {} (unigram) or {} (bpe)", where,
                   reader.Varint(), kUnigram, kBpe);
        }
        model.is_unigram = reader.Varint() == kUnigram;
        break;
      case trainer_field::kByteFallback:
        model.byte_fallback = reader.Varint() != 0;
        break;
      case trainer_field::kUnknownId:
        model.unknown_id = id(reader);
        break;
      case trainer_field::kBosId:
        model.bos_id = id(reader);
        break;
      case trainer_field::kEosId:
        model.eos_id = id(reader);
        break;
      case trainer_field::kPadId:
        model.pad_id = id(reader);
        break;
      default:
        break;
    }
  }
}

void ReadNormalizer(std::string_view message, std::string_view where, SentencePieceModel& model) {
  for (ProtobufReader reader(message, where); reader.Next();) {
    switch (reader.field()) {
      case normalizer_field::kCharacterMap:
        model.character_map = reader.Bytes();
        break;
      case normalizer_field::kAddDummyPrefix:
        model.add_dummy_prefix = reader.Varint() != 0;
        break;
      case normalizer_field::kRemoveExtraWhitespaces:
        model.remove_extra_whitespaces = reader.Varint() != 0;
        break;
      default:
        break;
    }
  }
}

}  // namespace

bool IsSentencePieceModel(std::string_view bytes) {
  // The first field is a piece: number 1, a message. No text begins with these bytes.
  return bytes.starts_with('\x0a') && bytes.size() > 2 && bytes[2] == '\x0a';
}

SentencePieceModel ParseSentencePieceModel(std::string_view bytes, std::string_view where) {
  SentencePieceModel model;
  for (ProtobufReader reader(bytes, where); reader.Next();) {
    if (reader.field() == model_field::kPieces) {
      model.pieces.push_back(ReadPiece(reader.Bytes(), model.pieces.size(), where));
    } else if (reader.field() == model_field::kTrainer) {
      ReadTrainer(reader.Bytes(), where, model);
    } else if (reader.field() == model_field::kNormalizer) {
      ReadNormalizer(reader.Bytes(), where, model);
    }
  }
  if (model.pieces.empty()) BadInput("io", "{}: has no pieces", where);
  const auto count = static_cast<int64_t>(model.pieces.size());
  if (model.unknown_id < 0 || model.unknown_id >= count) {
    BadInput("io", "{}: the unknown piece is number {} of {}", where, model.unknown_id, count);
  }
  for (int32_t* id : {&model.bos_id, &model.eos_id, &model.pad_id}) {
    if (*id < 0 || *id >= count) *id = -1;  // SentencePiece has such models: "no such token"
  }
  return model;
}

}  // namespace grin
