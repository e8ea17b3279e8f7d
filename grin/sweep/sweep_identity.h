#pragma once
// What makes a result, told by content: the same settings on the same files have the same name,
// wherever the files lie.

#include <map>
#include <string>

#include "grin/base/json.h"
#include "grin/sweep/sweep_file.h"

namespace grin {

// Remembers what it has read. Not for several threads at once.
class SweepIdentities {
 public:
  // `file` must outlive this.
  explicit SweepIdentities(const SweepFile& file) : file_(file) {}

  // The settings without those that change no figure beyond its last digits (device, threads,
  // memory), with fingerprints in the place of names of files and models.
  Json OfUnlearn(const SweepUnlearn& settings);
  // The same without what changes no reference value of its objective: which weights are trained,
  // how they are perturbed, rates and numbers of steps.
  Json OfReferences(const SweepUnlearn& settings);
  // The same of what is measured on any model; neither the seed of the run nor the model is in it.
  Json OfEval(const SweepEval& settings);
  Json OfAttack(const SweepAttack& settings);  // the seed is
  // Of a model that is made here.
  std::string OfFinetune(const SweepFinetune& finetune);
  // Of a file, folder, list of them, or model; what names none is returned as it is. Error (bad
  // input) for a file that cannot be read.
  std::string OfFiles(const std::string& key, const std::string& name);

 private:
  Json WithFingerprints(Json recipe);

  const SweepFile& file_;
  std::map<std::string, std::string> known_;
};

}  // namespace grin
