#include "grin/io/csv.h"

#include <algorithm>

#include "grin/base/error.h"

namespace grin {

CsvReader::CsvReader(std::string_view text, std::string_view file, char separator)
    : text_(text), file_(file), separator_(separator) {}

size_t CsvReader::LineEnd() const {
  const std::string_view rest = text_.substr(position_, 2);
  return rest == "\r\n" ? 2 : rest.starts_with('\n') || rest.starts_with('\r') ? 1 : 0;
}

bool CsvReader::Next(CsvRow& row) {
  while (position_ < text_.size()) {
    row.fields.clear();
    row.line = line_;
    const bool blank = AtRowEnd();
    while (!blank) {
      row.fields.push_back(ReadField());
      if (AtRowEnd()) break;
      ++position_;  // the separator
    }
    if (position_ < text_.size()) {
      position_ += LineEnd();
      ++line_;
    }
    if (!blank) return true;
  }
  return false;
}

std::string CsvReader::ReadField() {
  if (position_ < text_.size() && text_[position_] == '"') return ReadQuoted();
  const size_t begin = position_;
  while (!AtRowEnd() && text_[position_] != separator_) ++position_;
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
  if (!AtRowEnd() && text_[position_] != separator_) {
    BadInput("io", "{}:{}: there is text after a closing quote; quotes inside a field are doubled",
             file_, line_);
  }
  return field;
}

std::vector<CsvRow> ReadCsvRows(std::string_view text, std::string_view file, char separator) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  CsvReader reader(text, file, separator);
  std::vector<CsvRow> rows;
  for (CsvRow row; reader.Next(row);) rows.push_back(row);
  return rows;
}

}  // namespace grin
