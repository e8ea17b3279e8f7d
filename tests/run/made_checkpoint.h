#pragma once
// A checkpoint of any config.json, with drawn weights and the byte-level tokenizer of the toys.

#include <filesystem>
#include <string>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/io/safetensors.h"
#include "grin/model/shapes.h"
#include "tests/model/tiny.h"

namespace grin {

// Of the type `dtype`. The config needs a vocabulary of 704 at least.
inline void WriteMade(const std::filesystem::path& dir, const Json& config, at::ScalarType dtype) {
  std::filesystem::create_directories(dir);
  WriteFile(dir / "config.json", config.dump(1) + "\n");
  const Model shapes = LoadShapes(config, "config.json", dtype);
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : shapes.weights->tensors()) {
    infos.push_back(
        {name, dtype == at::kBFloat16 ? DType::kBF16 : DType::kF32, tensor.sizes().vec()});
  }
  at::manual_seed(1);
  SafetensorsWriter writer(dir / "model.safetensors", infos, {{"format", "pt"}});
  for (const TensorInfo& info : infos) {
    const at::Tensor value = info.shape.size() == 1 ? at::ones(info.shape)
                                                    : at::randn(info.shape).mul_(0.05);
    const at::Tensor stored = value.to(dtype).contiguous();
    writer.Write({static_cast<const std::byte*>(stored.const_data_ptr()), stored.nbytes()});
  }
  writer.Commit();
  std::filesystem::copy_file(
      std::filesystem::path(GRIN_TEST_DATA) / "tokenizers" / "byte_level.json",
      dir / "tokenizer.json");
  WriteFile(dir / "tokenizer_config.json",
            "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"eos_token\": \"<|endoftext|>\"}\n");
}

}  // namespace grin
