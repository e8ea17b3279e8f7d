#include "grin/locate/scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grin/base/error.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

Scope Parse(const std::vector<std::string>& texts) { return ParseScope(texts); }

const std::vector<ScopeCandidate> kCandidates = {
    {"model.layers.3.self_attn.q_proj.weight", true},
    {"model.layers.3.mlp.up_proj.weight", true},
    {"model.layers.30.mlp.up_proj.weight", true},
    {"model.layers.3.input_layernorm.weight", false},
    {"model.norm.weight", false},
};

TEST(ParseScope, SplitsListsAndSetsEmbeddingsApart) {
  const Scope scope = Parse({"*.mlp.*, model.layers.3.*", "+embeddings", "x"});
  EXPECT_THAT(scope.patterns, ElementsAre("*.mlp.*", "model.layers.3.*", "x"));
  EXPECT_TRUE(scope.embeddings);
  EXPECT_THAT(Parse({}).patterns, IsEmpty());
  EXPECT_FALSE(Parse({"", " , "}).embeddings);
  EXPECT_THAT(Parse({"", " , "}).patterns, IsEmpty());
}

TEST(ParseScope, RefusesUnknownAdditions) {
  EXPECT_THAT([] { Parse({"+head"}); }, ThrowsMessage<Error>(HasSubstr("'+head' is unknown")));
}

TEST(NamesInScope, AreTheBlocksMatricesByDefault) {
  for (const Scope& scope : {Scope{}, Parse({"+embeddings"})}) {
    EXPECT_THAT(
        NamesInScope(scope, kCandidates),
        ElementsAre("model.layers.3.mlp.up_proj.weight", "model.layers.3.self_attn.q_proj.weight",
                    "model.layers.30.mlp.up_proj.weight"));
  }
}

TEST(NamesInScope, FollowPatterns) {
  EXPECT_THAT(
      NamesInScope(Parse({"*.mlp.*"}), kCandidates),
      ElementsAre("model.layers.3.mlp.up_proj.weight", "model.layers.30.mlp.up_proj.weight"));
  EXPECT_THAT(NamesInScope(Parse({"model.layers.3?.*,model.norm.weight"}), kCandidates),
              ElementsAre("model.layers.30.mlp.up_proj.weight", "model.norm.weight"));
  EXPECT_THAT(NamesInScope(Parse({"*.q_proj.*", "*.self_attn.*"}), kCandidates),
              ElementsAre("model.layers.3.self_attn.q_proj.weight"))
      << "a weight that two patterns match comes once";
}

TEST(NamesInScope, RefuseAPatternThatMatchesNothing) {
  EXPECT_THAT(
      [] {
        NamesInScope(Parse({"*.mlp.*", "h.*.mlp"}), kCandidates);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("'h.*.mlp' matches none of the 5 weights"),
                                 HasSubstr("model.layers.3.self_attn.q_proj.weight"))));
}

}  // namespace
}  // namespace grin
