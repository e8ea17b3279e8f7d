#include "grin/sweep/kept_references.h"

#include "grin/base/hash.h"

namespace grin {

namespace fs = std::filesystem;

StateFile KeptReferences::Get(const std::string& key, const std::function<StateFile()>& compute) {
  const std::string name = "references-" + Fingerprint(of_ + " " + key);
  const fs::path path = ledger_.shared() / (name + ".safetensors");
  std::error_code error;
  if (fs::exists(path, error)) return ReadStateFile(path);
  const Claim claim = Claim::Wait(ledger_.LockOf(name), "reference values");
  if (fs::exists(path, error)) return ReadStateFile(path);
  StateFile values = compute();
  WriteStateFile(path, values);
  return values;
}

}  // namespace grin
