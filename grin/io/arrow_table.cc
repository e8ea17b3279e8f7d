#include "grin/io/arrow_table.h"

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/util/checked_cast.h>
#include <parquet/arrow/reader.h>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using arrow::internal::checked_cast;

constexpr std::string_view kParquetMark = "PAR1", kArrowFileMark = "ARROW1";
// An Arrow stream begins with a message: this mark, then its length.
constexpr std::string_view kArrowStreamMark = "\xff\xff\xff\xff";

void Check(const arrow::Status& status, const std::string& file) {
  if (status.ok()) return;
  BadInput("io", "{}: cannot be read: {}", file, Printable(status.message(), 200));
}

template <typename T>
T Take(arrow::Result<T> result, const std::string& file) {
  Check(result.status(), file);
  return std::move(result).ValueUnsafe();
}

Json ToJson(const arrow::Array& array, int64_t row);

Json Elements(const arrow::Array& values, int64_t begin, int64_t count) {
  Json list = Json::array();
  for (int64_t i = begin; i < begin + count; ++i) list.push_back(ToJson(values, i));
  return list;
}

template <typename List>
Json ListToJson(const arrow::Array& array, int64_t row) {
  const auto& list = checked_cast<const List&>(array);
  return Elements(*list.values(), list.value_offset(row), list.value_length(row));
}

template <typename Binary>
Json TextToJson(const arrow::Array& array, int64_t row) {
  const std::string_view text = checked_cast<const Binary&>(array).GetView(row);
  if (!IsUtf8(text)) return nullptr;
  return std::string(text);
}

template <typename Numeric>
Json NumberToJson(const arrow::Array& array, int64_t row) {
  return checked_cast<const Numeric&>(array).Value(row);
}

Json StructToJson(const arrow::StructArray& array, int64_t row) {
  Json object = Json::object();
  for (int i = 0; i < array.num_fields(); ++i) {
    object[array.struct_type()->field(i)->name()] = ToJson(*array.field(i), row);
  }
  return object;
}

Json MapToJson(const arrow::MapArray& map, int64_t row) {
  Json object = Json::object();
  const int64_t begin = map.value_offset(row);
  for (int64_t i = begin; i < begin + map.value_length(row); ++i) {
    const Json key = ToJson(*map.keys(), i);
    object[key.is_string() ? key.get<std::string>() : key.dump()] = ToJson(*map.items(), i);
  }
  return object;
}

Json ToJson(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return nullptr;
  using arrow::Type;
  switch (array.type_id()) {
    case Type::NA:
      return nullptr;
    case Type::BOOL:
      return checked_cast<const arrow::BooleanArray&>(array).Value(row);
    case Type::INT8:
      return NumberToJson<arrow::Int8Array>(array, row);
    case Type::INT16:
      return NumberToJson<arrow::Int16Array>(array, row);
    case Type::INT32:
      return NumberToJson<arrow::Int32Array>(array, row);
    case Type::INT64:
      return NumberToJson<arrow::Int64Array>(array, row);
    case Type::UINT8:
      return NumberToJson<arrow::UInt8Array>(array, row);
    case Type::UINT16:
      return NumberToJson<arrow::UInt16Array>(array, row);
    case Type::UINT32:
      return NumberToJson<arrow::UInt32Array>(array, row);
    case Type::UINT64:
      return NumberToJson<arrow::UInt64Array>(array, row);
    case Type::FLOAT:
      return NumberToJson<arrow::FloatArray>(array, row);
    case Type::DOUBLE:
      return NumberToJson<arrow::DoubleArray>(array, row);
    case Type::STRING:
    case Type::BINARY:
      return TextToJson<arrow::BinaryArray>(array, row);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY:
      return TextToJson<arrow::LargeBinaryArray>(array, row);
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
      return TextToJson<arrow::BinaryViewArray>(array, row);
    case Type::FIXED_SIZE_BINARY:
      return TextToJson<arrow::FixedSizeBinaryArray>(array, row);
    case Type::LIST:
      return ListToJson<arrow::ListArray>(array, row);
    case Type::LARGE_LIST:
      return ListToJson<arrow::LargeListArray>(array, row);
    case Type::FIXED_SIZE_LIST:
      return ListToJson<arrow::FixedSizeListArray>(array, row);
    case Type::MAP:
      return MapToJson(checked_cast<const arrow::MapArray&>(array), row);
    case Type::STRUCT:
      return StructToJson(checked_cast<const arrow::StructArray&>(array), row);
    case Type::DICTIONARY: {
      const auto& dictionary = checked_cast<const arrow::DictionaryArray&>(array);
      return ToJson(*dictionary.dictionary(), dictionary.GetValueIndex(row));
    }
    case Type::EXTENSION:
      return ToJson(*checked_cast<const arrow::ExtensionArray&>(array).storage(), row);
    default: {  // dates, times, decimals, half floats
      const auto scalar = array.GetScalar(row);
      return scalar.ok() ? Json((*scalar)->ToString()) : Json();
    }
  }
}

void AddRows(const arrow::RecordBatch& batch, const std::string& file,
             std::vector<Record>& records) {
  Check(batch.ValidateFull(), file);
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    Json fields = Json::object();
    for (int column = 0; column < batch.num_columns(); ++column) {
      fields[batch.column_name(column)] = ToJson(*batch.column(column), row);
    }
    records.push_back({std::move(fields), file, static_cast<int64_t>(records.size()) + 1});
  }
}

std::vector<Record> ReadBatches(arrow::RecordBatchReader& reader, const std::string& file) {
  std::vector<Record> records;
  while (const auto batch = Take(reader.Next(), file)) AddRows(*batch, file, records);
  return records;
}

// Arrow reports by Status, but a damaged file may make what it is built on throw.
template <typename Read>
std::vector<Record> Guarded(const fs::path& path, const Read& read) {
  const std::string file = path.string();
  try {
    return read(Take(arrow::io::ReadableFile::Open(file), file), file);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    BadInput("io", "{}: cannot be read: {}", file, Printable(error.what(), 200));
  }
}

}  // namespace

bool IsParquet(std::string_view head) { return head.starts_with(kParquetMark); }

bool IsArrowIpc(std::string_view head) {
  return head.starts_with(kArrowFileMark) || head.starts_with(kArrowStreamMark);
}

std::vector<Record> ReadParquet(const fs::path& path) {
  return Guarded(path, [](const auto& source, const std::string& file) {
    parquet::arrow::FileReaderBuilder builder;
    Check(builder.Open(source), file);
    const auto reader = Take(builder.Build(), file);
    return ReadBatches(*Take(reader->GetRecordBatchReader(), file), file);
  });
}

std::vector<Record> ReadArrowIpc(const fs::path& path) {
  return Guarded(path, [](const auto& source, const std::string& file) {
    const auto mark = Take(source->ReadAt(0, kArrowFileMark.size()), file);
    Check(source->Seek(0), file);
    if (!std::string_view(*mark).starts_with(kArrowFileMark)) {
      return ReadBatches(*Take(arrow::ipc::RecordBatchStreamReader::Open(source), file), file);
    }
    const auto reader = Take(arrow::ipc::RecordBatchFileReader::Open(source), file);
    std::vector<Record> records;
    for (int i = 0; i < reader->num_record_batches(); ++i) {
      AddRows(*Take(reader->ReadRecordBatch(i), file), file, records);
    }
    return records;
  });
}

}  // namespace grin
