#include "grin/io/protobuf.h"

#include <bit>

#include "grin/base/error.h"

namespace grin {

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

}  // namespace grin
