#pragma once
// Where the gradients of a set may be kept, so that runs that differ in how they score and cut take
// them once.

#include <functional>
#include <string>
#include <vector>

#include "grin/locate/gradient_pass.h"

namespace grin {

class GradientStore {
 public:
  virtual ~GradientStore() = default;

  // Gives `take` the gradient of each named weight of the model, fp32 in its shape, where the model
  // computes and in memory that it may change: those that are kept under `key`, or those that
  // `compute` gives, which are then kept. `key` tells all that makes them but the model's weights.
  virtual void Visit(const std::string& key, const Model& model,
                     const std::vector<std::string>& names,
                     const std::function<void(const TakeGradient& take)>& compute,
                     const TakeGradient& take) = 0;
};

}  // namespace grin
