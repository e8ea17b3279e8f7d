#include "grin/gguf/export_tokenizer.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/gguf/pretokenizer.h"
#include "grin/gguf/vocabulary.h"
#include "grin/text/tokenizer.h"

namespace grin {
namespace {

// With keys found by search: those of a vocabulary take quadratic time in a Json, which keeps
// order.
using Tree = nlohmann::json;

const Tree& At(const Tree& object, const char* key) {
  static const Tree none;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : none;
}

std::string TextOf(const Tree& value) { return value.is_string() ? value.get<std::string>() : ""; }

bool IsTrue(const Tree& value) { return value.is_boolean() && value.get<bool>(); }

Tree ParseTree(const std::string& text, const Checkpoint& source, const char* name) {
  Tree tree = Tree::parse(text, nullptr, false);
  if (!tree.is_object()) {
    BadInput("io", "{}/{}: is not a JSON object", source.path().string(), name);
  }
  return tree;
}

// Whether a component, or one inside its sequence, is of this type.
const Tree* FindComponent(const Tree& component, const char* list, std::string_view type) {
  if (TextOf(At(component, "type")) == type) return &component;
  for (const Tree& part : At(component, list)) {
    if (const Tree* found = FindComponent(part, list, type)) return found;
  }
  return nullptr;
}

class Exporter {
 public:
  Exporter(const Checkpoint& source, const Tree& tokenizer, const Tree& config, uint64_t rows)
      : source_(source),
        tokenizer_(tokenizer),
        model_(At(tokenizer, "model")),
        config_(config),
        where_(source.path().string() + "/tokenizer.json"),
        tokens_(rows),
        types_(rows, static_cast<int32_t>(GgufTokenType::kUnused)) {}

  std::string Add(GgufWriter& writer) {
    if (TextOf(At(model_, "type")) != "BPE") {
      return fmt::format("its model '{}' is not BPE", Printable(TextOf(At(model_, "type"))));
    }
    const bool sentence_piece = IsTrue(At(model_, "byte_fallback"));
    std::string pre;
    if (!sentence_piece) {
      pre = GgufPreTokenizerName(Json(At(tokenizer_, "normalizer")),
                                 Json(At(tokenizer_, "pre_tokenizer")),
                                 IsTrue(At(model_, "ignore_merges")));
      if (pre.empty()) return "its pre-tokenizer has no name in GGUF";
    }
    ReadTokens(sentence_piece);
    ReadMerges();
    writer.AddString("tokenizer.ggml.model", sentence_piece ? "llama" : "gpt2");
    if (!sentence_piece) writer.AddString("tokenizer.ggml.pre", pre);
    writer.AddStrings("tokenizer.ggml.tokens", tokens_);
    writer.AddInts("tokenizer.ggml.token_type", types_);
    if (sentence_piece) {
      writer.AddFloats("tokenizer.ggml.scores", Scores());
      writer.AddBool("tokenizer.ggml.add_space_prefix", AddsSpace());
    } else {
      writer.AddStrings("tokenizer.ggml.merges", merges_);
    }
    AddSpecialTokens(writer);
    if (const std::string chat = ChatTemplateText(); !chat.empty()) {
      writer.AddString("tokenizer.chat_template", chat);
    }
    return {};
  }

 private:
  void SetToken(const Tree& id, const std::string& text, GgufTokenType type) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<uint64_t>() >= tokens_.size()) {
      BadInput("io", "{}: the token '{}' has the id {}, the embedding has {} rows", where_,
               Printable(text), id.dump(), tokens_.size());
    }
    const auto index = id.get<size_t>();
    tokens_[index] = text;
    types_[index] = static_cast<int32_t>(type);
    ids_[text] = index;
  }

