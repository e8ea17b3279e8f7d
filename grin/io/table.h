#pragma once
// Tables of records: JSON Lines, a JSON array of objects, CSV, Parquet, Arrow, plain text; the text
// formats also packed by gzip or Zstandard.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grin/base/json.h"

namespace grin {

struct Record {
  Json fields;  // an object; from CSV all values are strings
  std::string file;
  int64_t line = 0;  // where the record begins, from 1; in Parquet and Arrow files the row

  // "forget.jsonl:17", for messages.
  std::string Where() const;
};

// Reads all records of what FindDataFiles finds. The format is told by the content (a name that
// ends in .csv, .tsv, .txt or .raw settles it), since files called .json often hold JSON Lines.
// Each string in a JSON array, and a whole .txt or .raw file, is a record with the field "text".
// Error (bad input) with file and line for text that is not UTF-8, invalid JSON, records that are
// not objects, CSV rows of the wrong length, or a file without records.
std::vector<Record> ReadTable(const std::filesystem::path& source);

// The lines of a UTF-8 text file that are not blank, without their line ends. Error (bad input)
// when there are none.
std::vector<std::string> ReadLines(const std::filesystem::path& path);

}  // namespace grin
