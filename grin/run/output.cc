#include "grin/run/output.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <limits>
#include <cerrno>
#include <cstring>

#include "grin/base/error.h"
#include "grin/base/memory.h"
#include "grin/io/write_checkpoint.h"
#include "grin/report/report.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Whether a folder may be deleted for a new output: it holds nothing else than a checkpoint would.
bool MayBeReplaced(const fs::path& folder) {
  std::error_code error;
  if (fs::is_empty(folder, error)) return true;
  return std::ranges::any_of(std::array{"config.json", "grin.json"}, [&](const char* name) {
    return fs::exists(folder / name, error);
  });
}

// The nearest folder above `place` that exists.
fs::path ExistingFolder(fs::path place) {
  std::error_code error;
  place = fs::absolute(place, error);
  while (!fs::is_directory(place, error) && place.has_relative_path()) place = place.parent_path();
  return place;
}

// The place of an output. Error where it was not named, or where what stands there stays.
const std::string& FreePlace(const OutputOptions& output, OutputKind kind) {
  if (output.out.empty()) BadUsage("run", "--out is required; see --help");
  std::error_code error;
  const fs::file_status status = fs::symlink_status(output.out, error);
  if (!fs::exists(status)) return output.out;
  if (!output.force) {
    BadInput("io", "{}: exists already; choose another --out, or replace it with --force",
             output.out);
  }
  if (kind == OutputKind::kDirectory && fs::is_directory(status) && !MayBeReplaced(output.out)) {
    BadInput("io",
             "{}: is a folder that holds no checkpoint; --force deletes all that is in the folder "
             "it replaces, so choose another --out, or empty it first",
             output.out);
  }
  return output.out;
}

}  // namespace

Reservation ReserveOutput(const OutputOptions& output, OutputKind kind) {
  return Reservation(FreePlace(output, kind), kind == OutputKind::kDirectory);
}

void CheckOutput(const OutputOptions& output, OutputKind kind) { ReserveOutput(output, kind); }

void CheckFileName(const fs::path& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 || errno == ENOENT) return;
  BadInput("io", "{}: cannot be written: {}", path.string(), std::strerror(errno));
}

double FreeSpace(const fs::path& place) {
  struct statvfs disk {};
  if (statvfs(ExistingFolder(place).c_str(), &disk) != 0) {
    return std::numeric_limits<double>::infinity();  // what is not known is not checked
  }
  return static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
}

void CheckSpace(const fs::path& place, int64_t bytes) {
  const double free = FreeSpace(place);
  if (static_cast<double>(bytes) <= free) return;
  BadInput("io", "{}: the result takes {:.3f} GB, the disk has {:.3f} GB left; make room, or choose "
           "another --out", place.string(), static_cast<double>(bytes) / 1e9, free / 1e9);
}

int64_t CheckpointBytes(const Checkpoint& source, std::optional<DType> float_dtype) {
  int64_t bytes = 0;
  for (const TensorInfo& info : source.tensors()) {
    const DType type = float_dtype && IsFloat(info.dtype) ? *float_dtype : info.dtype;
    bytes += info.elements() * DTypeSize(type);
    constexpr int64_t kHeader = 256;  // of a tensor in the header
    bytes += kHeader;
  }
  for (const SideFile& file : source.side_files()) {
    std::error_code error;
    const auto size = file.text ? file.text->size() : fs::file_size(file.path, error);
    if (!error) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

int64_t OutputBytes(const Checkpoint& source) {
  int64_t mask_bits = 0;
  for (const TensorInfo& info : source.tensors()) mask_bits += info.elements();
  constexpr int64_t kRecords = int64_t{1} << 20;  // grin.json, log and report
  return CheckpointBytes(source) + mask_bits / 8 + kRecords;
}

OutputDirectory::OutputDirectory(const OutputOptions& output, const Checkpoint& source,
                                 const Json& document)
    : output_(output),
      source_(source),
      directory_(FreePlace(output, OutputKind::kDirectory), output.force) {
  CheckSpace(output.out, OutputBytes(source));
  WriteFile(directory_.path() / "grin.json", document.dump(2) + "\n");
}

void OutputDirectory::Write(Trainable* trainable, const Json& document, const Mask* mask,
                            const std::vector<Json>& log) {
  const fs::path& folder = directory_.path();
  WriteCheckpoint(source_, folder, trainable ? trainable->Edit() : EditTensor{});
  Json complete = document;
  complete["cost"]["peak_memory_bytes"] = PeakMemory();
  WriteFile(folder / "grin.json", complete.dump(2) + "\n");
  if (mask) mask->Save(folder / "mask.safetensors");
  if (!log.empty()) {
    std::string lines;
    for (const Json& record : log) lines += record.dump() + "\n";
    WriteFile(folder / "log.jsonl", lines);
    WriteFile(folder / "report.html", RenderRunReport(ValidUtf8(output_.out), complete, log, mask));
  }
  directory_.Commit();
}

}  // namespace grin