  void ReadTokens(bool sentence_piece) {
    for (const auto& [text, id] : At(model_, "vocab").items()) {
      const bool byte = sentence_piece && text.size() == 6 && text.starts_with("<0x");
      SetToken(id, text, byte ? GgufTokenType::kByte : GgufTokenType::kNormal);
    }
    const std::string unknown = TextOf(At(model_, "unk_token"));
    for (const Tree& added : At(tokenizer_, "added_tokens")) {
      const std::string text = TextOf(At(added, "content"));
      const bool special = IsTrue(At(added, "special"));
      SetToken(At(added, "id"), text,
               text == unknown && special ? GgufTokenType::kUnknown
               : special                  ? GgufTokenType::kControl
                                          : GgufTokenType::kUserDefined);
    }
    // Rows without a token, which a model may have for the sake of its width.
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] == static_cast<int32_t>(GgufTokenType::kUnused)) {
        tokens_[id] = fmt::format("[PAD{}]", id);
      }
    }
  }

  void ReadMerges() {
    for (const Tree& merge : At(model_, "merges")) {
      if (merge.is_array() && merge.size() == 2) {
        merges_.push_back(TextOf(merge[0]) + " " + TextOf(merge[1]));
      } else {
        merges_.push_back(TextOf(merge));
      }
    }
  }

  // Readers join the two pieces whose result scores highest: the earlier the merge, the higher.
  std::vector<float> Scores() const {
    std::vector<float> scores(tokens_.size(), 0.0f);
    std::vector<bool> scored(tokens_.size());
    for (size_t rank = 0; rank < merges_.size(); ++rank) {
      std::string joined = merges_[rank];
      if (const size_t space = joined.find(' '); space != std::string::npos) joined.erase(space, 1);
      const auto found = ids_.find(joined);
      if (found == ids_.end() || scored[found->second]) continue;
      scored[found->second] = true;
      scores[found->second] = -static_cast<float>(rank);
    }
    for (size_t id = 0; id < tokens_.size(); ++id) {  // single characters come last
      if (!scored[id] && types_[id] == static_cast<int32_t>(GgufTokenType::kNormal)) {
        scores[id] = -static_cast<float>(merges_.size() + id);
      }
    }
    return scores;
  }

  bool AddsSpace() const {
    if (FindComponent(At(tokenizer_, "normalizer"), "normalizers", "Prepend")) return true;
    const Tree* meta = FindComponent(At(tokenizer_, "pre_tokenizer"), "pretokenizers", "Metaspace");
    return meta && TextOf(At(*meta, "prepend_scheme")) != "never";
  }

  // The id of a special token, by its text in tokenizer_config.json, else by config.json.
  std::optional<uint64_t> SpecialId(const std::string& name) const {
    const Tree& entry = At(config_, (name + "_token").c_str());
    const std::string text = entry.is_object() ? TextOf(At(entry, "content")) : TextOf(entry);
    if (const auto found = ids_.find(text); !text.empty() && found != ids_.end()) {
      return found->second;
    }
    const Tree ids = source_.config();
    const Tree& id = At(ids, (name + "_token_id").c_str());
    const Tree& first = id.is_array() && !id.empty() ? id.front() : id;
    const bool usable = first.is_number_integer() && first.get<int64_t>() >= 0 &&
                        first.get<uint64_t>() < tokens_.size();
    return usable ? std::optional(first.get<uint64_t>()) : std::nullopt;
  }

  void AddSpecialTokens(GgufWriter& writer) const {
    const auto add = [&](const char* key, const std::optional<uint64_t>& id) {
      if (id) writer.AddUint32(fmt::format("tokenizer.ggml.{}", key), static_cast<uint32_t>(*id));
    };
    const auto end = SpecialId("eos");
    add("bos_token_id", SpecialId("bos"));
    add("eos_token_id", end);
    add("unknown_token_id", SpecialId("unk"));
    add("padding_token_id", SpecialId("pad"));
    // What ends a turn beside the end of a text.
    if (const auto text = source_.SideText("generation_config.json")) {
      const Tree generation = ParseTree(*text, source_, "generation_config.json");
      for (const Tree& id : At(generation, "eos_token_id")) {
        if (!id.is_number_integer() || id.get<uint64_t>() >= tokens_.size() || (end && id == *end))
          continue;
        add("eot_token_id", id.get<uint64_t>());
        break;
      }
    }
    // What is put around a text, by tokenizer.json or by its class.
    const Tokenizer tokenizer = Tokenizer::FromFiles(
        [&](std::string_view name) { return source_.SideText(name); }, source_.path().string());
    writer.AddBool("tokenizer.ggml.add_bos_token", tokenizer.tokens_in_front() > 0);
    writer.AddBool("tokenizer.ggml.add_eos_token", tokenizer.tokens_behind() > 0);
  }

  std::string ChatTemplateText() const {
    const Tree& chat = At(config_, "chat_template");
    if (chat.is_string()) return chat.get<std::string>();
    for (const Tree& named : chat) {
      if (TextOf(At(named, "name")) == "default") return TextOf(At(named, "template"));
    }
    return source_.SideText("chat_template.jinja").value_or("");
  }

  const Checkpoint& source_;
  const Tree& tokenizer_;
  const Tree& model_;
  const Tree& config_;
  std::string where_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> types_;
  std::vector<std::string> merges_;
  std::unordered_map<std::string, size_t> ids_;
};

}  // namespace

std::string AddGgufTokenizer(const Checkpoint& source, uint64_t rows, GgufWriter& writer) {
  const auto text = source.TokenizerJson();
  if (!text) return "there is no tokenizer.json";
  const Tree tokenizer = ParseTree(*text, source, "tokenizer.json");
  const Tree config =
      ParseTree(source.TokenizerConfigJson().value_or("{}"), source, "tokenizer_config.json");
  return Exporter(source, tokenizer, config, rows).Add(writer);
}

}  // namespace grin
