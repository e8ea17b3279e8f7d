#pragma once
// Between GGUF and checkpoint directories, and to other types of numbers, as one call.

#include <cstdint>
#include <string>

#include "grin/run/options.h"

namespace grin {

struct ConvertOptions {
  std::string source;             // a .gguf file or a checkpoint directory
  std::string to = "checkpoint";  // or gguf
  std::string dtype;              // of the stored numbers; empty: as they are
  OutputOptions output;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("to", to, "checkpoint: a directory; gguf: one file, for llama.cpp and its kin");
  }
};

struct ConvertReport {
  int64_t tensors = 0;
  std::string description;  // of what was written
};

ConvertReport RunConvert(const ConvertOptions& options);

}  // namespace grin
