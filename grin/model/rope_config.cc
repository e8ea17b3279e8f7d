#include "grin/model/rope_config.h"

#include <cmath>

#include "grin/base/error.h"
#include "grin/model/rope_rules.h"

namespace grin {
namespace {

void ReadLlama3(const JsonFields& settings, RopeConfig& rope) {
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

  std::string type = scaling.String("rope_type", scaling.String("type", "default"));
  // Early Phi-3 checkpoints call longrope so.
  if (type == "su" || (type == "yarn" && scaling.Find("short_factor"))) type = "longrope";
  // "dynamic" differs from the plain form only beyond the context, where sequences are cut.
  if (type == "default" || type == "dynamic") return rope;

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
  } else if ((type == "linear" || type == "llama3") && !scaling.Find("factor")) {
    BadInput("model", "{}: rope scaling '{}' has no 'factor'", config.where(), type);
  } else if (type == "linear") {
    rope.kind = RopeConfig::Kind::kLinear;
  } else if (type == "llama3") {
    ReadLlama3(scaling, rope);
  } else {
    BadInput("model",
             "{}: rope scaling '{}' is not supported; the known ones are default, dynamic, linear, "
             "llama3, longrope, yarn",
             config.where(), type);
  }
  return rope;
}

void ReadRope(const JsonFields& config, ModelConfig& model, const RopeDefaults& defaults) {
  const Json* settings = config.Find("rope_scaling");
  if (!settings || settings->empty()) settings = config.Find("rope_parameters");
  model.ropes = {ReadRopeSettings(config, settings, model, defaults)};
  for (LayerConfig& layer : model.layer) layer.rope = 0;
}

}  // namespace grin
