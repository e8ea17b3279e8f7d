#include "grin/text/tokenizer_class.h"

#include <algorithm>
#include <span>
#include <unordered_map>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/text/tokenizer_settings.h"

namespace grin {
namespace {

using Frame = TokenizerClass::Frame;
using PrefixSpace = TokenizerClass::PrefixSpace;

constexpr TokenizerClass kPlainClass = {.name = ""};

constexpr TokenizerClass kTokenizerClasses[] = {
    {.name = "Llama",
     .bos = "<s>",
     .eos = "</s>",
     .unknown = "<unk>",
     .frame = Frame::kOfSettings,
     .adds_bos = true},
    {.name = "CodeLlama",
     .bos = "<s>",
     .eos = "</s>",
     .unknown = "<unk>",
     .frame = Frame::kOfSettings,
     .adds_bos = true},
    {.name = "Gemma",
     .bos = "<bos>",
     .eos = "<eos>",
     .unknown = "<unk>",
     .padding = "<pad>",
     .frame = Frame::kOfSettings,
     .adds_bos = true},
    {.name = "Cohere",
     .bos = "<BOS_TOKEN>",
     .eos = "<|END_OF_TURN_TOKEN|>",
     .unknown = "<UNK>",
     .frame = Frame::kOfSettings,
     .adds_bos = true,
     .prefix_space = PrefixSpace::kOnlyOn},
    {.name = "GPTNeoX",
     .bos = "<|endoftext|>",
     .eos = "<|endoftext|>",
     .unknown = "<|endoftext|>",
     .frame = Frame::kOfSettings,
     .prefix_space = PrefixSpace::kOfSettings},
    {.name = "GPT2",
     .bos = "<|endoftext|>",
     .eos = "<|endoftext|>",
     .unknown = "<|endoftext|>",
     .prefix_space = PrefixSpace::kOfSettings},
    {.name = "CodeGen",
     .bos = "<|endoftext|>",
     .eos = "<|endoftext|>",
     .unknown = "<|endoftext|>",
     .prefix_space = PrefixSpace::kOfSettings},
    {.name = "Roberta",
     .bos = "<s>",
     .eos = "</s>",
     .unknown = "<unk>",
     .padding = "<pad>",
     .prefix_space = PrefixSpace::kOfSettings},
    {.name = "Bart",
     .bos = "<s>",
     .eos = "</s>",
     .unknown = "<unk>",
     .padding = "<pad>",
     .prefix_space = PrefixSpace::kOfSettings},
    {.name = "Qwen2",
     .eos = "<|endoftext|>",
     .unknown = "<|endoftext|>",
     .padding = "<|endoftext|>"},
    {.name = "Bloom",
     .bos = "<s>",
     .eos = "</s>",
     .unknown = "<unk>",
     .padding = "<pad>",
     .prefix_space = PrefixSpace::kOnlyOn},
    // Of transformers 5, where every class takes the settings if they are given.
    {.name = "TokenizersBackend", .frame = Frame::kOfSettingsIfGiven},
};

// The class of models whose files name none.
struct ClassOfModel {
  std::string_view model_type, name;
};
constexpr ClassOfModel kClassesOfModels[] = {
    {"llama", "Llama"},
    {"mistral", "Llama"},
    {"mixtral", "Llama"},
    {"phi3", "Llama"},
    {"persimmon", "Llama"},
    {"jamba", "Llama"},
    {"code_llama", "CodeLlama"},
    {"gemma", "Gemma"},
    {"gemma2", "Gemma"},
    {"gemma3", "Gemma"},
    {"gemma3_text", "Gemma"},
    {"recurrent_gemma", "Gemma"},
    {"cohere", "Cohere"},
    {"cohere2", "Cohere"},
    {"gpt_neox", "GPTNeoX"},
    {"olmo", "GPTNeoX"},
    {"olmo2", "GPTNeoX"},
    {"olmoe", "GPTNeoX"},
    {"stablelm", "GPTNeoX"},
    {"mpt", "GPTNeoX"},
    {"mamba", "GPTNeoX"},
    {"gpt2", "GPT2"},
    {"gpt_neo", "GPT2"},
    {"gptj", "GPT2"},
    {"gpt_bigcode", "GPT2"},
    {"starcoder2", "GPT2"},
    {"opt", "GPT2"},
    {"granite", "GPT2"},
    {"codegen", "CodeGen"},
    {"phi", "CodeGen"},
    {"qwen2", "Qwen2"},
    {"qwen2_moe", "Qwen2"},
    {"qwen3", "Qwen2"},
    {"qwen3_moe", "Qwen2"},
    {"bloom", "Bloom"},
};

const TokenizerClass* RowOf(std::string_view name) {
  const auto found = std::ranges::find(kTokenizerClasses, name, &TokenizerClass::name);
  return found == std::end(kTokenizerClasses) ? nullptr : found;
}

// The ids of tokens: those that the vocabulary knows, and the next free ones for those it lacks.
class TokenIds {
 public:
  explicit TokenIds(const TokenizerFile& file) : file_(file) {
    next_ = static_cast<int64_t>(file.vocabulary.size() + file.pieces.size());
    const auto added = file.settings.find("added_tokens");
    if (added == file.settings.end() || !added->is_array()) return;
    for (const Json& entry : *added) {
      if (!entry.is_object() || !entry.value("content", Json()).is_string()) continue;
      Assign(entry["content"].get<std::string>(), FlagsOf(entry));
    }
  }

