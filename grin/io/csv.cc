#include "grin/io/csv.h"

#include <algorithm>

#include "grin/base/error.h"

namespace grin {

CsvReader::CsvReader(std::string_view text, std::string_view file, char separator)
    : text_(text), file_(file), separator_(separator) {}

bool CsvReader::AtLineEnd() const {
  return position_ == text_.size() || text_[position_] == '\n' ||
         text_.substr(position_, 2) == "\r\n";
}

bool CsvReader::Next(CsvRow& row) {
  while (position_ < text_.size()) {
    row.fields.clear();
    row.line = line_;
    const bool blank = AtLineEnd();
    while (!blank) {
      row.fields.push_back(ReadField());
      if (AtLineEnd()) break;
      ++position_;  // the separator
    }
    if (position_ < text_.size()) {
      position_ += text_[position_] == '\r' ? 2 : 1;
      ++line_;
    }
    if (!blank) return true;
  }
  return false;
}

std::string CsvReader::ReadField() {
  if (position_ < text_.size() && text_[position_] == '"') return ReadQuoted();
  const size_t begin = position_;
  while (!AtLineEnd() && text_[position_] != separator_) ++position_;
  return std::string(text_.substr(begin, position_ - begin));
}

std::string CsvReader::ReadQuoted() {
  const int64_t begin = line_;
  std::string field;
  for (++position_;; ++position_) {
    if (position_ == text_.size()) {
      BadInput("io", "{}:{}: the quoted field is never closed", file_, begin);
    }
    const char c = text_[position_];
    if (c == '\n') ++line_;
    if (c == '"') {
      if (text_.substr(position_ + 1, 1) != "\"") break;
      ++position_;  // a doubled quote stands for one
    }
    field += c;
  }
  ++position_;
  if (!AtLineEnd() && text_[position_] != separator_) {
    BadInput("io", "{}:{}: there is text after a closing quote; quotes inside a field are doubled",
             file_, line_);
  }
  return field;
}

}  // namespace grin
