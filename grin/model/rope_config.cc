#include "grin/model/rope_config.h"

#include <algorithm>
#include <cmath>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/model/rope_rules.h"

namespace grin {
namespace {

constexpr const char* kRopeTypes = "default, dynamic, linear, llama3, longrope, yarn";

// The name of the rule that a key gives; empty where it gives none.
std::string RopeTypeUnder(const JsonFields& settings, const char* key) {
  const std::string type = settings.String(key, "");
  // Early Phi-3 checkpoints call longrope so.
  if (type == "su" || (type == "yarn" && settings.Find("short_factor"))) return "longrope";
  // Its three kinds of positions are one for text.
  return type == "mrope" ? "default" : type;
}

// Settings without a name are no scaling only where they scale nothing: whoever wrote a factor
// meant one of several rules.
std::string RopeType(const JsonFields& settings, const Json& object) {
  const std::string newer = RopeTypeUnder(settings, "rope_type");
  const std::string older = RopeTypeUnder(settings, "type");
  if (!newer.empty() && !older.empty() && newer != older) {
    BadInput("model", "{}: the rotary settings {} name two types; keep the right one",
             settings.where(), object.dump());
  }
  if (!newer.empty() || !older.empty()) return newer.empty() ? older : newer;
  for (const auto& [key, value] : object.items()) {
    constexpr std::string_view kUnscaled[] = {"rope_type", "type", "rope_theta",
                                              "partial_rotary_factor"};
    if (value.is_null() || std::ranges::count(kUnscaled, key) > 0) continue;
    BadInput("model",
             "{}: the rotary settings (rope_scaling) {} name no type; add \"rope_type\": {}",
             settings.where(), object.dump(), kRopeTypes);
  }
  return "default";
}

void ReadLlama3(const JsonFields& settings, RopeConfig& rope) {
  for (const char* key : {"low_freq_factor", "high_freq_factor"}) {
    if (!settings.Find(key)) {
      BadInput("model", "{}: rope scaling 'llama3' has no '{}'", settings.where(), key);
    }
  }
  rope.kind = RopeConfig::Kind::kLlama3;
  rope.low_frequency_factor = settings.Real("low_freq_factor", 1.0);
  rope.high_frequency_factor = settings.Real("high_freq_factor", 4.0);
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    BadInput("model", "{}: high_freq_factor must be above low_freq_factor", settings.where());
  }
}

void ReadYarn(const JsonFields& settings, RopeConfig& rope) {
  rope.kind = RopeConfig::Kind::kYarn;
  rope.beta_fast = settings.Real("beta_fast", 32.0);
  rope.beta_slow = settings.Real("beta_slow", 1.0);
  rope.truncate = settings.Bool("truncate", true);
  const auto scale = settings.Real("mscale"), scale_all = settings.Real("mscale_all_dim");
  rope.magnitude = scale && scale_all
                       ? YarnMagnitude(rope.factor, *scale) / YarnMagnitude(rope.factor, *scale_all)
                       : YarnMagnitude(rope.factor);
  rope.magnitude = settings.Real("attention_factor", rope.magnitude);
}

void ReadLongRope(const JsonFields& settings, RopeConfig& rope) {
  rope.kind = RopeConfig::Kind::kLongRope;
  rope.short_factors = settings.Reals("short_factor");
  rope.long_factors = settings.Reals("long_factor");
  const auto pairs = static_cast<size_t>((rope.dimensions + 1) / 2);
  for (const auto* factors : {&rope.short_factors, &rope.long_factors}) {
    if (factors->size() != pairs) {
      BadInput("model", "{}: short_factor and long_factor must hold {} numbers each, not {}",
               settings.where(), pairs, factors->size());
    }
  }
  const double context = static_cast<double>(rope.original_context);
  rope.magnitude =
      rope.factor <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(rope.factor) / std::log(context));
  rope.magnitude = settings.Real("attention_factor", rope.magnitude);
}

}  // namespace

RopeConfig ReadRopeSettings(const JsonFields& config, const Json* settings,
                            const ModelConfig& model, const RopeDefaults& defaults) {
  const Json none = Json::object();
  if (settings && !settings->is_object()) {
    BadInput("model", "{}: the rotary settings are {}; they must be an object", config.where(),
             settings->dump());
  }
  const JsonFields scaling(settings ? *settings : none, config.where());
  RopeConfig rope;
  rope.theta = scaling.Real("rope_theta", config.Real(defaults.theta_key, defaults.theta));
  const double share = scaling.Real("partial_rotary_factor",
                                    config.Real(defaults.share_key, defaults.rotated_share));
  rope.dimensions = static_cast<int64_t>(static_cast<double>(model.head_dim) * share);
  const int64_t rotated = rope.dimensions + rope.dimensions % 2;
  if (rope.dimensions <= 0 || rotated > model.head_dim) {
    BadInput("model",
             "{}: {} of the {} dimensions of a head would be rotary; they come in pairs, of which "
             "there must be one at least",
             config.where(), rope.dimensions, model.head_dim);
  }

  const std::string type = RopeType(scaling, settings ? *settings : none);
  const bool needs_factor = type == "linear" || type == "llama3" || type == "dynamic";
  if (needs_factor && !scaling.Find("factor")) {
    BadInput("model", "{}: rope scaling '{}' has no 'factor'", config.where(), type);
  }
  if (type == "default" && scaling.Real("factor", 1.0) != 1.0) {
    Warn("{}: the rotary settings {} are of type 'default', which has no factor; it is not used",
         config.where(), settings->dump());
  }
  // "dynamic" differs from the plain form only beyond the context, where sequences are cut.
  if (type == "default" || type == "dynamic") return rope;

  if (type == "llama3" && !scaling.Find("original_max_position_embeddings") &&
      !config.Find("original_max_position_embeddings")) {
    Warn(
        "{}: rope scaling 'llama3' has no 'original_max_position_embeddings'; the context, {}, is "
        "taken, as transformers 5 does",
        config.where(), model.context);
  }
  const int64_t fallback = defaults.original_context.value_or(
      scaling.Count("original_max_position_embeddings", model.context));
  rope.original_context = config.Count("original_max_position_embeddings", fallback);
  const double stretch =
      static_cast<double>(model.context) / static_cast<double>(rope.original_context);
  rope.factor = scaling.Real("factor", stretch);
  if (type == "yarn") {
    ReadYarn(scaling, rope);
  } else if (type == "longrope") {
    ReadLongRope(scaling, rope);
  } else if (type == "linear") {
    rope.kind = RopeConfig::Kind::kLinear;
  } else if (type == "llama3") {
    ReadLlama3(scaling, rope);
  } else {
    BadInput("model", "{}: rope scaling '{}' is not supported; the known ones are {}",
             config.where(), type, kRopeTypes);
  }
  return rope;
}

void ReadRope(const JsonFields& config, ModelConfig& model, const RopeDefaults& defaults) {
  const Json* settings = config.Find("rope_scaling");
  const Json* newer = config.Find("rope_parameters");
  if (!settings || settings->empty()) {
    settings = newer;
  } else if (newer && !newer->empty() && *newer != *settings) {
    Warn("{}: has both 'rope_scaling' and 'rope_parameters'; the first counts", config.where());
  }
  model.ropes = {ReadRopeSettings(config, settings, model, defaults)};
  for (LayerConfig& layer : model.layer) layer.rope = 0;
}

}  // namespace grin
