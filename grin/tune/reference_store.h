#pragma once
// Where the reference values of objectives may be kept (TunePlan::Prepared), so that runs that
// compare with the same ones compute them once.

#include <functional>
#include <string>

#include "grin/tune/state_file.h"

namespace grin {

class ReferenceStore {
 public:
  virtual ~ReferenceStore() = default;

  // What is kept under `key`, or what `compute` gives, which is then kept. `key` tells how it is
  // computed; whoever made the store knows of what.
  virtual StateFile Get(const std::string& key, const std::function<StateFile()>& compute) = 0;
};

}  // namespace grin
