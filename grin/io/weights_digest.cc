#include "grin/io/weights_digest.h"

#include "grin/base/digest.h"
#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/progress.h"

namespace grin {

void WeightsDigest::Add(const TensorInfo& tensor, std::span<const std::byte> bytes) {
  Sha256 sha;
  sha.Add(bytes);
  lines_[tensor.name] =
      fmt::format("{} {} {}\n", DTypeName(tensor.dtype), FormatShape(tensor.shape), sha.Finish());
}

std::string WeightsDigest::Finish() const {
  Sha256 sha;
  for (const auto& [name, line] : lines_) sha.Add(name + " " + line);
  return sha.Finish();
}

std::string WeightsSha256(const Checkpoint& checkpoint) {
  WeightsDigest digest;
  Progress progress("digest", static_cast<int64_t>(checkpoint.tensors().size()));
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    ThrowIfInterrupted();
    digest.Add(tensor, checkpoint.Read(tensor.name).bytes);
    progress.Add(1);
  }
  return digest.Finish();
}

}  // namespace grin
