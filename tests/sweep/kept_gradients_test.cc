// Masks from gradients that are kept are those from gradients that are not, to the bit.

#include "grin/sweep/kept_gradients.h"

#include <gmock/gmock.h>

#include "grin/run/unlearn.h"
#include "tests/sweep/toy_sweep.h"

namespace grin {
namespace {

class KeptGradientsTest : public testing::Test {
 protected:
  KeptGradientsTest() {
    const fs::path dir = fs::path(GRIN_TEST_DATA) / "attack";
    workspace_ =
        OpenWorkspace({.model = {dir / "before"}, .data = {}, .compute = {.device = "cpu"}});
    task_ = LoadTask(workspace_, {.forget = dir / "forget.jsonl", .retain = dir / "retain.jsonl"});
  }

  Mask Located(const LocateOptions& options, GradientStore* store, LocateReport* report = nullptr) {
    return Locate(workspace_.model, task_.task.forget_sequences, task_.task.retain_sequences,
                  options,
                  /*seed=*/3, /*pass_tokens=*/64, report, {}, store);
  }

  Workspace workspace_;
  LoadedTask task_;
  Ledger ledger_{EmptyDirectory("kept_gradients") / "out"};
};

size_t FilesIn(const Ledger& ledger) {
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(ledger.shared())) {
    files += entry.path().extension() == ".f32";
  }
  return files;
}

TEST_F(KeptGradientsTest, GiveTheSameMasks) {
  KeptGradients store(ledger_, "model");
  const auto compare = [&](const LocateOptions& options) {
    LocateReport with, without;
    const Mask kept = Located(options, &store, &with), fresh = Located(options, nullptr, &without);
    ASSERT_EQ(kept.tensors().size(), fresh.tensors().size());
    for (size_t i = 0; i < kept.tensors().size(); ++i) {
      EXPECT_EQ(kept.tensors()[i].bits, fresh.tensors()[i].bits) << options.locate;
    }
    EXPECT_EQ(kept.metadata(), fresh.metadata());
    EXPECT_EQ(with.share_below_epsilon, without.share_below_epsilon);
  };
  compare({.locate = "grin"});
  EXPECT_EQ(FilesIn(ledger_), 2u);  // of the forget and of the retain set
  for (const char* epsilon : {"10%", "mean", "0"}) {
    compare({.locate = "grin", .fraction = 0.3, .epsilon = epsilon});
  }
  compare({.locate = "wagle", .fraction = 0.2});
  EXPECT_EQ(FilesIn(ledger_), 2u);
  compare({.locate = "salun"});  // passes of another size, as nothing is held beside
  compare({.locate = "snip", .fraction = 0.5});
  compare({.locate = "ssd"});
  compare({.locate = "perta", .fraction = 0.1});
  compare({.locate = "grin", .scope = {"*.down_proj.weight", "+embeddings"}});
  compare({.locate = "grin", .locate_sample = 4});
}

TEST_F(KeptGradientsTest, AreOfOneModel) {
  KeptGradients store(ledger_, "model"), other(ledger_, "other");
  Located({.locate = "grin"}, &store);
  Located({.locate = "grin"}, &other);
  EXPECT_EQ(FilesIn(ledger_), 4u);
}

TEST_F(KeptGradientsTest, RefuseAFileOfAnotherSize) {
  KeptGradients store(ledger_, "model");
  Located({.locate = "salun"}, &store);
  for (const auto& entry : fs::directory_iterator(ledger_.shared())) {
    if (entry.path().extension() == ".f32") fs::resize_file(entry.path(), 100);
  }
  EXPECT_THAT(MessageOf([&] { Located({.locate = "salun"}, &store); }),
              testing::HasSubstr("has 100 bytes"));
}

}  // namespace
}  // namespace grin
