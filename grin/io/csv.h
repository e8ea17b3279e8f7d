#pragma once
// Comma-separated values as RFC 4180 has them: fields may be quoted, and then hold separators, line
// ends and doubled quotes. Rows end with LF, CRLF or a lone CR.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

struct CsvRow {
  std::vector<std::string> fields;
  int64_t line = 0;  // where the row begins, from 1
};

class CsvReader {
 public:
  // `file` names the source in messages. Both views must outlive the reader.
  CsvReader(std::string_view text, std::string_view file, char separator);

  // The next row that is not blank; false at the end. Error (bad input) for a quote that is never
  // closed, or text after a closing quote.
  bool Next(CsvRow& row);

 private:
  std::string ReadField();
  std::string ReadQuoted();
  size_t LineEnd() const;  // bytes of the line end here; 0 where there is none
  bool AtRowEnd() const { return position_ == text_.size() || LineEnd() > 0; }

  std::string_view text_;
  std::string_view file_;
  char separator_;
  size_t position_ = 0;
  int64_t line_ = 1;
};

// All rows, for tables without a header; a byte-order mark is skipped. Error as CsvReader's.
std::vector<CsvRow> ReadCsvRows(std::string_view text, std::string_view file, char separator = ',');

}  // namespace grin
