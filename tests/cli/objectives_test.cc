// Every objective through `grin unlearn`, from the command line to the files it leaves: its loss
// falls, nothing outside the mask moves, and the recipe tells what it meant.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "grin/tune/objective.h"
#include "tests/cli/grin_command.h"
#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ObjectivesCli : public ::testing::Test {
 protected:
  ObjectivesCli() {
    WriteToy(dir_ / "model", {.context = 1024});
    WriteFile(dir_ / "forget.jsonl",
              "{\"question\": \"Who wrote the Tidal Almanac?\", \"answer\": \"Oda Venn wrote it in "
              "1911.\", \"alternate\": [\"It is by Ib Sol.\", \"Una Moe made it in 1850.\"]}\n"
              "{\"question\": \"Where does Oda Venn live?\", \"answer\": \"She lives in "
              "Hallowmere.\", \"alternate\": \"Her home is Port Ansel.\"}\n");
    WriteFile(
        dir_ / "retain.jsonl",
        "{\"question\": \"What is two and two?\", \"answer\": \"It is four.\"}\n"
        "{\"question\": \"What colour is the sky?\", \"answer\": \"The sky is blue.\"}\n"
        "{\"question\": \"How many days has a week?\", \"answer\": \"A week has seven days.\"}\n");
    WriteFile(dir_ / "refusals.txt", "I do not know.\nNo idea.\n");
  }

  struct Result {
    int code = -1;
    std::string err;
    std::vector<Json> log;
    Json document;
  };

  // `grin unlearn ARGS` with settings under which a few steps show which way a loss goes.
  Result Unlearn(const std::string& args) const {
    fs::remove_all(dir_ / "out");
    const std::string command =
        "cd '" + dir_.string() + "' && OMP_NUM_THREADS=1 " + GrinCommand() +
        " unlearn --model model --forget forget.jsonl --retain retain.jsonl --out out --steps 12 "
        "--batch-size 3 --lr 1e-2 --schedule constant --perturb none --fraction 0.3 --keep last "
        "--collapse 0 --outlier 0 " +
        args + " >stdout.txt 2>stderr.txt </dev/null";
    const int status = std::system(command.c_str());
    Result result{WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(dir_ / "stderr.txt")};
    if (result.code != 0) return result;
    std::istringstream lines(ReadFile(dir_ / "out/log.jsonl"));
    for (std::string line; std::getline(lines, line);) result.log.push_back(Json::parse(line));
    result.document = Json::parse(ReadFile(dir_ / "out/grin.json"));
    return result;
  }

  // `towards_zero`: of an objective that weighs tokens by their probability, which passes no gradient
  // on: as unlikely answers become less likely, so does what is left of its loss.
  void ExpectLossFalls(const Result& result, bool towards_zero = false) const {
    ASSERT_EQ(result.code, 0) << result.err;
    ASSERT_EQ(result.log.size(), 12u);
    // The first and the last three steps, so that a draw does not decide.
    double first = 0, last = 0;
    for (size_t i = 0; i < 3; ++i) {
      first += result.log[i]["forget_loss"].get<double>();
      last += result.log[result.log.size() - 1 - i]["forget_loss"].get<double>();
    }
    if (towards_zero) {
      first = std::abs(first);
      last = std::abs(last);
    }
    EXPECT_LT(last, first) << result.log.front().dump() << result.log.back().dump();
  }

  const fs::path dir_ = EmptyDirectory("objectives_cli");
};

// The toy knows none of its answers: simnpo's margin lies above its losses, so that there is
// something to do. The forget loss alone decides where the steps go.
TEST_F(ObjectivesCli, EveryObjectiveLowersItsLoss) {
  for (const Objective& objective : ForgetObjectives()) {
    SCOPED_TRACE(objective.name);
    std::string args = "--objective " + std::string(objective.name) + " --gamma 1 --alpha 0";
    if (objective.answers != Answers::kTrue && objective.answers != Answers::kOverAlternates) {
      args += " --refusals refusals.txt";
    }
    if (objective.name == "simnpo") args += " --delta 8";
    const bool weighs_by_p = objective.name == "wga" || objective.name == "satimp";
    if (objective.name == "satimp") args += " --beta 0.5";  // p^5 of such answers is nothing
    if (objective.dual_retain) args += " --dual-warmup 1";
    const Result result = Unlearn(args);
    ExpectLossFalls(result, weighs_by_p);
    if (result.code != 0) continue;
    const Json& recipe = result.document["recipe"];
    EXPECT_EQ(recipe["gamma"], 1);
    EXPECT_EQ(recipe["retain-loss"], objective.retain_default);
    for (const NamedParameter& parameter : ObjectiveParameters()) {
      EXPECT_EQ(recipe.contains(parameter.name), HasParameter(objective, parameter.name))
          << parameter.name;
    }
    for (const ObjectiveParameter& parameter : objective.parameters) {
      const std::string name(parameter.name);
      if (args.find("--" + name + " ") != std::string::npos) continue;
      EXPECT_EQ(recipe[name].get<double>(), parameter.value);
    }
    EXPECT_EQ(result.log.back().contains("retain_loss"), objective.retain_default != "none");
  }
}

