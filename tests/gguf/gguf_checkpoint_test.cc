#include "grin/gguf/gguf_checkpoint.h"

#include "grin/gguf/open_checkpoint.h"
#include <gmock/gmock.h>

#include <cmath>

#include "grin/base/atomic_file.h"
#include "grin/base/read_json.h"
#include "grin/gguf/pretokenizer.h"
#include "grin/gguf/tokenizer.h"
#include "grin/io/write_checkpoint.h"
#include "tests/gguf/builder.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using B = GgufBuilder;

fs::path PutGguf(const B& builder) {
  const fs::path path = Scratch("gguf_checkpoint") / "m.gguf";
  Put(path, builder.Build());
  return path;
}

std::string ErrorFor(const B& builder) {
  const fs::path path = PutGguf(builder);
  return ErrorOf([&] { OpenCheckpoint(path); });
}

// A tiny model with a tokenizer, and one value more.
std::string ErrorWith(const std::function<void(B&)>& change) {
  B builder = TinyModel();
  change(AddTinyTokenizer(builder));
  return ErrorFor(builder);
}

Json ParsedSide(const Checkpoint& checkpoint, const std::string& name) {
  return ParseJson(checkpoint.SideText(name).value_or("null"), name);
}

// Merges may be written "a b" or ["a", "b"].
Json NormalizedMerges(Json tokenizer) {
  for (Json& merge : tokenizer["model"]["merges"]) {
    if (merge.is_array()) {
      merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    }
  }
  return tokenizer;
}

// Compares without regard to the order of keys. The vocabulary made from GGUF has added tokens,
// too.
void ExpectSameTokenizer(const Json& actual, const Json& expected) {
  nlohmann::json a = NormalizedMerges(actual), b = NormalizedMerges(expected);
  for (const auto& token : b.at("added_tokens")) {
    b["model"]["vocab"][token.at("content").get<std::string>()] = token.at("id");
  }
  for (const auto& [key, value] : b.items()) {
    if (key != "model") {
      EXPECT_EQ(a.at(key), value) << key;
    }
  }
  for (const auto& [key, value] : b.at("model").items()) {
    EXPECT_TRUE(a.at("model").at(key) == value) << key;
  }
}

TEST(GgufCheckpoint, GivesTheWeightsTheirNamesAndOrder) {
  const auto checkpoint = OpenCheckpoint(TestData("bpe.gguf"));
  const SafetensorsFile golden(TestData("bpe.safetensors"));
  ASSERT_EQ(checkpoint->tensors().size(), golden.tensors().size());
  for (size_t i = 0; i < golden.tensors().size(); ++i) {
    const TensorInfo& expected = golden.tensors()[i];
    const TensorInfo* tensor = checkpoint->Find(expected.name);
    ASSERT_NE(tensor, nullptr) << expected.name;
    EXPECT_EQ(*tensor, expected);
    const TensorBytes bytes = checkpoint->Read(expected.name);
    const auto wanted = golden.Bytes(static_cast<int64_t>(i));
    ASSERT_EQ(bytes.bytes.size(), wanted.size());
    EXPECT_EQ(std::memcmp(bytes.bytes.data(), wanted.data(), wanted.size()), 0) << expected.name;
  }
}

TEST(GgufCheckpoint, MakesTheConfiguration) {
  const Json config = OpenCheckpoint(TestData("bpe.gguf"))->config();
  const nlohmann::json expected = {{"architectures", {"LlamaForCausalLM"}},
                                   {"model_type", "llama"},
                                   {"hidden_size", 32},
                                   {"intermediate_size", 64},
                                   {"num_hidden_layers", 2},
                                   {"num_attention_heads", 4},
                                   {"num_key_value_heads", 2},
                                   {"head_dim", 16},
                                   {"vocab_size", 322},
                                   {"max_position_embeddings", 4096},
                                   {"rms_norm_eps", 1e-5},
                                   {"rope_theta", 500000.0},
                                   {"rope_scaling", nullptr},
                                   {"hidden_act", "silu"},
                                   {"tie_word_embeddings", false},
                                   {"attention_bias", true},
                                   {"mlp_bias", true},
                                   {"bos_token_id", 0},
                                   {"eos_token_id", 1},
                                   {"torch_dtype", "float32"}};
  nlohmann::json actual = config;
  EXPECT_EQ(actual, expected);
}

