#include "grin/model/family.h"

#include <algorithm>
#include <vector>

#include "grin/base/error.h"

namespace grin {

extern const Family kLlamaFamily;

namespace {

const Family* const kFamilies[] = {&kLlamaFamily};

}  // namespace

const Family& FamilyOf(std::string_view model_type, std::string_view where) {
  std::vector<std::string_view> known;
  for (const Family* family : kFamilies) {
    for (const std::string_view type : family->model_types) {
      if (type == model_type) return *family;
      known.push_back(type);
    }
  }
  BadInput("model", "{}: model_type '{}' is not supported; the known ones are {}", where,
           model_type, fmt::join(known, ", "));
}

const Family& FamilyNamed(std::string_view name) {
  const auto found = std::ranges::find(kFamilies, name, [](const Family* f) { return f->name; });
  if (found == std::end(kFamilies)) Defect("model", "no family is named {}", name);
  return **found;
}

}  // namespace grin
