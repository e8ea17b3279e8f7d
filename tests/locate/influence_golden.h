#pragma once
// The goldens of tests/data/make_influence_goldens.py.

#include <string>
#include <vector>

#include "grin/data/packing.h"
#include "tests/model/tiny.h"

namespace grin {

inline constexpr const char* kInfluenceModels[] = {"llama_gqa_tied", "mistral_window"};

struct InfluenceGolden {
  explicit InfluenceGolden(const std::string& model)
      : json(GoldenJson("locate/" + model + ".json")),
        forget(SequencesOf(json["forget"])),
        retain(SequencesOf(json["retain"])),
        scored(json["scored"].get<std::vector<std::string>>()) {}

  Json json;
  std::vector<Sequence> forget, retain;
  std::vector<std::string> scored;
};

}  // namespace grin
