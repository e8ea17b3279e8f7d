#include "grin/ranks/place.h"

#include <gmock/gmock.h>

#include <map>

#include "grin/base/error.h"

namespace grin {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<RankPlace> PlaceIn(const Variables& variables) {
  return FindRankPlace([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string ErrorIn(const Variables& variables) {
  try {
    PlaceIn(variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(RankPlace, OneProcessIsNone) {
  EXPECT_FALSE(PlaceIn({}));
  EXPECT_FALSE(PlaceIn({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
  EXPECT_FALSE(PlaceIn({{"WORLD_SIZE", "1"}}));
  // A batch script of Slurm that was not started by srun has these two.
  EXPECT_FALSE(PlaceIn({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}));
}

TEST(RankPlace, AsTorchrunSaysIt) {
  Variables variables = {{"RANK", "3"},           {"WORLD_SIZE", "8"},
                         {"LOCAL_RANK", "1"},     {"MASTER_ADDR", "node0"},
                         {"MASTER_PORT", "1234"}, {"TORCHELASTIC_RESTART_COUNT", "2"}};
  const auto place = PlaceIn(variables);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 3);
  EXPECT_EQ(place->world, 8);
  EXPECT_EQ(place->local_rank, 1);
  EXPECT_EQ(place->address, "node0");
  EXPECT_EQ(place->port, 1234);
  EXPECT_EQ(place->attempt, "2");
  EXPECT_FALSE(place->opens_store);
  variables["RANK"] = "0";
  EXPECT_TRUE(PlaceIn(variables)->opens_store);
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  EXPECT_FALSE(PlaceIn(variables)->opens_store);
}

TEST(RankPlace, AsOpenMpiAndSlurmSayIt) {
  const Variables mpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                         {"OMPI_COMM_WORLD_SIZE", "2"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
  EXPECT_EQ(PlaceIn(mpi)->rank, 1);
  EXPECT_EQ(PlaceIn(mpi)->address, "127.0.0.1") << "all are on this machine";
  EXPECT_EQ(PlaceIn(mpi)->port, 29500);
  const Variables slurm = {{"SLURM_PROCID", "5"},
                           {"SLURM_STEP_NUM_TASKS", "6"},
                           {"SLURM_LOCALID", "2"},
                           {"MASTER_ADDR", "n1"}};
  EXPECT_EQ(PlaceIn(slurm)->rank, 5);
  EXPECT_EQ(PlaceIn(slurm)->local_rank, 2);
  EXPECT_EQ(
      PlaceIn({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "4"}, {"MASTER_ADDR", "n1"}})->world, 4);
}

TEST(RankPlace, RefusesWhatMakesNoSense) {
  using ::testing::HasSubstr;
  EXPECT_THAT(ErrorIn({{"RANK", "1"}}), HasSubstr("only RANK is set"));
  EXPECT_THAT(ErrorIn({{"WORLD_SIZE", "2"}}), HasSubstr("only WORLD_SIZE is set"));
  EXPECT_THAT(ErrorIn({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}),
              HasSubstr("RANK is 2 and WORLD_SIZE is 2"));
  EXPECT_THAT(ErrorIn({{"RANK", "one"}, {"WORLD_SIZE", "2"}}), HasSubstr("RANK is 'one'"));
  EXPECT_THAT(ErrorIn({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), HasSubstr("MASTER_ADDR is not set"));
  EXPECT_THAT(ErrorIn({{"RANK", "0"},
                       {"WORLD_SIZE", "2"},
                       {"MASTER_ADDR", "a"},
                       {"MASTER_PORT", "70000"}}),
              HasSubstr("MASTER_PORT is '70000'"));
}

}  // namespace
}  // namespace grin
