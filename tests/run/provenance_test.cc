#include "grin/run/provenance.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "grin/run/unlearn.h"

namespace grin {
namespace {

TEST(Provenance, ARecipeHoldsEveryFieldByTheNameOfItsFlag) {
  UnlearnOptions options;
  options.locate.scope = {"a*", "b*"};
  options.output.out = "somewhere";
  WorkspaceOptions where{.model = {"M"}, .data = {}, .compute = {.seed = 7}};
  const Json recipe = RecipeOf(where, TaskOptions{.forget = "f,g"}, options);
  EXPECT_EQ(recipe["model"], "M");
  EXPECT_EQ(recipe["forget"], "f,g");
  EXPECT_EQ(recipe["seed"], 7);
  EXPECT_EQ(recipe["fraction"], options.locate.fraction);
  EXPECT_EQ(recipe["scope"], (Json{"a*", "b*"}));
  EXPECT_EQ(recipe["allow-overlap"], false);
  EXPECT_EQ(recipe["threads"], at::get_num_threads());
  EXPECT_FALSE(recipe.contains("out"));
  EXPECT_FALSE(recipe.contains("force"));
}

TEST(Provenance, WhereAResultGoesIsNotInItsHash) {
  UnlearnOptions options;
  const auto hash = [&] { return Provenance("unlearn", RecipeOf(options))["recipe_hash"]; };
  const Json before = hash();
  options.output = {.out = "elsewhere", .force = true};
  EXPECT_EQ(hash(), before);
  options.perturb.noise += 0.1;
  EXPECT_NE(hash(), before);
}

TEST(Provenance, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(ValidUtf8("caf\xe9.jsonl"), "caf\uFFFD.jsonl");
  EXPECT_EQ(ValidUtf8("\"quoted\\ \n\""), "\"quoted\\ \n\"");
  EXPECT_EQ(ValidUtf8("naïve"), "naïve");
  UnlearnOptions options;
  options.objective.refusals = "\xff";
  options.locate.scope = {"\xff*"};
  const Json document = Provenance("unlearn", RecipeOf(options));
  EXPECT_NO_THROW(document.dump());
}

}  // namespace
}  // namespace grin