TEST(GgufCheckpoint, RecoversRopeScalingAndWindow) {
  const Json config = OpenCheckpoint(TestData("spm.gguf"))->config();
  EXPECT_EQ(config["rope_scaling"].dump(),
            R"({"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,)"
            R"("original_max_position_embeddings":8192})");
  EXPECT_EQ(config["sliding_window"], 1024);
  EXPECT_EQ(config["model_type"], "mistral");
  EXPECT_EQ(config["tie_word_embeddings"], true);

  B linear = TinyModel();
  AddTinyTokenizer(linear).Text("llama.rope.scaling.type", "linear");
  linear.Number("llama.rope.scaling.factor", 2.5f);
  EXPECT_EQ(OpenCheckpoint(PutGguf(linear))->config()["rope_scaling"].dump(),
            R"({"rope_type":"linear","factor":2.5})");
  B yarn = TinyModel();
  AddTinyTokenizer(yarn).Text("llama.rope.scaling.type", "yarn");
  yarn.Number("llama.rope.scaling.factor", 4.0f);
  yarn.Count("llama.rope.scaling.original_context_length", 32);
  EXPECT_EQ(OpenCheckpoint(PutGguf(yarn))->config()["rope_scaling"].dump(),
            R"({"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32})");
}

TEST(GgufCheckpoint, MakesAByteLevelTokenizer) {
  const auto checkpoint = OpenCheckpoint(TestData("bpe.gguf"));
  ExpectSameTokenizer(ParseJson(*checkpoint->TokenizerJson(), "made"),
                      ReadJsonObject(TestData("bpe.tokenizer.json")));
  const Json config = ParsedSide(*checkpoint, "tokenizer_config.json");
  EXPECT_EQ(config["bos_token"], "<|begin|>");
  EXPECT_EQ(config["eos_token"], "<|end|>");
  EXPECT_EQ(config["chat_template"], "{{ messages[0]['content'] }}");
  EXPECT_EQ(config["model_max_length"], 4096);
  EXPECT_EQ(ParsedSide(*checkpoint, "generation_config.json").dump(),
            R"({"bos_token_id":0,"eos_token_id":[1,320]})");
}

TEST(GgufCheckpoint, MakesASentencePieceTokenizer) {
  const auto checkpoint = OpenCheckpoint(TestData("spm.gguf"));
  ExpectSameTokenizer(ParseJson(*checkpoint->TokenizerJson(), "made"),
                      ReadJsonObject(TestData("spm.tokenizer.json")));
  EXPECT_EQ(ParsedSide(*checkpoint, "tokenizer_config.json")["unk_token"], "<unk>");
}

TEST(GgufCheckpoint, BecomesADirectory) {
  const auto source = OpenCheckpoint(TestData("bpe.gguf"));
  const fs::path out = Scratch("gguf_directory");
  WriteCheckpoint(*source, out, {});
  const auto same = OpenCheckpoint(out);
  EXPECT_EQ(same->tensors(), source->tensors());
  EXPECT_EQ(same->config(), source->config());
  EXPECT_EQ(same->TokenizerJson(), source->TokenizerJson());
  EXPECT_EQ(same->shards()[0].metadata, (SafetensorsMetadata{{"format", "pt"}}));

  const fs::path half = Scratch("gguf_directory_bf16");
  WriteCheckpoint(*source, half, {}, {.float_dtype = DType::kBF16});
  EXPECT_EQ(OpenCheckpoint(half)->Find("model.norm.weight")->dtype, DType::kBF16);
  EXPECT_EQ(OpenCheckpoint(half)->config()["torch_dtype"], "bfloat16");
}

TEST(GgufCheckpoint, ImportsQwen2) {
  B b = TinyModel("qwen2");
  AddTinyTokenizer(b);
  for (const char* part : {"attn_q", "attn_k", "attn_v"}) {
    b.Tensor("blk.0." + std::string(part) + ".bias", {4}, 0, std::string(16, '\0'));
  }
  const auto checkpoint = OpenCheckpoint(PutGguf(b));
  EXPECT_EQ(checkpoint->config()["architectures"].dump(), R"(["Qwen2ForCausalLM"])");
  EXPECT_NE(checkpoint->Find("model.layers.0.self_attn.k_proj.bias"), nullptr);
}