  // How a token is found, as a number.
  static int FlagsOf(const Json& entry) {
    const auto flag = [&](const char* name, bool otherwise) {
      const auto found = entry.find(name);
      return found != entry.end() && found->is_boolean() ? found->get<bool>() : otherwise;
    };
    const bool special = flag("special", false);
    return special + 2 * flag("normalized", !special) + 4 * flag("single_word", false) +
           8 * flag("lstrip", false) + 16 * flag("rstrip", false);
  }

  // -1 where there is none yet.
  int64_t Find(const std::string& token) {
    if (const auto found = added_.find(token); found != added_.end()) return found->second;
    if (vocabulary_.empty()) {  // read once: a vocabulary may have 256,000 tokens
      for (const auto& [text, id] : file_.vocabulary) vocabulary_.emplace(text, id);
      for (const auto& [piece, score] : file_.pieces) {
        vocabulary_.emplace(piece, static_cast<int64_t>(vocabulary_.size()));
      }
    }
    const auto found = vocabulary_.find(token);
    return found == vocabulary_.end() ? -1 : found->second;
  }

  int64_t next() const { return next_; }
  bool IsAdded(const std::string& token) const { return added_.contains(token); }
  bool IsAddedWith(const std::string& token, int flags) const {
    const auto found = flags_.find(token);
    return found != flags_.end() && found->second == flags;
  }

  void Assign(const std::string& token, int flags) {
    flags_[token] = flags;
    if (IsAdded(token)) return;
    const int64_t known = Find(token);
    added_[token] = known >= 0 ? known : next_++;
  }