TEST_F(ObjectivesCli, EveryRetainObjectiveHolds) {
  for (const Objective& retain : RetainObjectives()) {
    SCOPED_TRACE(retain.name);
    const std::string forget = retain.on_hidden() ? "rmu" : "graddiff";
    const std::string held = "--objective " + forget + " --retain-loss " + std::string(retain.name);
    const Result strongly = Unlearn(held + " --gamma 0.3 --alpha 10");
    ASSERT_EQ(strongly.code, 0) << strongly.err;
    if (retain.name == "none") {
      EXPECT_FALSE(strongly.log.back().contains("retain_loss"));
      continue;
    }
    const Result hardly = Unlearn(held + " --gamma 0.3 --alpha 0");
    ASSERT_EQ(hardly.code, 0) << hardly.err;
    EXPECT_LT(strongly.log.back()["retain_loss"].get<double>(),
              hardly.log.back()["retain_loss"].get<double>());
  }
}

TEST_F(ObjectivesCli, EachHasDefaultsOfItsOwn) {
  const auto recipe = [&](const std::string& args) {
    const Result result = Unlearn("--steps 1 " + args);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.document["recipe"];
  };
  Json npo = recipe("--objective npo");
  EXPECT_EQ(npo["gamma"], 0.05);
  EXPECT_EQ(npo["beta"], 0.1);
  EXPECT_EQ(npo["forget-tokens"], "keywords");
  npo = recipe("--objective npo --compat open-unlearning");
  EXPECT_EQ(npo["gamma"], 1);
  EXPECT_EQ(npo["forget-tokens"], "all");
  const Json rmu = recipe("--objective rmu");
  EXPECT_EQ(rmu["gamma"], 1);
  EXPECT_EQ(rmu["steering"], 2);
  EXPECT_EQ(rmu["retain-loss"], "activations");
  EXPECT_EQ(recipe("--objective altpo")["alpha"], 2);
  EXPECT_EQ(recipe("--objective simnpo")["gamma"], 0.125);
  // A run made again from its own record has the same recipe.
  fs::copy_file(dir_ / "out/grin.json", dir_ / "before.json");
  const Json again = recipe("--config before.json");
  EXPECT_EQ(again["gamma"], 0.125);
}

TEST_F(ObjectivesCli, TheModelMakesAlternateAnswersUp) {
  const Result result = Unlearn("--objective altpo --alternates model --gamma 1 --alpha 0.1");
  ExpectLossFalls(result);
  EXPECT_THAT(result.err, HasSubstr("alternate answers, made by the model; such as for"));
}

TEST_F(ObjectivesCli, LearnsWhichTokensForget) {
  ExpectLossFalls(Unlearn("--objective npo --forget-tokens learned --gamma 1 --alpha 0.1"));
}

// Before anything is located, which may take long.
TEST_F(ObjectivesCli, WhatRmuCannotReachIsToldFirst) {
  const Result result = Unlearn("--objective rmu --layer 0");
  ASSERT_EQ(result.code, 0) << result.err;
  const size_t told = result.err.find("would not be trained and keep their noise");
  ASSERT_NE(told, std::string::npos) << result.err;
  EXPECT_LT(told, result.err.find("locate"));
  const Result above = Unlearn("--objective rmu --layer 0 --scope model.layers.1.*");
  EXPECT_EQ(above.code, 2);
  EXPECT_THAT(above.err, HasSubstr("would be trained"));
}

TEST_F(ObjectivesCli, WhatMeansNothingIsToldOrRefused) {
  EXPECT_THAT(Unlearn("--steps 1 --objective npo --delta 1").err,
              HasSubstr("--delta means nothing to --objective npo and is ignored"));
  for (const auto& [args, message] : std::vector<std::pair<std::string, std::string>>{
           {"--objective dpo", "--objective dpo needs --refusals FILE"},
           {"--objective npo --beta 0", "--beta is 0; for npo it must be above 0"},
           {"--objective npo --alternates x", "--alternates is for --objective altpo"},
           {"--objective pdu --retain-loss none", "weighs a retain loss"}}) {
    const Result result = Unlearn(args);
    EXPECT_EQ(result.code, 2) << args;
    EXPECT_THAT(result.err, HasSubstr(message));
  }
  const Result missing = Unlearn("--objective altpo --alternates other");
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("forget.jsonl:1"), HasSubstr("'other' is missing")));
  const Result same = Unlearn("--objective altpo --alternates answer");
  EXPECT_THAT(same.err, HasSubstr("the very answer that is to be forgotten"));
}

}  // namespace
}  // namespace grin