TEST(GgufCheckpoint, NamesWhatCannotBeImported) {
  EXPECT_THAT(ErrorFor(B()), HasSubstr("has no 'general.architecture'"));
  EXPECT_THAT(ErrorFor(TinyModel("mamba")),
              HasSubstr("the architecture 'mamba' is not known; known are llama, qwen2"));
  EXPECT_THAT(ErrorFor(B().Text("general.architecture", "llama")),
              HasSubstr("has no matrix 'token_embd.weight'"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Count("llama.expert_count", 8); }),
              HasSubstr("is a mixture of experts"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Count("llama.attention.head_count_kv", 3); }),
              HasSubstr("2 heads and 3 key-value heads do not fit a width of 4"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Count("llama.rope.dimension_count", 1); }),
              HasSubstr("heads of 2 with 1 rotary dimensions cannot be imported"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Count("llama.attention.key_length", 0xffffffff); }),
              HasSubstr("'llama.attention.key_length' is 4294967295"));
  EXPECT_THAT(ErrorWith([](B& b) {
                b.Ints("llama.attention.head_count_kv", {1, 2});
              }),
              HasSubstr("differs from layer to layer"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Number("llama.rope.freq_base", -1.0f); }),
              HasSubstr("'llama.rope.freq_base' is -1"));
  EXPECT_THAT(ErrorWith([](B& b) {
                b.Text("llama.rope.scaling.type", "longrope");
                b.Number("llama.rope.scaling.factor", 2.0f);
              }),
              HasSubstr("the rope scaling 'longrope' is not known"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Tensor("rope_freqs.weight", {1}, 0, B::Raw(3.0f)); }),
              HasSubstr("follows no rule that config.json can express"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Tensor("rope_freqs.weight", {2}, 0, std::string(8, '\0')); }),
              HasSubstr("tensor 'rope_freqs.weight' has 2 elements, expected 1"));
  EXPECT_THAT(ErrorWith([](B& b) { b.Tensor("blk.0.attn_q.bias", {4}, 0, std::string(16, '\0')); }),
              HasSubstr("only 1 of attn_q, attn_k, attn_v, attn_output layers have a bias"));
  for (const char* name : {"other.weight", "blk.x.attn_q.weight", "blk.0.attn_q.scale", "blk.0"}) {
    EXPECT_THAT(ErrorWith([&](B& b) { b.Tensor(name, {1}, 0, "1234"); }),
                HasSubstr(fmt::format("the tensor '{}' has no place in a model", name)));
  }
  EXPECT_THAT(
      ErrorWith([](B& b) { b.Tensor("blk.1.attn_norm.weight", {4}, 0, std::string(16, '\0')); }),
      HasSubstr("has 12 weight tensors, 1 layers of 'llama' need 11"));
  EXPECT_THAT(ErrorWith([](B& b) {
                b.Tensor("output.weight", {4, 3}, 0, std::string(48, '\0'));
              }),
              HasSubstr("the tensor for 'lm_head.weight' has shape [3, 4], expected [4, 4]"));
}

// A tiny model whose tokenizer `add` writes.
std::string TokenizerError(const std::function<void(B&)>& add) {
  B builder = TinyModel();
  add(builder);
  return ErrorFor(builder);
}

TEST(GgufCheckpoint, NamesWhatIsWrongWithTheTokenizer) {
  const auto base = [](B& b, const char* model, const char* pre) {
    b.Text("tokenizer.ggml.model", model).Text("tokenizer.ggml.pre", pre);
  };
  EXPECT_THAT(TokenizerError([](B&) {}), HasSubstr("has no tokens ('tokenizer.ggml.tokens')"));
  const std::vector<std::string> tokens = {"a", "b", "ab"};
  EXPECT_THAT(TokenizerError([&](B& b) {
                base(b, "bert", "x");
                b.Texts("tokenizer.ggml.tokens", tokens);
              }),
              HasSubstr("the tokenizer model 'bert' is not known; known are gpt2, llama"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                base(b, "gpt2", "novel");
                b.Texts("tokenizer.ggml.tokens", tokens);
              }),
              HasSubstr("the pre-tokenizer 'novel' is not known; known are default, gpt-2"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                base(b, "gpt2", "smollm");
                b.Texts("tokenizer.ggml.tokens", tokens);
              }),
              HasSubstr("a byte-level tokenizer without 'tokenizer.ggml.merges'"));
  for (const char* merge : {"a", "a c", "b a", " a", "a "}) {
    EXPECT_THAT(TokenizerError([&](B& b) {
                  base(b, "gpt2", "smollm");
                  b.Texts("tokenizer.ggml.tokens", tokens);
                  b.Texts("tokenizer.ggml.merges", {"a b", merge});
                }),
                HasSubstr(fmt::format("the merge 1 '{}' does not join two tokens", merge)));
  }
  EXPECT_THAT(TokenizerError([&](B& b) {
                base(b, "llama", "default");
                b.Texts("tokenizer.ggml.tokens", tokens);
              }),
              HasSubstr("a SentencePiece tokenizer without 'tokenizer.ggml.scores'"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", {"a", "b", "c", "d", "e"});
              }),
              HasSubstr("the tokenizer has 5 tokens, the embedding only 4 rows"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", {"a", "\xff"});
              }),
              HasSubstr("element 1 of 'tokenizer.ggml.tokens' is not UTF-8 text"));
  EXPECT_THAT(TokenizerError([&](B& b) { b.Ints("tokenizer.ggml.tokens", {1}); }),
              HasSubstr("element 0 of 'tokenizer.ggml.tokens' is not UTF-8 text"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", tokens).Ints("tokenizer.ggml.token_type", {1});
              }),
              HasSubstr("'tokenizer.ggml.token_type' has 1 elements, there are 3 tokens"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", tokens);
                b.Ints("tokenizer.ggml.token_type", {1, 9, 1});
              }),
              HasSubstr("token 1 has the unknown type 9"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", tokens).Texts("tokenizer.ggml.scores", tokens);
              }),
              HasSubstr("element 0 of 'tokenizer.ggml.scores' is not a number"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", tokens);
                b.Floats("tokenizer.ggml.scores", {0.0f, std::nanf(""), 0.0f});
              }),
              HasSubstr("element 1 of 'tokenizer.ggml.scores' is nan"));
  EXPECT_THAT(TokenizerError([&](B& b) {
                b.Texts("tokenizer.ggml.tokens", tokens).Count("tokenizer.ggml.bos_token_id", 3);
              }),
              HasSubstr("'tokenizer.ggml.bos_token_id' is 3, there are only 3 tokens"));
}

