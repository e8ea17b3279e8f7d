#pragma once
// Reference values of objectives, in files of a sweep's folder.

#include <string>

#include "grin/sweep/ledger.h"
#include "grin/tune/reference_store.h"

namespace grin {

class KeptReferences final : public ReferenceStore {
 public:
  // `of` tells model, task and settings from others. `ledger` must outlive this.
  KeptReferences(const Ledger& ledger, std::string of) : ledger_(ledger), of_(std::move(of)) {}

  StateFile Get(const std::string& key, const std::function<StateFile()>& compute) override;

 private:
  const Ledger& ledger_;
  std::string of_;
};

}  // namespace grin
