#include "grin/io/sentencepiece.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

// The fields of a Protocol Buffers message, one after the other, each checked against its end.
class ProtobufReader {
 public:
  // Reads `message`; errors (bad input) name `where` and the byte.
  ProtobufReader(std::string_view message, std::string_view where)
      : message_(message), where_(where) {}

  // Moves to the next field, past the value of the one before. False at the end.
  bool Next();

  uint64_t field() const { return field_; }

  // The value of the field. Error when it is of another kind.
  uint64_t Varint() const;
  float Float() const;
  std::string_view Bytes() const;  // a string, bytes or a message

 private:
  enum Kind { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  [[noreturn]] void Damaged(std::string_view what) const;
  uint64_t ReadVarint();
  std::string_view Take(uint64_t size);
  void Expect(Kind kind) const;

  std::string_view message_;
  std::string_view where_;
  size_t at_ = 0;
  uint64_t field_ = 0;
  int kind_ = 0;
  uint64_t varint_ = 0;
  std::string_view bytes_;
};

void ProtobufReader::Damaged(std::string_view what) const {
  BadInput("io", "{}: not a valid message at byte {}: {}", where_, at_, what);
}

uint64_t ProtobufReader::ReadVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (at_ == message_.size()) Damaged("it ends within a number");
    const auto byte = static_cast<uint8_t>(message_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  Damaged("a number has more than 64 bits");
}

std::string_view ProtobufReader::Take(uint64_t size) {
  if (size > message_.size() - at_) Damaged("it ends within a field");
  const std::string_view bytes = message_.substr(at_, size);
  at_ += size;
  return bytes;
}

bool ProtobufReader::Next() {
  if (at_ == message_.size()) return false;
  const uint64_t tag = ReadVarint();
  field_ = tag >> 3;
  kind_ = static_cast<int>(tag & 7);
  if (field_ == 0) Damaged("a field has the number 0");
  switch (kind_) {
    case kVarint:
      varint_ = ReadVarint();
      break;
    case kFixed64:
      bytes_ = Take(8);
      break;
    case kFixed32:
      bytes_ = Take(4);
      break;
    case kBytes:
      bytes_ = Take(ReadVarint());
      break;
    default:
      Damaged("a field is of an unknown kind");
  }
  return true;
}

void ProtobufReader::Expect(Kind kind) const {
  if (kind_ != kind) Damaged("a field is of another kind than expected");
}

uint64_t ProtobufReader::Varint() const {
  Expect(kVarint);
  return varint_;
}

float ProtobufReader::Float() const {
  Expect(kFixed32);
  uint32_t bits = 0;
  for (size_t i = 4; i-- > 0;) bits = bits << 8 | static_cast<uint8_t>(bytes_[i]);
  return std::bit_cast<float>(bits);
}

std::string_view ProtobufReader::Bytes() const {
  Expect(kBytes);
  return bytes_;
}

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

std::vector<std::pair<uint32_t, uint32_t>> MergesFromScores(
    std::span<const std::string_view> pieces, std::span<const double> scores,
    const std::vector<bool>& usable) {
  std::unordered_map<std::string_view, uint32_t> ids;
  ids.reserve(pieces.size());
  for (uint32_t id = 0; id < pieces.size(); ++id) {
    if (usable[id]) ids.emplace(pieces[id], id);
  }
  struct Candidate {
    double score;
    uint32_t left, right;
  };
  std::vector<Candidate> candidates;
  for (uint32_t id = 0; id < pieces.size(); ++id) {
    const std::string_view piece = pieces[id];
    if (!usable[id] || ids.at(piece) != id) continue;
    for (size_t i = 1; i < piece.size(); ++i) {
      if ((piece[i] & 0xC0) == 0x80) continue;  // inside a character
      const auto left = ids.find(piece.substr(0, i));
      if (left == ids.end()) continue;
      const auto right = ids.find(piece.substr(i));
      if (right == ids.end()) continue;
      candidates.push_back({scores[id], left->second, right->second});
    }
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::tie(a.left, a.right) < std::tie(b.left, b.right);
  });
  std::vector<std::pair<uint32_t, uint32_t>> merges;
  merges.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    merges.emplace_back(candidate.left, candidate.right);
  }
  return merges;
}

}  // namespace grin
