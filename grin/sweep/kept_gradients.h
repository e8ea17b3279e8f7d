#pragma once
// The gradients of locating, in files of a sweep's folder: what makes them is computed once, by
// whichever process comes first.

#include <string>

#include "grin/locate/gradient_store.h"
#include "grin/sweep/ledger.h"

namespace grin {

class KeptGradients final : public GradientStore {
 public:
  // Of the model that `model` tells from others. `ledger` must outlive this.
  KeptGradients(const Ledger& ledger, std::string model)
      : ledger_(ledger), model_(std::move(model)) {}

  // Where the disk has no room for them they are computed and not kept.
  void Visit(const std::string& key, const Model& model, const std::vector<std::string>& names,
             const std::function<void(const TakeGradient& take)>& compute,
             const TakeGradient& take) override;

 private:
  const Ledger& ledger_;
  std::string model_;
};

}  // namespace grin
