// Locating in the memory that there is: less of it changes how, and no bit of the mask.

#include "grin/run/locate_fit.h"

#include <gmock/gmock.h>

#include "grin/data/packing.h"
#include "grin/run/budget.h"
#include "grin/run/stages.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;

struct LocateCase {
  explicit LocateCase(const std::string& name)
      : toy(name),
        workspace(OpenWorkspace(toy.where())),
        task(LoadTask(workspace, toy.task()).task),
        work(LocateWorkOf(task, options, 0)) {}

  const Model& model() const { return workspace.model; }

  Mask Run(const LocateFit& fit) const {
    return Locate(model(), task.forget_sequences, task.retain_sequences, options, 0,
                  fit.pass_tokens, nullptr, fit.memory);
  }

  ToyRun toy;
  Workspace workspace;
  Task task;
  LocateOptions options;
  LocateWork work;
};

void ExpectSameBits(const Mask& mask, const Mask& expected) {
  ASSERT_EQ(mask.tensors().size(), expected.tensors().size());
  for (size_t i = 0; i < mask.tensors().size(); ++i) {
    EXPECT_EQ(mask.tensors()[i].bits, expected.tensors()[i].bits) << mask.tensors()[i].name;
  }
}

TEST(LocateFit, CountsWhatItHasToGoThrough) {
  const LocateCase of("locate_fit_work");
  int64_t retain = 0, longest = 0;
  for (const Sequence& sequence : of.task.retain_sequences) {
    retain += static_cast<int64_t>(TokensRead(sequence).size());
  }
  for (const auto* set : {&of.task.forget_sequences, &of.task.retain_sequences}) {
    for (const Sequence& sequence : *set) {
      longest = std::max(longest, static_cast<int64_t>(sequence.tokens.size()));
    }
  }
  EXPECT_EQ(of.work.retain.tokens, retain);
  EXPECT_EQ(of.work.longest, longest);
}

TEST(LocateFit, HoldsLessTheLessRoomThereIs) {
  const LocateCase of("locate_fit_ways");
  const LocateFit free = FitLocate(of.model(), of.options, of.work, std::nullopt, std::nullopt);
  EXPECT_EQ(free.memory, LocateMemory{});
  const Mask whole = of.Run(free);
  // Each way in its turn: the room is always one byte short of what the last one took.
  int64_t room = free.device_bytes, ways = 0;
  std::set<KeepPlace> places;
  for (;; ++ways) {
    const LocateFit fit = FitLocate(of.model(), of.options, of.work, room, std::nullopt);
    if (fit.device_bytes > room) break;
    places.insert(fit.memory.keep);
    ExpectSameBits(of.Run(fit), whole);
    room = fit.device_bytes - 1;
    if (fit.pass_tokens < free.pass_tokens) break;  // now sums are rounded otherwise
  }
  EXPECT_GE(ways, 3);
  EXPECT_TRUE(places.contains(KeepPlace::kInPlace));
  EXPECT_TRUE(places.contains(KeepPlace::kFile) || places.contains(KeepPlace::kHost));
}

TEST(LocateFit, TakesAFileWhereTheHostLacksMemoryToo) {
  const LocateCase of("locate_fit_host");
  for (int64_t room = 1 << 30; room > 0; room = room * 9 / 10) {
    const LocateFit fit = FitLocate(of.model(), of.options, of.work, room, /*host_room=*/0);
    EXPECT_NE(fit.memory.keep, KeepPlace::kHost);
    if (fit.device_bytes > room) return;
  }
  ADD_FAILURE() << "something fits into nothing";
}

// What is counted is what is taken, on a device that knows.
TEST(LocateFit, KeepsToWhatItCounts) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "the CPU counts no tensors";
  const LocateCase of("locate_fit_peak");
  // Each tensor there takes whole pages, which of a toy's is most: so many small ones live at a
  // time.
  constexpr int64_t kPages = 250 * 4096;
  for (const LocateMemory& memory :
       {LocateMemory{}, LocateMemory{.blocks_at_a_time = 1},
        LocateMemory{.blocks_at_a_time = 1, .streams_on_host = true, .keep = KeepPlace::kHost}}) {
    const LocateFit fit = MeasureLocate(of.model(), of.options, of.work, memory, 512);
    const int64_t before = BytesOfStandIn();
    ForgetPeakOfStandIn();
    of.Run(fit);
    EXPECT_LE(PeakOfStandIn() - before, fit.device_bytes + kPages);
  }
}

// Without a budget a device's free memory is one.
TEST(LocateFit, ReadsWhatIsFreeOnADevice) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "no limit there";
  const LocateCase of("locate_fit_free");
  const LocateFit whole = MeasureLocate(of.model(), of.options, of.work, {}, 4096);
  const auto fit = [&](int64_t bytes) {
    LimitStandIn(BytesOfStandIn() + (int64_t{256} << 20) + bytes);
    const LocateFit found =
        BudgetLocate(of.model(), of.workspace.options.compute, of.options, of.work, 0);
    LimitStandIn(0);
    return found.memory;
  };
  EXPECT_EQ(fit(whole.device_bytes), LocateMemory{});
  EXPECT_NE(fit(whole.device_bytes - 1), LocateMemory{});
  const std::string refusal = MessageOf([&] { fit(1); });
  LimitStandIn(0);
  EXPECT_THAT(refusal, HasSubstr("locating does not fit the memory that is free on standin"));
}

TEST(LocateFit, ABudgetChangesNoBitOfTheMask) {
  const LocateCase of("locate_fit_budget");
  const LocateFit whole = MeasureLocate(of.model(), of.options, of.work, {}, 512);
  WorkspaceOptions where = of.toy.where();
  const auto mask = [&](const std::string& budget) {
    where.compute.memory_budget = budget;
    Workspace workspace = OpenWorkspace(where);
    return RunLocate(workspace, LoadTask(workspace, of.toy.task()), {.locate = of.options}).mask;
  };
  ExpectSameBits(mask(std::to_string(WeightBytes(of.model()) + ProgramBytes(of.model()) +
                                     whole.device_bytes * 9 / 10)),
                 mask(""));
}

}  // namespace
}  // namespace grin
