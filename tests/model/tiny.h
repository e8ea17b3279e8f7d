#pragma once
// The tiny checkpoints of tests/data/model, and what transformers computes with them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/data/sequence.h"
#include "grin/io/checkpoint.h"
#include "grin/model/decoder.h"
#include "tests/standin/test_device.h"

namespace grin {

inline constexpr const char* kTinyModels[] = {
    "falcon_40b",         "falcon_7b",        "falcon_sequential",
    "gemma1_legacy_gelu", "gemma2_caps",      "gemma2_uncapped",
    "gemma3_listed",      "gemma3_two_bases", "gpt2_body",
    "gpt2_scales",        "gpt_neox_pythia",  "gpt_neox_sequential",
    "llama3_rope",        "llama_biases",     "llama_buffers",
    "llama_dynamic_rope", "llama_gqa_tied",   "llama_linear_rope_sharded",
    "llama_nine_heads",   "llama_plain",      "llama_yarn",
    "mistral_gelu",       "mistral_window",   "olmo2_norms",
    "opt_350m",           "opt_bare",         "opt_plain",
    "phi3_longrope",      "phi3_window",      "phi_grouped",
    "phi_plain",          "qwen2_sharded",    "qwen2_windows_yarn",
    "qwen3_biases",       "qwen3_tied",       "smollm3_listed",
    "smollm3_nope",       "stablelm_12b",     "stablelm_gated"};

constexpr const char* kLeftOutOnDevice =
    "on the stand-in device a few models stand for all: its operators are slow";

// Whether a test of many passes leaves this model out: on the stand-in device, where each operator costs
// several system calls, those that follow stand for all.
inline bool LeftOutOnDevice(std::string_view model) {
  constexpr std::string_view kStandForAll[] = {"gemma2_caps", "llama_gqa_tied", "phi3_longrope"};
  return !TestDevice().is_cpu() && std::ranges::count(kStandForAll, model) == 0;
}

inline std::filesystem::path TinyPath(const std::string& name) {
  return std::filesystem::path(GRIN_TEST_DATA) / "model" / name;
}

inline Model LoadTiny(const std::string& name, at::ScalarType dtype = at::kFloat) {
  return LoadModel(Checkpoint::Open(TinyPath(name)), dtype, TestDevice());
}

inline Json GoldenJson(const std::string& path) {
  return Json::parse(ReadFile(std::filesystem::path(GRIN_TEST_DATA) / path));
}

// Tokens of which every one but the first is a label, or those that `labels` names.
inline Sequence LabelledSequence(std::vector<int32_t> tokens, std::vector<int32_t> labels = {}) {
  Sequence sequence;
  if (labels.empty()) {
    for (size_t i = 1; i < tokens.size(); ++i) labels.push_back(static_cast<int32_t>(i));
  }
  sequence.tokens = std::move(tokens);
  sequence.labels = std::move(labels);
  sequence.label_spans.assign(sequence.labels.size(), {-1, -1});
  sequence.label_weights.assign(sequence.labels.size(), 1.0f);
  return sequence;
}

// Records {"tokens": [...]} with or without "labels".
inline std::vector<Sequence> SequencesOf(const Json& records) {
  std::vector<Sequence> sequences;
  for (const Json& record : records) {
    sequences.push_back(LabelledSequence(record["tokens"].get<std::vector<int32_t>>(),
                                         record.value("labels", std::vector<int32_t>{})));
    sequences.back().example = static_cast<int64_t>(sequences.size()) - 1;
  }
  return sequences;
}

// The one-line message of the error that `run` throws, "no error" when it throws none.
template <typename Run>
std::string MessageOf(const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(std::strchr(error.what(), '\n'), nullptr) << error.what();
    return error.what();
  }
  return "no error";
}

// An empty directory of that name.
inline std::filesystem::path EmptyDirectory(const std::string& name) {
  const auto dir = std::filesystem::path(testing::TempDir()) / ("grin_" + name);
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  return dir;
}

}  // namespace grin
