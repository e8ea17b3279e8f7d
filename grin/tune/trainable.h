#pragma once
// The entries of a model that may change, with their fp32 master values and optimiser state. All
// other bytes of the checkpoint are out of reach.

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "grin/io/write_checkpoint.h"
#include "grin/locate/mask.h"
#include "grin/model/decoder.h"
#include "grin/tune/masked_adamw.h"

namespace grin {

class Trainable {
 public:
  // The entries that `mask` selects. Masters start from the stored values, not from the rounded
  // ones that are computed with. Error (bad input) when the mask does not fit the model.
  Trainable(const Model& model, const Mask& mask);

  // Every floating-point weight that the model uses.
  static Trainable Everything(const Model& model);

  std::vector<MaskedParameter>& parameters() { return parameters_; }
  // Null for a weight of which nothing is selected.
  MaskedParameter* Find(const std::string& name);

  int64_t count() const;  // entries
  bool everything() const { return everything_; }

  // Stores the masters, rounded, in the weights that are computed with.
  void WriteBack();

  // The masters, for going back to them.
  std::vector<at::Tensor> Snapshot() const;
  void Restore(const std::vector<at::Tensor>& snapshot);

  // Back to the stored values, as at the start. Needs no copy of them.
  void Reset();

  // Puts the masters into a checkpoint that is being written.
  EditTensor Edit();

 private:
  explicit Trainable(const Model& model) : model_(model) {}
  void Add(const std::string& name, at::Tensor indices);
  at::Tensor Stored(const std::string& name) const;  // in its stored type, F64 as fp32

  Model model_;
  bool everything_ = false;
  std::vector<MaskedParameter> parameters_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace grin
