#pragma once
// The fields of a Protocol Buffers message, one after the other, each checked against its end.

#include <cstdint>
#include <string_view>

namespace grin {

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

}  // namespace grin
