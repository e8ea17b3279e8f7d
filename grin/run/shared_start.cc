#include "grin/run/shared_start.h"

#include <cstring>
#include <string_view>

#include "grin/base/error.h"
#include "grin/run/state_directory.h"

namespace grin {
namespace {

constexpr std::string_view kMaskPrefix = "the mask/";

// A state as it lies in memory: fields, and what each tensor is, as JSON; then the tensors one by
// one.
StateFile ShareStateFile(const Ranks& ranks, const StateFile& state) {
  Json head = {{"fields", state.fields}, {"tensors", Json::array()}};
  for (const auto& [name, tensor] : state.tensors) {
    head["tensors"].push_back({{"name", name},
                               {"type", static_cast<int>(tensor.scalar_type())},
                               {"shape", tensor.sizes().vec()}});
  }
  head = ShareJson(ranks, head);
  StateFile shared{.fields = head.at("fields")};
  for (const Json& info : head.at("tensors")) {
    const std::string name = info.at("name");
    at::Tensor tensor =
        ranks.first()
            ? state.tensors.at(name).contiguous()
            : at::empty(info.at("shape").get<std::vector<int64_t>>(),
                        at::TensorOptions(static_cast<at::ScalarType>(info.at("type").get<int>())));
    ranks.Broadcast(tensor);
    shared.tensors[name] = tensor;
  }
  return shared;
}

void AddMask(const Mask& mask, StateFile& file) {
  Json& tensors = file.fields["mask"] = Json::object();
  file.fields["mask_metadata"] = mask.metadata();
  for (const MaskTensor& tensor : mask.tensors()) {
    tensors[tensor.name] = tensor.shape;
    const at::Tensor bits = at::empty({static_cast<int64_t>(tensor.bits.size())}, at::kByte);
    if (!tensor.bits.empty()) {
      std::memcpy(bits.mutable_data_ptr(), tensor.bits.data(), tensor.bits.size());
    }
    file.tensors[std::string(kMaskPrefix) + tensor.name] = bits;
  }
}

// Takes what AddMask has added.
std::optional<Mask> TakeMask(StateFile& file) {
  if (!file.fields.contains("mask")) return std::nullopt;
  std::vector<MaskTensor> tensors;
  for (const auto& [name, shape] : file.fields["mask"].items()) {
    const at::Tensor bits = file.tensors.extract(std::string(kMaskPrefix) + name).mapped();
    const auto* data = bits.const_data_ptr<uint8_t>();
    tensors.push_back({.name = name, .shape = shape, .bits = {data, data + bits.numel()}});
  }
  Mask mask(std::move(tensors));
  mask.metadata() = file.fields["mask_metadata"];
  file.fields.erase("mask");
  file.fields.erase("mask_metadata");
  return mask;
}

}  // namespace

void CheckAlike(const Ranks& ranks, const Json& identity) {
  if (ranks.alone()) return;
  const auto all = ranks.Gather(identity.dump(-1, ' ', false, Json::error_handler_t::replace));
  for (int64_t rank = 1; rank < ranks.world(); ++rank) {
    if (all[rank] == all[0]) continue;
    bool usage = false;
    const std::string differences =
        IdentityDifferences(Json::parse(all[0]), Json::parse(all[rank]), &usage);
    throw Error(usage ? ErrorClass::kUsage : ErrorClass::kBadInput, "ranks",
                fmt::format("rank {} was given other settings or files than rank 0: {}", rank,
                            differences.empty() ? "another version of grin" : differences));
  }
}

Json ShareJson(const Ranks& ranks, Json json) {
  if (ranks.alone()) return json;
  return Json::parse(ranks.Broadcast(
      ranks.first() ? json.dump(-1, ' ', false, Json::error_handler_t::replace) : std::string()));
}

std::optional<RunState::Start> ShareStart(const Ranks& ranks,
                                          std::optional<RunState::Start> start) {
  if (ranks.alone() || !ShareJson(ranks, start.has_value()).get<bool>()) return start;
  StateFile file;
  if (start) {
    file = start->plan;
    if (start->mask) AddMask(*start->mask, file);
  }
  file = ShareStateFile(ranks, file);
  if (ranks.first()) return start;
  RunState::Start shared;
  shared.mask = TakeMask(file);
  shared.plan = std::move(file);
  return shared;
}

std::optional<TuneState> ShareStep(const Ranks& ranks, std::optional<TuneState> state) {
  if (ranks.alone() || !ShareJson(ranks, state.has_value()).get<bool>()) return state;
  const StateFile file = ShareStateFile(ranks, state ? ToStateFile(*state) : StateFile{});
  return ranks.first() ? std::move(state) : TuneStateFrom(file);
}

}  // namespace grin
