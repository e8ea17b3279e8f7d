// From a checkpoint's named tensors to the roles of a decoder.

#include "grin/base/error.h"
#include "grin/model/decoder.h"
#include "grin/model/shapes.h"

namespace grin {
namespace {

// Looks roles up under one prefix. An empty name gives an absent role.
class Roles {
 public:
  Roles(Weights& weights, const ModelConfig& config, std::string prefix)
      : weights_(weights), config_(config), prefix_(std::move(prefix)) {}

  Roles Inside(const std::string& part) const { return {weights_, config_, prefix_ + part}; }

  Parameter Tensor(const std::string& name, const char* part, at::IntArrayRef shape) const {
    return name.empty() ? Parameter() : weights_.Get(prefix_ + name + part, shape);
  }

  LinearWeights Matrix(const std::string& name, int64_t out, int64_t in, bool bias,
                       bool transposed) const {
    const std::vector<int64_t> shape = transposed ? std::vector{in, out} : std::vector{out, in};
    return {.weight = Tensor(name, ".weight", shape),
            .bias = bias ? Tensor(name, ".bias", {out}) : Parameter(),
            .transposed = transposed};
  }

  NormWeights Norm(const std::string& name, int64_t width, bool bias) const {
    if (name.empty()) return {};
    return {.weight = config_.norm.weight ? Tensor(name, ".weight", {width}) : Parameter(),
            .bias = bias ? Tensor(name, ".bias", {width}) : Parameter(),
            .present = true};
  }

  // The norms of queries or of keys: none, one for all heads, or one for each of them.
  std::vector<NormWeights> HeadNorms(const std::vector<std::string>& names, int64_t heads) const {
    std::vector<NormWeights> norms;
    const int64_t width = (config_.qk_norm_whole ? heads : 1) * config_.head_dim;
    for (const std::string& name : names) {
      norms.push_back(Norm(name, width, config_.qk_norm_bias));
    }
    return norms;
  }

 private:
  Weights& weights_;
  const ModelConfig& config_;
  std::string prefix_;
};

BlockWeights LoadBlock(const Roles& roles, const ModelConfig& config) {
  const BlockNames& names = config.names.block;
  const int64_t d = config.hidden, inner = config.intermediate;
  const int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim;
  const auto norm = [&](const std::string& name) { return roles.Norm(name, d, config.norm.bias); };
  const auto matrix = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    return roles.Matrix(name, out, in, bias, config.transposed_matrices);
  };
  return {.input_norm = norm(names.input_norm),
          .attention_out_norm = norm(names.attention_out_norm),
          .attention_residual_norm = norm(names.attention_residual_norm),
          .mlp_norm = norm(names.mlp_norm),
          .mlp_out_norm = norm(names.mlp_out_norm),
          .mlp_residual_norm = norm(names.mlp_residual_norm),
          .q_norm = roles.HeadNorms(names.q_norm, config.heads),
          .k_norm = roles.HeadNorms(names.k_norm, config.kv_heads),
          .q = matrix(names.q, q, d, config.qkv_bias),
          .k = matrix(names.k, kv, d, config.qkv_bias),
          .v = matrix(names.v, kv, d, config.qkv_bias),
          .qkv = matrix(names.qkv, q + 2 * kv, d, config.qkv_bias),
          .o = matrix(names.o, d, q, config.output_bias),
          .gate = matrix(names.gate, inner, d, config.mlp_bias),
          .up = matrix(names.up, inner, d, config.mlp_bias),
          .gate_up = matrix(names.gate_up, 2 * inner, d, config.mlp_bias),
          .down = matrix(names.down, d, inner, config.mlp_bias)};
}

Head LoadHead(Weights& weights, const ModelConfig& config, const Parameter& embedding,
              const HasTensor& has) {
  Head head{.softcap = config.final_softcap};
  const std::string name = FindHead(config.names, has);
  head.weight = config.tied_embeddings
                    ? embedding
                    : weights.Get(name + ".weight", {config.vocabulary, config.embedding_width});
  if (config.head_bias) head.bias = weights.Get(name + ".bias", {config.vocabulary});
  return head;
}

// Fills in every role of a model that has its config and its weights. The vectors that turn queries and
// keys are made on `device`.
void FillRoles(Model& model, const HasTensor& has, at::Device device) {
  const ModelConfig& config = model.config;
  Weights& weights = *model.weights;
  const TensorNames& names = config.names;
  const Roles roles(weights, config, FindPrefix(names, has));

  const int64_t d = config.hidden, width = config.embedding_width;
  model.embedding = roles.Tensor(names.embedding, ".weight", {config.vocabulary, width});
  model.positions =
      roles.Tensor(names.positions, ".weight", {config.context + config.position_offset, d});
  model.project_in = roles.Matrix(names.project_in, d, width, false, false);
  model.project_out = roles.Matrix(names.project_out, width, d, false, false);
  for (int64_t i = 0; i < config.layers; ++i) {
    const Roles block = roles.Inside(fmt::format("{}.{}.", names.layers, i));
    model.blocks.push_back(LoadBlock(block, config));
  }
  model.final_norm = roles.Norm(names.final_norm, d, config.norm.bias);
  model.head = LoadHead(weights, config, model.embedding, has);
  for (const RopeConfig& rope : config.ropes) model.ropes.push_back(MakeRope(rope, device));
}

}  // namespace

std::vector<std::string> Model::BlockMatrices() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (std::string& name : BlockMatrices(static_cast<int64_t>(i))) names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> Model::BlockMatrices(int64_t number) const {
  std::vector<std::string> names;
  const BlockWeights& block = blocks[number];
  for (const LinearWeights* linear : {&block.q, &block.k, &block.v, &block.qkv, &block.o,
                                      &block.gate, &block.up, &block.gate_up, &block.down}) {
    if (linear->defined()) names.push_back(linear->weight.name);
  }
  return names;
}

Model LoadModel(std::shared_ptr<const Checkpoint> checkpoint, std::optional<at::ScalarType> dtype,
                at::Device device) {
  Model model;
  model.config = ParseModelConfig(checkpoint->config(), checkpoint->path().string() + "/config.json");
  model.weights =
      std::make_shared<Weights>(checkpoint, dtype.value_or(NaturalType(*checkpoint)), device);
  FillRoles(
      model, [&](const std::string& name) { return model.weights->Has(name); }, device);
  return model;
}

// Stored as bf16 throughout its matrices? Then it is computed so.
at::ScalarType NaturalType(const Checkpoint& checkpoint) {
  int64_t narrow = 0, wide = 0;
  for (const TensorInfo& info : checkpoint.tensors()) {
    (info.dtype == DType::kBF16 ? narrow : wide) += info.elements();
  }
  return narrow > wide ? at::kBFloat16 : at::kFloat;
}

Model LoadShapes(const Json& config, const std::string& where, at::ScalarType dtype,
                 at::Device device) {
  Model model;
  model.config = ParseModelConfig(config, where);
  model.weights = std::make_shared<Weights>(nullptr, dtype, device);
  FillRoles(
      model, [](const std::string&) { return false; }, at::kCPU);
  return model;
}

}  // namespace grin
