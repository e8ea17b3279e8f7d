// A model of shapes is the model that is loaded, without its numbers.

#include "grin/model/shapes.h"

#include <gtest/gtest.h>

#include "tests/model/tiny.h"

namespace grin {
namespace {

TEST(Shapes, AreThoseOfEveryArchitecture) {
  for (const char* name : kTinyModels) {
    const Model loaded = LoadTiny(name);
    const Json& config = loaded.weights->checkpoint().config();
    const Model shapes = LoadShapes(config, name, at::kFloat, TestDevice());
    EXPECT_EQ(shapes.weights->device(), TestDevice());
    ASSERT_EQ(shapes.weights->tensors().size(), loaded.weights->tensors().size()) << name;
    // Checkpoints of the body alone leave a prefix out; the order of the names is the same.
    for (auto a = shapes.weights->tensors().begin(), b = loaded.weights->tensors().begin();
         b != loaded.weights->tensors().end(); ++a, ++b) {
      EXPECT_TRUE(a->first.ends_with(b->first) || b->first.ends_with(a->first))
          << a->first << " and " << b->first;
      EXPECT_EQ(a->second.sizes(), b->second.sizes()) << name << " " << b->first;
      EXPECT_TRUE(a->second.is_meta());
    }
    EXPECT_EQ(shapes.BlockMatrices().size(), loaded.BlockMatrices().size());
  }
}

TEST(Shapes, OfAConfigThatMakesNoModelAreRefused) {
  EXPECT_THROW(LoadShapes({{"model_type", "llama"}}, "nowhere", at::kFloat), Error);
  EXPECT_THROW(LoadShapes({{"model_type", "unheard-of"}}, "nowhere", at::kFloat), Error);
}

}  // namespace
}  // namespace grin
