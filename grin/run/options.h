#pragma once
// The settings that runs have in common: the single source for flags, TOML keys, help and recipe.

#include <cstdint>
#include <string>

namespace grin {

struct ModelOptions {
  std::string model;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("model", model, "checkpoint directory, .gguf file, or hub name in the local cache");
  }
};

struct DataOptions {
  std::string template_name;
  std::string system_prompt;
  std::string template_variables;
  std::string columns;
  int64_t max_length = 0;
  std::string compat;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("template", template_name,
          "chat, qa, raw or a file; default: chat where the checkpoint has a chat template, else "
          "qa");
    visit("system-prompt", system_prompt, "for chat templates; default: the template's own");
    visit("template-variables", template_variables,
          "for chat templates, such as date_string=10 Apr 2025,enable_thinking=false, or a JSON "
          "object");
    visit("columns", columns,
          "such as prompt=Q,response=A, text=BODY or messages=CHAT; default: found by name");
    visit("max-length", max_length,
          "longest sequence in tokens; 0: the model's context, with --compat 512");
    visit("compat", compat,
          "open-unlearning: token ids, labels and numbers as that tool has them");
  }
};

// How a run computes.
struct ComputeOptions {
  std::string device = "auto";
  std::string dtype;
  int64_t seed = 0;
  std::string memory_budget;
  bool deterministic = false;
  std::string reduce = "fp32";

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("device", device, "cpu, cuda, cuda:N, or auto: cuda where there is one, else cpu");
    visit("dtype", dtype,
          "type to compute in: float32 or bfloat16; default: the checkpoint's");
    visit("seed", seed, "of every random choice");
    visit("memory-budget", memory_budget,
          "such as 2G: passes are made to fit, or the run is refused; default: no limit");
    visit("deterministic", deterministic,
          "sums over sequences are made of eight parts, always the same: 1, 2, 4 or 8 processes with "
          "equal --threads give the same bits");
    visit("reduce", reduce,
          "how gradients travel between processes: fp32, or bf16, which halves the traffic");
  }
};

// The two sets of a task.
struct TaskOptions {
  std::string forget, retain;
  bool allow_overlap = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit.List("forget", forget,
               "what must go: files of questions and answers, chats or text (JSON Lines, JSON, "
               "CSV, Parquet), patterns, or hub://datasets/ORG/NAME/FILE");
    visit.List("retain", retain, "what must stay, in the same form");
    visit("allow-overlap", allow_overlap, "accept records that are in both sets");
  }
};

struct OutputOptions {
  std::string out;
  bool force = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("out", out, "where the result goes");
    visit("force", force, "replace what stands there");
  }
};

}  // namespace grin
