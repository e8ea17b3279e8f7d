#pragma once
// The entries of a model that may change: an arena of their masters and optimiser state, and the
// weights that they belong to. All other bytes of the checkpoint are out of reach.

#include <string>
#include <unordered_map>
#include <vector>

#include "grin/io/write_checkpoint.h"
#include "grin/locate/mask.h"
#include "grin/model/decoder.h"
#include "grin/tune/arena.h"

namespace grin {

class Trainable {
 public:
  // The entries that `mask` selects. Masters start from the stored values, not from the rounded
  // ones that are computed with. Error (bad input) when the mask does not fit the model.
  Trainable(const Model& model, const Mask& mask);

  // Every floating-point weight that the model uses.
  static Trainable Everything(const Model& model);

  Arena& arena() { return arena_; }
  std::vector<MaskedParameter>& parameters() { return arena_.parameters; }
  // Null for a weight of which nothing is selected.
  MaskedParameter* Find(const std::string& name);

  // Of a whole weight of the arena.
  std::vector<int64_t> ShapeOf(const std::string& name) const {
    return model_.weights->tensors().at(name).sizes().vec();
  }

  int64_t count() const { return arena_.master.numel(); }  // entries
  bool everything() const { return everything_; }

  // Stores the masters, rounded, in the weights that are computed with.
  void WriteBack();

  // The masters, fp32 [count], for going back to them.
  at::Tensor Snapshot() const { return arena_.master.clone(); }
  void Restore(const at::Tensor& snapshot);

  // Back to the stored values, as at the start. Needs no copy of them.
  void Reset();

  // Puts the masters into a checkpoint that is being written. This must outlive what is returned.
  EditTensor Edit();

 private:
  Trainable(const Model& model, const std::vector<Arena::Part>& parts);
  void ReadStored();
  at::Tensor Stored(const std::string& name) const;  // in its stored type, F64 as fp32

  Model model_;
  bool everything_ = false;
  Arena arena_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace grin