TEST(GgufCheckpoint, KnowsThePreTokenizersOfPublicModels) {
  if (!fs::exists(Shared("tokenizers"))) GTEST_SKIP() << "../shared/tokenizers is not there";
  for (const auto& [name, folder] : {std::pair{"smollm", "smollm2"},
                                     {"llama-bpe", "llama3"},
                                     {"qwen2", "qwen2.5"},
                                     {"gpt-2", "gpt2"}}) {
    const auto text = ReadFile(Shared(fmt::format("tokenizers/{}/tokenizer.json", folder)));
    // Sorted objects: a vocabulary of this size would take long in the ordered kind.
    const auto expected = nlohmann::json::parse(text);
    const GgufPreTokenizer made = FindGgufPreTokenizer(name, "test");
    EXPECT_EQ(nlohmann::json(made.normalizer), expected.at("normalizer")) << name;
    EXPECT_EQ(made.ignore_merges, expected.at("model").value("ignore_merges", false)) << name;
    nlohmann::json wanted = expected.at("pre_tokenizer"), actual = made.pre_tokenizer;
    for (nlohmann::json* pre : {&wanted, &actual}) {  // offsets are none of our business
      if (pre->contains("pretokenizers")) (*pre)["pretokenizers"].back().erase("trim_offsets");
      pre->erase("trim_offsets");
    }
    EXPECT_EQ(actual, wanted) << name;
  }
}

// The merges of Llama 2 follow from its scores, which fall by one from id to id, but for runs of
// spaces.
TEST(GgufCheckpoint, RebuildsTheMergesOfLlama2) {
  const fs::path path = Shared("tokenizers/llama2/tokenizer.json");
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not there";
  const auto expected = nlohmann::json::parse(ReadFile(path));
  std::vector<std::string> tokens(expected.at("model").at("vocab").size());
  for (const auto& [token, id] : expected.at("model").at("vocab").items()) {
    tokens[id.get<size_t>()] = token;
  }
  std::vector<float> scores(tokens.size(), 0.0f);
  std::vector<int32_t> types(tokens.size(), 1);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i >= 259) scores[i] = -static_cast<float>(i - 259);
    if (tokens[i].starts_with("\u2581\u2581") &&
        tokens[i].find_first_not_of("\u2581") == std::string::npos)
      scores[i] = -1e9f;
    if (i < 259) types[i] = i == 0 ? 2 : i < 3 ? 3 : 6;
  }
  B b;
  b.Text("tokenizer.ggml.model", "llama").Texts("tokenizer.ggml.tokens", tokens);
  b.Floats("tokenizer.ggml.scores", scores).Ints("tokenizer.ggml.token_type", types);
  const GgufFile file(PutGguf(b));
  const auto made = nlohmann::json::parse(MakeGgufTokenizerFiles(file, tokens.size())[0].second);
  EXPECT_TRUE(made.at("model").at("merges") == expected.at("model").at("merges"));
  EXPECT_TRUE(made.at("model").at("vocab") == expected.at("model").at("vocab"));
}

}  // namespace
}  // namespace grin
