#include "grin/tune/tune_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "grin/base/error.h"

namespace grin {
namespace {

constexpr size_t kRecentValues = 32;
constexpr size_t kEnoughValues = 10;

double MedianOf(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Json ExactList(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(ExactJson(value));
  return list;
}

std::vector<double> FromExactList(const Json& list) {
  std::vector<double> values;
  for (const Json& value : list) values.push_back(FromExactJson(value));
  return values;
}

void Store(const char* name, const KeptWeights& kept, StateFile& file) {
  if (!kept.master.defined()) return;
  file.fields[name] = {{"step", kept.step}, {"score", ExactJson(kept.score)}};
  file.tensors[name] = kept.master;
}

KeptWeights LoadKept(const char* name, const StateFile& file) {
  if (!file.fields.contains(name)) return {};
  const Json& fields = file.fields[name];
  return {.master = file.tensors.at(name),
          .score = FromExactJson(fields.at("score")),
          .step = fields.at("step")};
}

// JSON Lines as bytes: a header of many thousand steps would be too long.
at::Tensor LogTensor(const std::vector<Json>& log) {
  std::string lines;
  for (const Json& record : log) lines += record.dump() + "\n";
  const at::Tensor bytes = at::empty({static_cast<int64_t>(lines.size())}, at::kByte);
  if (!lines.empty()) std::memcpy(bytes.mutable_data_ptr(), lines.data(), lines.size());
  return bytes;
}

std::vector<Json> LogOf(const at::Tensor& bytes) {
  std::istringstream lines(std::string(static_cast<const char*>(bytes.const_data_ptr()),
                                       static_cast<size_t>(bytes.numel())));
  std::vector<Json> log;
  for (std::string line; std::getline(lines, line);) log.push_back(Json::parse(line));
  return log;
}

}  // namespace

double RecentValues::SpreadsAbove(double value, double floor) const {
  if (values_.size() < kEnoughValues) return 0;
  const double median = MedianOf(values_);
  std::vector<double> deviations;
  for (const double recent : values_) deviations.push_back(std::fabs(recent - median));
  const double spread =
      std::max({1.4826 * MedianOf(std::move(deviations)), 0.1 * std::fabs(median), floor});
  return spread > 0 ? (value - median) / spread : 0;
}

void RecentValues::Add(double value) {
  if (values_.size() == kRecentValues) values_.erase(values_.begin());
  values_.push_back(value);
}

StateFile ToStateFile(const TuneState& state) {
  StateFile file;
  file.fields = {{"step", state.step},         {"updates", state.updates},
                 {"tokens", state.tokens},     {"seconds", ExactJson(state.seconds)},
                 {"finished", state.finished}, {"kept_step", state.kept_step},
                 {"guard", state.guard},       {"norms", ExactList(state.norms.values())},
                 {"terms", Json::array()}};
  for (const TermState& term : state.terms) {
    file.fields["terms"].push_back({{"drawn", term.drawn},
                                    {"first_loss", ExactJson(term.first_loss)},
                                    {"losses", ExactList(term.losses.values())},
                                    {"scale", ExactJson(term.scale)}});
  }
  file.fields["rehearsal"] = {{"drawn", state.rehearsal.drawn},
                              {"first_norm", ExactJson(state.rehearsal.first_norm)}};
  file.tensors["master"] = state.master;
  file.tensors["log"] = LogTensor(state.log);
  if (!state.finished) {
    file.tensors["m"] = state.m;
    file.tensors["v"] = state.v;
    if (state.rehearsal.adversary.defined()) file.tensors["adversary"] = state.rehearsal.adversary;
    if (state.scorer.defined()) file.tensors["scorer"] = state.scorer;
    Store("best", state.best, file);
    Store("pending", state.pending, file);
  }
  return file;
}

void SaveTuneState(const std::filesystem::path& path, const TuneState& state) {
  WriteStateFile(path, ToStateFile(state));
}

TuneState TuneStateFrom(const StateFile& file) {
  try {
    TuneState state;
    const Json& fields = file.fields;
    state.step = fields.at("step");
    state.updates = fields.at("updates");
    state.tokens = fields.at("tokens");
    state.seconds = FromExactJson(fields.at("seconds"));
    state.finished = fields.at("finished");
    state.kept_step = fields.at("kept_step");
    state.guard = fields.at("guard").get<std::string>();
    state.norms = RecentValues(FromExactList(fields.at("norms")));
    for (const Json& term : fields.at("terms")) {
      state.terms.push_back({.drawn = term.at("drawn"),
                             .first_loss = FromExactJson(term.at("first_loss")),
                             .losses = RecentValues(FromExactList(term.at("losses"))),
                             .scale = FromExactJson(term.at("scale"))});
    }
    const Json& rehearsal = fields.at("rehearsal");
    state.rehearsal.drawn = rehearsal.at("drawn");
    state.rehearsal.first_norm = FromExactJson(rehearsal.at("first_norm"));
    state.master = file.tensors.at("master");
    state.log = LogOf(file.tensors.at("log"));
    if (!state.finished) {
      state.m = file.tensors.at("m");
      state.v = file.tensors.at("v");
      if (file.tensors.contains("adversary")) {
        state.rehearsal.adversary = file.tensors.at("adversary");
      }
      if (file.tensors.contains("scorer")) state.scorer = file.tensors.at("scorer");
      state.best = LoadKept("best", file);
      state.pending = LoadKept("pending", file);
    }
    return state;
  } catch (const std::exception& error) {  // whole, but not what this version writes
    BadInput("tune", "is no state of a training run: {}", error.what());
  }
}

TuneState LoadTuneState(const std::filesystem::path& path) {
  const StateFile file = ReadStateFile(path);
  try {
    return TuneStateFrom(file);
  } catch (const Error& error) {
    const std::string_view what = error.what();
    BadInput("tune", "{}: {}", path.string(), what.substr(what.find("] ") + 2));
  }
}

}  // namespace grin
