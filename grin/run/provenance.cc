#include "grin/run/provenance.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <vector>

#include "grin/base/hash.h"
#include "grin/base/version.h"
#include "grin/io/data_files.h"
#include "grin/locate/locate.h"

namespace grin {

std::string ValidUtf8(std::string_view text) {
  // The JSON library knows best what it takes.
  const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(quoted).get<std::string>();
}

Json WithThreads(Json recipe) {
  recipe["threads"] = at::get_num_threads();
  return recipe;
}

Json DescribeInput(const std::filesystem::path& files, int64_t records) {
  std::vector<std::string> prints;
  for (const std::filesystem::path& file : FindDataFiles(files)) {
    prints.push_back(FileFingerprint(file));
  }
  // Of several files, that of their fingerprints in order.
  const std::string print =
      prints.size() == 1 ? prints[0] : Fingerprint(fmt::format("{}", fmt::join(prints, "")));
  return {{"path", ValidUtf8(files.string())}, {"fingerprint", print}, {"records", records}};
}

Json Provenance(std::string_view command, const Json& recipe) {
  return {{"grin_version", Version()},
          {"command", command},
          {"recipe", recipe},
          {"recipe_hash", Fingerprint(recipe.dump())}};
}

Json DescribeMask(const Mask& mask) {
  Json modules = Json::object();
  for (const ModuleDensity& module : DensityByModule(mask)) {
    modules[module.module] =
        static_cast<double>(module.selected) / static_cast<double>(module.total);
  }
  Json json = {{"selected", mask.count()}, {"scored", mask.total()}, {"density", modules}};
  for (const auto& [key, value] : mask.metadata()) json[key] = value;
  return json;
}

Json DescribeTuning(const TuneReport& report) {
  return {{"steps", report.steps},   {"kept_step", report.kept_step}, {"tokens", report.tokens},
          {"seconds", report.seconds}, {"guard", report.guard},       {"first", report.first},
          {"last", report.last}};
}

}  // namespace grin