 private:
  const TokenizerFile& file_;
  std::unordered_map<std::string_view, int64_t> vocabulary_;
  std::unordered_map<std::string, int64_t> added_;
  std::unordered_map<std::string, int> flags_;
  int64_t next_ = 0;
};

// Adds a token as `transformers` adds what tokenizer.json lacks. One that is there already keeps
// its flags, unless the entry `changes` them.
void AddToken(const Json& entry, bool changes, int64_t rows, const std::string& where,
              TokenIds& ids, Json& added) {
  const auto content = entry["content"].get<std::string>();
  const int flags = TokenIds::FlagsOf(entry);
  if (content.empty() || (ids.IsAdded(content) && !changes) || ids.IsAddedWith(content, flags)) {
    return;
  }
  if (ids.Find(content) < 0 && ids.next() >= rows) {
    Warn(
        "{}: the special token '{}' is in no vocabulary, and the model has no row for it; it is "
        "read as plain text",
        where, content);
    return;
  }
  ids.Assign(content, flags);
  added.push_back(entry);
}

Json WithoutFrame(const Json& description) {
  if (!description.is_object()) return nullptr;
  const std::string type = description.value("type", "");
  if (type == "ByteLevel") return description;  // it changes spans alone
  if (type != "Sequence" || !description.contains("processors")) return nullptr;
  for (const Json& part : description["processors"]) {
    if (part.is_object() && part.value("type", "") == "ByteLevel") return part;
  }
  return nullptr;
}

void SetFrame(const TokenizerSettings& settings, const TokenizerClass& kind,
              const std::string& where, TokenIds& ids, TokenizerFile& file) {
  std::vector<std::string> before, behind;
  const auto frame = [&](bool wanted, const std::optional<std::string>& token,
                         std::vector<std::string>& side, const char* flag, const char* name) {
    if (!wanted) return;
    if (!token && kind.frame == Frame::kOfSettingsIfGiven) return;
    if (!token) {
      BadInput("text", "{}/tokenizer_config.json: {} is true and '{}' is null; name the token",
               where, flag, name);
    }
    if (ids.Find(*token) >= 0) side.push_back(*token);
  };
  frame(settings.add_bos.value_or(kind.adds_bos), settings.BeginToken(), before, "add_bos_token",
        "bos_token");
  frame(settings.add_eos.value_or(false), settings.EndToken(), behind, "add_eos_token",
        "eos_token");
  Json single = Json::array(), special = Json::object();
  const auto add = [&](const std::vector<std::string>& side) {
    for (const std::string& token : side) {
      special[token] = {{"id", token}, {"ids", {ids.Find(token)}}, {"tokens", {token}}};
      single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    }
  };
  add(before);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add(behind);
  Json processors = Json::array();
  const auto old = file.settings.find("post_processor");
  const Json spans = old == file.settings.end() ? Json() : WithoutFrame(*old);
  if (!spans.is_null()) processors.push_back(spans);
  processors.push_back(
      {{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}});
  file.settings["post_processor"] = {{"type", "Sequence"}, {"processors", processors}};
}

// Every "add_prefix_space": false inside, however deep.
void TurnOnPrefixSpace(Json& value) {
  if (!value.is_structured()) return;
  for (auto& [key, inner] : value.items()) {
    if (value.is_object() && key == "add_prefix_space" && inner == false) inner = true;
    TurnOnPrefixSpace(inner);
  }
}

void SetPrefixSpace(const TokenizerSettings& settings, const TokenizerClass& kind, Json& file) {
  const bool wanted = settings.add_prefix_space.value_or(false);
  if (kind.prefix_space == PrefixSpace::kOnlyOn && wanted) {
    for (const char* part : {"pre_tokenizer", "decoder"}) {
      if (file.contains(part)) TurnOnPrefixSpace(file[part]);
    }
  }
  if (kind.prefix_space != PrefixSpace::kOfSettings || !file.contains("pre_tokenizer")) return;
  Json& step = file["pre_tokenizer"];
  if (step.is_object() && step.contains("add_prefix_space")) step["add_prefix_space"] = wanted;
}

}  // namespace

const TokenizerClass& FindTokenizerClass(std::string_view tokenizer_class,
                                         std::string_view model_type) {
  std::string_view name = tokenizer_class;
  if (name.empty()) {
    const auto found = std::ranges::find(kClassesOfModels, model_type, &ClassOfModel::model_type);
    if (found != std::end(kClassesOfModels)) name = found->name;
  } else {
    if (name.ends_with("Fast")) name.remove_suffix(4);
    if (name.ends_with("Tokenizer")) name.remove_suffix(9);
  }
  const TokenizerClass* row = RowOf(name);
  return row ? *row : kPlainClass;
}

void FollowTokenizerClass(const TokenizerSettings& settings, int64_t rows, const std::string& where,
                          TokenizerFile& file) {
  const TokenizerClass& kind = FindTokenizerClass(settings.tokenizer_class, settings.model_type);
  TokenIds ids(file);
  Json& added = file.settings["added_tokens"];
  if (added.is_null()) added = Json::array();
  if (!added.is_array()) return;  // its reader says what is wrong
  for (const Json& entry : settings.added_tokens) {
    const bool is_listed = settings.has_decoder && entry.contains("id");
    AddToken(entry, is_listed, rows, where, ids, added);
  }
  for (const std::string& token : settings.class_tokens) {
    // What the class alone names may be another model's.
    if (ids.Find(token) < 0 || ids.IsAdded(token)) continue;
    const Json entry = {{"content", token}, {"normalized", false}, {"special", true}};
    ids.Assign(token, TokenIds::FlagsOf(entry));
    added.push_back(entry);
  }
  const bool framed =
      kind.frame == Frame::kOfSettings ||
      (kind.frame == Frame::kOfSettingsIfGiven && (settings.add_bos || settings.add_eos));
  // A class that no file names is a guess by the type of the model.
  const auto begin = settings.BeginToken();
  const bool guessed = settings.tokenizer_class.empty();
  if (framed && (!guessed || (begin && ids.Find(*begin) >= 0))) {
    SetFrame(settings, kind, where, ids, file);
  }
  SetPrefixSpace(settings, kind, file.settings);
  file.settings["split_special_tokens"] = settings.split_special_tokens;
}

}  // namespace grin
