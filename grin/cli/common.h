#pragma once
// What the subcommands share: common options, opening a model with its tokenizer, reading data,
// writing an output directory.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "grin/base/version.h"
#include "grin/data/encode.h"
#include "grin/data/example.h"
#include "grin/locate/mask.h"
#include "grin/model/decoder.h"
#include "grin/tune/trainable.h"

namespace grin {

struct CommonOptions {
  std::string config;
  bool json = false;
  int64_t threads = 0;
  std::string device = "cpu";
  std::string dtype;
  int64_t seed = 0;
  bool quiet = false;
  std::string memory_budget;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("config", config, "TOML file of settings named as these flags, or the grin.json of an earlier run; flags go before it");
    visit("json", json, "print the result as JSON on stdout");
    visit("threads", threads, "CPU threads; 0: all cores");
    visit("device", device, "cpu, or cuda where built with it");
    visit("dtype", dtype, "type to compute in: float32 or bfloat16; default: the checkpoint's");
    visit("seed", seed, "of every random choice");
    visit("quiet", quiet, "print warnings and errors only");
    visit("memory-budget", memory_budget, "such as 2G: passes are made to fit; default: no limit");
  }
};

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
          "for chat templates, such as date_string=10 Apr 2025,enable_thinking=false, or a JSON object");
    visit("columns", columns, "such as prompt=Q,response=A, text=BODY or messages=CHAT; default: found by name");
    visit("max-length", max_length, "longest sequence in tokens; 0: the model's context, with --compat 512");
    visit("compat", compat, "open-unlearning: token ids, labels and numbers as that tool has them");
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

// Refuses an output that exists before any work is done, unless --force.
void CheckOutput(const OutputOptions& output);

// Error (usage) naming the flag when it is empty.
void Require(const std::string& value, const char* flag);

// A checkpoint ready to run, with its tokenizer and template.
struct Workspace {
  std::shared_ptr<const Checkpoint> checkpoint;
  Model model;
  std::unique_ptr<Encoder> encoder;
};

// Sets threads, opens the checkpoint and loads the model, without a tokenizer.
Workspace OpenModel(const CommonOptions& common, const ModelOptions& model);

// Loads the tokenizer and template of an open model.
void OpenEncoder(Workspace& workspace, const DataOptions& data);

// Both.
Workspace OpenWorkspace(const CommonOptions& common, const ModelOptions& model,
                        const DataOptions& data = {});

// Tokens per recorded pass, and per forward pass, within --memory-budget. `reserved` bytes are
// needed for other things. Error (memory) when a sequence of the longest length does not fit.
int64_t RecordedPassTokens(const Model& model, const CommonOptions& common, int64_t reserved,
                           int64_t longest);

int64_t LongestOf(const std::vector<Sequence>& sequences);

// "2G", "512M", "1.5GiB", "1000000" -> bytes.
int64_t ParseBytes(const std::string& text);

// Names data, in one file or several, with their fingerprint, for grin.json.
Json DescribeInput(const std::filesystem::path& path, int64_t records);

// The start of grin.json: versions, command, recipe, seed.
Json Provenance(std::string_view command, const Json& recipe);

// Writes a whole output directory: the checkpoint with `trainable`'s entries replaced, grin.json,
// and, where given, the mask, and the log with a report of it.
void WriteOutput(const OutputOptions& output, const Checkpoint& source, Trainable* trainable,
                 const Json& provenance, const Mask* mask, const std::vector<Json>& log);

}  // namespace grin
