#pragma once
// A cryptographic name of a model's weights, whatever files they lie in.

#include <map>
#include <span>
#include <string>

#include "grin/io/checkpoint.h"

namespace grin {

// SHA-256 over one line for each tensor, in the order of their names: name, type, shape and SHA-256
// of its bytes. Other shards, headers or side files do not change it; one bit of one weight does.
class WeightsDigest {
 public:
  // Once for each tensor, in any order.
  void Add(const TensorInfo& tensor, std::span<const std::byte> bytes);

  // In hexadecimal.
  std::string Finish() const;

 private:
  std::map<std::string, std::string> lines_;
};

std::string WeightsSha256(const Checkpoint& checkpoint);

}  // namespace grin
