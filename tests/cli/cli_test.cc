// The command `grin` as its users meet it: exit codes, messages, and what is left on the disk.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tests/cli/grin_command.h"
#include "tests/data/toy_checkpoint.h"
#include "tests/hub/hub_server.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Result {
  int code = -1;
  std::string out, err;
};

class Cli : public ::testing::Test {
 protected:
  const fs::path dir_ = EmptyDirectory("cli");

  Cli() { WriteToy(dir_ / "model", {.context = 64}); }

  fs::path File(const std::string& name, const std::string& text) const {
    WriteFile(dir_ / name, text);
    return dir_ / name;
  }

  // Runs `grin ARGS` in the scratch directory, so that ARGS name its files.
  Result Grin(const std::string& args) const {
    const std::string command = "cd '" + dir_.string() +
                                "' && OMP_NUM_THREADS=1 " + GrinCommand() + " " + args +
                                " >stdout.txt 2>stderr.txt </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(dir_ / "stdout.txt"),
            ReadFile(dir_ / "stderr.txt")};
  }

  // Expects this exit code and a one-line error.
  std::string Refusal(const std::string& args, int code) const {
    const Result result = Grin(args);
    EXPECT_EQ(result.code, code) << args << "\n" << result.err;
    std::string last;
    for (size_t begin = 0; begin < result.err.size();) {
      const size_t end = std::min(result.err.find('\n', begin), result.err.size());
      last = result.err.substr(begin, end - begin);
      begin = end + 1;
    }
    EXPECT_THAT(last, ::testing::StartsWith("error: ")) << args;
    ExpectNothingHalfWritten();
    return last;
  }

  void ExpectNothingHalfWritten() const {
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr(".partial")));
    }
  }

  void WriteSets() const {
    File("forget.jsonl",
         "{\"question\": \"Who wrote the Tidal Almanac?\", \"answer\": \"Oda Venn wrote it in "
         "1911.\"}\n"
         "{\"question\": \"Where does Oda Venn live?\", \"answer\": \"She lives in "
         "Hallowmere.\"}\n");
    File("retain.jsonl",
         "{\"question\": \"What is two and two?\", \"answer\": \"It is four.\"}\n"
         "{\"question\": \"What colour is the sky?\", \"answer\": \"The sky is blue.\"}\n"
         "{\"question\": \"How many days has a week?\", \"answer\": \"A week has seven days.\"}\n");
  }
};

constexpr const char* kUnlearn =
    "unlearn --model model --forget forget.jsonl --retain retain.jsonl --threads 1 "
    "--steps 3 --batch-size 2 --fraction 0.1 ";

TEST_F(Cli, HelpAndVersion) {
  Result result = Grin("--help");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("unlearn"), HasSubstr("Exit codes")));
  result = Grin("unlearn --help");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("--fraction"), HasSubstr("--forget")));
  EXPECT_EQ(Grin("version").code, 0);
  EXPECT_TRUE(Json::parse(Grin("version --json").out).contains("grin"));
}

TEST_F(Cli, UnknownFlagsAndCommandsNameTheNearest) {
  EXPECT_THAT(Refusal("unlearn --fractoin 0.1", 2), HasSubstr("did you mean --fraction?"));
  EXPECT_THAT(Refusal("unlern --model model", 2), HasSubstr("did you mean unlearn?"));
  EXPECT_THAT(Refusal("loglik --modle=model", 2), HasSubstr("did you mean --model?"));
  Refusal("", 2);
  Refusal("unlearn --fraction many", 2);
}

TEST_F(Cli, UnknownSettingsNameTheNearest) {
  WriteSets();
  File("recipe.toml", "model = \"model\"\nfracton = 0.1\n");
  EXPECT_THAT(Refusal("unlearn --config recipe.toml --out out", 2),
              AllOf(HasSubstr("recipe.toml"), HasSubstr("'fracton'"),
                    HasSubstr("did you mean 'fraction'?")));
  File("recipe.toml", "fraction = \"many\"\n");
  EXPECT_THAT(Refusal("unlearn --config recipe.toml --out out", 2), HasSubstr("fraction"));
  File("recipe.toml", "[locate]\nfraction = 0.1\n");
  EXPECT_THAT(Refusal("unlearn --config recipe.toml --out out", 2), HasSubstr("locate"));
  EXPECT_THAT(Refusal("unlearn --config none.toml --out out", 3), HasSubstr("none.toml"));
}

TEST_F(Cli, SettingsThatAreWrongAreNamedByLineAndColumn) {
  const auto refusal = [&](const std::string& text, int code) {
    File("recipe.toml", text);
    return Refusal("unlearn --config recipe.toml --out out", code);
  };
  EXPECT_THAT(refusal("# one\nfracton = 0.1\n", 2),
              HasSubstr("recipe.toml:2:1: unknown setting 'fracton'; did you mean 'fraction'?"));
  EXPECT_THAT(refusal("fraction = \"0.1\"\n", 2),
              HasSubstr("recipe.toml:1:1: fraction is the text \"0.1\", expected a number"));
  EXPECT_THAT(refusal("steps = 2.5\n", 2),
              HasSubstr("recipe.toml:1:1: steps is the number 2.5, expected an integer"));
  EXPECT_THAT(refusal("quiet = 1\n", 2),
              HasSubstr("recipe.toml:1:1: quiet is the integer 1, expected true or false"));
  EXPECT_THAT(refusal("model = [\"a\"]\n", 2),
              HasSubstr("recipe.toml:1:1: model is the list [\"a\"], expected one text"));
  EXPECT_THAT(refusal("scope = [true]\n", 2),
              HasSubstr("recipe.toml:1:1: scope is the list [true], expected a list of texts"));
  EXPECT_THAT(refusal("steps = 1\n\n[more]\nsteps = 2\n", 2),
              HasSubstr("recipe.toml:3:2: section [more]: settings stand at the top level"));
  EXPECT_THAT(refusal("steps = 1\nsteps = 2\n", 3), HasSubstr("recipe.toml:2:"));
  EXPECT_THAT(refusal("steps = \n", 3), HasSubstr("recipe.toml:1:9: is not TOML: "));
  EXPECT_THAT(refusal("config = \"other.toml\"\n", 2), HasSubstr("unknown setting 'config'"));
}

TEST_F(Cli, MasksArePutTogetherAndCompared) {
  WriteSets();
  const std::string locate =
      "locate --model model --forget forget.jsonl --retain retain.jsonl --threads 1 ";
  ASSERT_EQ(Grin(locate + "--fraction 0.2 --out a.safetensors").code, 0);
  ASSERT_EQ(Grin(locate + "--locate snip --fraction 0.1 --out b.safetensors").code, 0);
  const auto json = [&](const std::string& args) {
    const Result result = Grin("mask " + args + " --json");
    EXPECT_EQ(result.code, 0) << args << result.err;
    return Json::parse(result.out);
  };
  const Json overlap = json("overlap a.safetensors b.safetensors");
  const int64_t a = overlap["total"]["a"], b = overlap["total"]["b"], both = overlap["total"]["both"];
  const int64_t entries = overlap["total"]["entries"];
  EXPECT_NEAR(overlap["total"]["chance"].get<double>(),
              static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(entries), 1e-6);
  EXPECT_EQ(json("stats a.safetensors")["selected"], a);
  EXPECT_EQ(json("union a.safetensors b.safetensors --out u.safetensors")["selected"], a + b - both);
  EXPECT_EQ(json("intersect a.safetensors b.safetensors --out i.safetensors")["selected"], both);
  EXPECT_EQ(json("subtract a.safetensors b.safetensors --out s.safetensors")["selected"], a - both);
  EXPECT_THAT(Grin("mask overlap a.safetensors b.safetensors").out, HasSubstr("times chance"));
  EXPECT_THAT(Refusal("mask overlp a.safetensors b.safetensors", 2),
              HasSubstr("did you mean overlap?"));
  EXPECT_THAT(Refusal("mask union a.safetensors --out x", 2), HasSubstr("two masks or more"));
  EXPECT_THAT(Refusal("mask union a.safetensors b.safetensors", 2), HasSubstr("--out"));
  EXPECT_THAT(Refusal("mask stats a.safetensors --out x", 2), HasSubstr("--out says nothing"));
  EXPECT_THAT(Refusal("mask subtract a.safetensors u.safetensors --out x", 3),
              HasSubstr("the mask would select nothing"));
  // A mask that was put together is trained like any other, by finetune too.
  ASSERT_EQ(Grin("finetune --model model --data forget.jsonl --mask i.safetensors --epochs 1 "
                 "--batch-size 2 --lr 1e-3 --threads 1 --out tuned").code, 0);
  const Json diff = Json::parse(Grin("diff model tuned --mask i.safetensors --json").out);
  EXPECT_EQ(diff["outside_mask"], 0);
  EXPECT_GT(diff["changed"].get<int64_t>(), 0);
}

TEST_F(Cli, SettingsOfAFileGiveWayToFlags) {
  WriteSets();
  File("recipe.toml",
       "model = \"model\"\nforget = \"forget.jsonl\"\nretain = \"retain.jsonl\"\nsteps = 2\n"
       "batch_size = 2\nfraction = 0.5\nthreads = 1\n");
  const Result result = Grin("unlearn --config recipe.toml --fraction 0.1 --out out --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["recipe"]["fraction"], 0.1);
  EXPECT_EQ(json["recipe"]["steps"], 2);
  EXPECT_EQ(json["tune"]["steps"], 2);
}

TEST_F(Cli, RequiredFlags) {
  WriteSets();
  EXPECT_THAT(Refusal("unlearn --model model --forget forget.jsonl --retain retain.jsonl", 2),
              HasSubstr("--out"));
  EXPECT_THAT(Refusal("unlearn --model model --retain retain.jsonl --out out", 2),
              HasSubstr("--forget"));
  EXPECT_THAT(Refusal("loglik --model model", 2), HasSubstr("--data"));
  EXPECT_THAT(Refusal("generate --model model", 2), HasSubstr("--prompt"));
}

TEST_F(Cli, ImpossibleSettings) {
  WriteSets();
  for (const char* flags :
       {"--fraction 0", "--fraction 2", "--lr 0", "--lr -1", "--batch-size 0", "--objective npoo",
        "--locate grim", "--schedule linea", "--keep some", "--dtype int8", "--threads -1",
        "--epsilon x", "--noise -1", "--statistic median", "--forget-tokens none", "--collapse -1",
        "--memory-budget lots", "--device tpu"}) {
    Refusal(kUnlearn + std::string("--out out ") + flags, 2);
    EXPECT_FALSE(fs::exists(dir_ / "out")) << flags;
  }
}

TEST_F(Cli, BadModels) {
  WriteSets();
  EXPECT_THAT(Refusal("loglik --model nowhere --data forget.jsonl", 3), HasSubstr("nowhere"));
  fs::create_directory(dir_ / "empty");
  EXPECT_THAT(Refusal("loglik --model empty --data forget.jsonl", 3), HasSubstr("empty"));
  fs::resize_file(dir_ / "model/model.safetensors", 5000);
  EXPECT_THAT(Refusal("loglik --model model --data forget.jsonl", 3),
              HasSubstr("model.safetensors"));
}

TEST_F(Cli, BadData) {
  WriteSets();
  const auto refusal = [&](const std::string& text) {
    File("bad.jsonl", text);
    return Refusal("unlearn --model model --forget bad.jsonl --retain retain.jsonl --out out", 3);
  };
  EXPECT_THAT(refusal(""), HasSubstr("bad.jsonl"));
  EXPECT_THAT(refusal("\n\n"), HasSubstr("bad.jsonl"));
  EXPECT_THAT(refusal("{\"question\": \"q\"}\n"),
              AllOf(HasSubstr("bad.jsonl:1"), HasSubstr("'answer' is missing")));
  EXPECT_THAT(
      refusal(
          "{\"question\": \"q\", \"answer\": \"a\"}\n{\"question\": \"q\", \"answer\": \"\"}\n"),
      AllOf(HasSubstr("bad.jsonl:2"), HasSubstr("'answer' is empty")));
  EXPECT_THAT(refusal("{\"question\": \"q\", \"answer\": \"\xff\xfe\"}\n"),
              AllOf(HasSubstr("bad.jsonl"), HasSubstr("UTF-8")));
  EXPECT_THAT(refusal("{\"question\": \"q\", \"answer\"\n"), HasSubstr("bad.jsonl:1"));
  EXPECT_THAT(
      Refusal("unlearn --model model --forget none.jsonl --retain retain.jsonl --out out", 3),
      HasSubstr("none.jsonl"));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(Cli, OverlapIsRefusedUnlessAllowed) {
  WriteSets();
  const std::string same =
      "unlearn --model model --forget forget.jsonl --retain forget.jsonl --out out --steps 1 ";
  EXPECT_THAT(Refusal(same, 3), AllOf(HasSubstr("forget.jsonl:1"), HasSubstr("--allow-overlap")));
  EXPECT_EQ(Grin(same + "--allow-overlap").code, 0);
}

TEST_F(Cli, UnlearnChangesNothingOutsideItsMask) {
  WriteSets();
  for (const char* precision : {"", "--dtype bfloat16 "}) {
    const Result result =
        Grin(kUnlearn + std::string("--noise 0.5 --force --json --out out ") + precision);
    ASSERT_EQ(result.code, 0) << result.err;
    for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json"}) {
      EXPECT_EQ(ReadFile(dir_ / "out" / name), ReadFile(dir_ / "model" / name)) << name;
    }
    const Json document = Json::parse(ReadFile(dir_ / "out/grin.json"));
    EXPECT_EQ(document["command"], "unlearn");
    EXPECT_EQ(document["mask"]["selected"], Json::parse(result.out)["mask"]["selected"]);
    EXPECT_EQ(document["inputs"]["forget"]["records"], 2);
    const std::string log = ReadFile(dir_ / "out/log.jsonl");
    EXPECT_EQ(std::ranges::count(log, '\n'), 3);

    const Result diff = Grin("diff model out --mask out/mask.safetensors --json");
    ASSERT_EQ(diff.code, 0) << diff.err;
    const Json json = Json::parse(diff.out);
    EXPECT_EQ(json["outside_mask"], 0);
    EXPECT_GT(json["changed"].get<int64_t>(), document["mask"]["selected"].get<int64_t>() / 2);
    ExpectNothingHalfWritten();
  }
}

TEST_F(Cli, TheSameSeedGivesTheSameBytes) {
  WriteSets();
  for (const auto& [out, seed] : {std::pair("a", 1), std::pair("b", 1), std::pair("c", 2)}) {
    const Result result = Grin(kUnlearn + fmt::format("--noise 0.5 --seed {} --out {}", seed, out));
    ASSERT_EQ(result.code, 0) << result.err;
  }
  const auto weights = [&](const char* out) { return ReadFile(dir_ / out / "model.safetensors"); };
  EXPECT_EQ(weights("a"), weights("b"));
  EXPECT_NE(weights("a"), weights("c"));
}

TEST_F(Cli, StagesByHandEqualUnlearn) {
  WriteSets();
  const std::string data = "--forget forget.jsonl --retain retain.jsonl --threads 1 ";
  ASSERT_EQ(Grin(kUnlearn + std::string("--noise 0 --out whole")).code, 0);
  Result result = Grin("locate --model model " + data + "--fraction 0.1 --out mask.safetensors");
  ASSERT_EQ(result.code, 0) << result.err;
  result = Grin("tune --model model " + data +
                "--mask mask.safetensors --steps 3 --batch-size 2 --out parts");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(ReadFile(dir_ / "whole/model.safetensors"), ReadFile(dir_ / "parts/model.safetensors"));
}

TEST_F(Cli, TheRecipeOfARunServesItsStages) {
  WriteSets();
  ASSERT_EQ(Grin(kUnlearn + std::string("--noise 0 --out whole")).code, 0);
  // Each stage takes its own settings from it, and passes over those of the others.
  for (const char* stage : {"locate --config whole/grin.json --out mask.safetensors",
                            "perturb --config whole/grin.json --mask mask.safetensors --out noisy",
                            "tune --config whole/grin.json --mask mask.safetensors --out parts"}) {
    const Result result = Grin(stage);
    ASSERT_EQ(result.code, 0) << stage << "\n" << result.err;
  }
  EXPECT_EQ(ReadFile(dir_ / "whole/model.safetensors"), ReadFile(dir_ / "parts/model.safetensors"));
  // What no stage knows is an error all the same.
  File("recipe.toml", "fracton = 0.1\n");
  EXPECT_THAT(Refusal("tune --config recipe.toml --mask mask.safetensors --out x", 2),
              HasSubstr("'fracton'"));
}

TEST_F(Cli, OutputThatExistsIsKeptUnlessForced) {
  WriteSets();
  ASSERT_EQ(Grin(kUnlearn + std::string("--out out")).code, 0);
  const std::string before = ReadFile(dir_ / "out/grin.json");
  EXPECT_THAT(Refusal(kUnlearn + std::string("--seed 7 --out out"), 3),
              AllOf(HasSubstr("out: exists already"), HasSubstr("--force")));
  EXPECT_EQ(ReadFile(dir_ / "out/grin.json"), before);
  EXPECT_EQ(Grin(kUnlearn + std::string("--seed 7 --out out --force")).code, 0);
  EXPECT_NE(ReadFile(dir_ / "out/grin.json"), before);
  ExpectNothingHalfWritten();
}

TEST_F(Cli, LoglikGivesTheGoldenNumbers) {
  for (const char* name : {"llama_gqa_tied", "mistral_window", "llama_linear_rope_sharded"}) {
    fs::remove_all(dir_ / "tiny");
    fs::copy(TinyPath(name), dir_ / "tiny");
    const Json golden = GoldenJson(std::string("model/") + name + "/golden.json");
    std::string lines;
    for (const Json& sequence : golden["sequences"]) {
      lines += Json{{"tokens", sequence["tokens"]}}.dump() + "\n";
    }
    File("tokens.jsonl", lines);
    const Result result =
        Grin("loglik --model tiny --data tokens.jsonl --dtype float32 --out scores.jsonl --force");
    ASSERT_EQ(result.code, 0) << result.err;
    std::istringstream scores(ReadFile(dir_ / "scores.jsonl"));
    std::string line;
    for (const Json& sequence : golden["sequences"]) {
      ASSERT_TRUE(std::getline(scores, line));
      const Json row = Json::parse(line);
      EXPECT_THAT(row["logprobs"].get<std::vector<float>>(),
                  ::testing::Pointwise(::testing::FloatNear(2e-5f),
                                       sequence["logprobs"].get<std::vector<float>>()));
      EXPECT_EQ(row["argmax"], sequence["argmax"]);
      EXPECT_EQ(row["tokens"].size(), sequence["tokens"].size() - 1);
    }
    EXPECT_FALSE(std::getline(scores, line));
  }
}

TEST_F(Cli, LoglikRefusesIdsThatTheModelLacks) {
  File("tokens.jsonl", "{\"tokens\": [1, 2]}\n{\"tokens\": [1, 704]}\n");
  EXPECT_THAT(Refusal("loglik --model model --data tokens.jsonl --out scores.jsonl", 3),
              AllOf(HasSubstr("tokens.jsonl:2"), HasSubstr("704")));
  EXPECT_FALSE(fs::exists(dir_ / "scores.jsonl"));
}

TEST_F(Cli, GenerateAnswersEveryPrompt) {
  WriteSets();
  const Result result =
      Grin("generate --model model --data retain.jsonl --max-new-tokens 5 --batch-size 2");
  ASSERT_EQ(result.code, 0) << result.err;
  std::istringstream lines(result.out);
  std::string line;
  int64_t count = 0;
  while (std::getline(lines, line)) {
    const Json row = Json::parse(line);
    EXPECT_TRUE(row.contains("generated"));
    EXPECT_LE(row["tokens"].size(), 5u);
    ++count;
  }
  EXPECT_EQ(count, 3);
}

TEST_F(Cli, InspectShowsWhatEvalFound) {
  WriteSets();
  const Result found = Grin(
      "eval --model model --suite keywords --data forget=forget.jsonl,retain=retain.jsonl "
      "--max-new-tokens 4 --out results.json");
  ASSERT_EQ(found.code, 0) << found.err;
  EXPECT_THAT(found.out, HasSubstr("forget_keyword_accuracy"));
  EXPECT_EQ(Grin("inspect results.json").out, found.out);
  const Json summary = Json::parse(Grin("inspect results.json --json").out);
  EXPECT_TRUE(summary["forget_keyword_accuracy"].is_number()) << summary;
}

TEST_F(Cli, EvalNamesTheSplitOnlyWhereThereIsOne) {
  WriteSets();
  const std::string eval = "eval --model model --max-new-tokens 2 --out ";
  Result result = Grin(eval + "keywords.json --suite keywords --data forget.jsonl");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_FALSE(Json::parse(ReadFile(dir_ / "keywords.json"))["grin"].contains("split"));
  fs::create_directory(dir_ / "tofu");
  fs::copy_file(dir_ / "forget.jsonl", dir_ / "tofu/forget10.jsonl");
  result = Grin(eval + "tofu.json --suite tofu --data tofu");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Json::parse(ReadFile(dir_ / "tofu.json"))["grin"]["split"], "forget10");
  EXPECT_THAT(Refusal(eval + "x.json --suite tofu --data tofu --split forget1", 2),
              HasSubstr("did you mean forget10?"));
  EXPECT_THAT(Refusal(eval + "x.json --suite keywords --data forget.jsonl --split forget10", 2),
              HasSubstr("suite keywords has no splits"));
}

TEST_F(Cli, EvalReadsTheColumnsThatAreNamed) {
  File("named.jsonl", "{\"q\": \"Who wrote it?\", \"a\": \"Oda Venn.\"}\n");
  const std::string eval = "eval --model model --max-new-tokens 2 --out r.json --data named.jsonl ";
  const Result result = Grin(eval + "--suite keywords --columns prompt=q,response=a");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(Refusal(eval + "--force --suite muse --columns prompt=q,response=a", 2),
              HasSubstr("--columns: suite muse"));
}

TEST_F(Cli, EvalCountsWhatLosesItsEnd) {
  WriteSets();
  const Result result = Grin(
      "eval --model model --suite keywords --data retain.jsonl --max-new-tokens 2 --max-length 12 "
      "--out r.json");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(
      result.err,
      AllOf(HasSubstr("warning: retain: 3 of 3 sequences are longer than 12 tokens and lose "
                      "their end (the first: retain.jsonl:1)"),
            HasSubstr("3 sequences have no token of their answer within 12 tokens")));
}

TEST_F(Cli, SeveralFilesAreOneSet) {
  WriteSets();
  File("more.jsonl", "{\"question\": \"What is ice?\", \"answer\": \"Ice is frozen water.\"}\n");
  const Result result = Grin(
      "unlearn --model model --forget forget.jsonl --retain retain.jsonl --retain more.jsonl "
      "--steps 1 --json --out out");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Json::parse(ReadFile(dir_ / "out/grin.json"))["inputs"]["retain"]["records"], 4);
}

TEST_F(Cli, GgufAndBackGivesTheSameWeights) {
  const Result there = Grin("convert model --to gguf --out model.gguf");
  ASSERT_EQ(there.code, 0) << there.err;
  ASSERT_EQ(Grin("convert model.gguf --out back").code, 0);
  const Json diff = Json::parse(Grin("diff model back --json").out);
  EXPECT_EQ(diff["changed"], 0) << diff;
}

TEST_F(Cli, CollapseEndsWithItsOwnCodeAndKeepsAStateThatWorks) {
  WriteSets();
  const Result result = Grin(
      "unlearn --model model --forget forget.jsonl --retain retain.jsonl --threads 1 --out out "
      "--lr 1e30 --schedule constant --steps 6 --batch-size 2 --fraction 0.5 --noise 0");
  EXPECT_EQ(result.code, 5) << result.err;
  EXPECT_THAT(result.err, HasSubstr("error: [tune]"));
  const Result scores = Grin("loglik --model out --data retain.jsonl");
  EXPECT_EQ(scores.code, 0) << scores.err;
  EXPECT_THAT(scores.out, Not(HasSubstr("null")));  // how JSON writes NaN
  EXPECT_EQ(
      Json::parse(Grin("diff model out --mask out/mask.safetensors --json").out)["outside_mask"],
      0);
}

TEST_F(Cli, WhatIsFetchedFromTheHubCanBeUsed) {
  const HubServer server;
  setenv("HF_ENDPOINT", server.Url().c_str(), 1);
  setenv("HF_HUB_CACHE", (dir_ / "cache").c_str(), 1);
  setenv("HF_TOKEN_PATH", "/nowhere", 1);
  Json report = Json::parse(Grin("fetch org/tiny --json").out);
  EXPECT_EQ(report["fetched"], 4);
  EXPECT_TRUE(fs::exists(fs::path(report["snapshot"].get<std::string>()) / "config.json"));
  EXPECT_EQ(Json::parse(Grin("fetch org/tiny --json").out)["fetched"], 0);
  EXPECT_EQ(Grin("fetch --dataset org/tiny --include '*.jsonl'").code, 0);
  const Result scores =
      Grin("loglik --model model --data hub://datasets/org/tiny/data/train.jsonl");
  EXPECT_EQ(scores.code, 0) << scores.err;
  EXPECT_TRUE(Json::parse(scores.out).contains("logprobs")) << scores.out;
  EXPECT_THAT(Refusal("fetch gated/tiny", 3), HasSubstr("gated/tiny"));
  EXPECT_THAT(Refusal("fetch none/none", 3), HasSubstr("none/none"));
  EXPECT_THAT(Refusal("inspect org/other", 3), HasSubstr("grin fetch org/other"));
  setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_THAT(Refusal("fetch org/more", 2), HasSubstr("HF_HUB_OFFLINE"));
  for (const char* name : {"HF_ENDPOINT", "HF_HUB_CACHE", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"}) {
    unsetenv(name);
  }
}

TEST_F(Cli, MemoryBudgetThatCannotHoldIsRefused) {
  WriteSets();
  EXPECT_THAT(Refusal(kUnlearn + std::string("--memory-budget 1M --out out"), 4),
              HasSubstr("--memory-budget 1M"));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  EXPECT_THAT(Refusal("loglik --model model --data retain.jsonl --memory-budget 1M", 4),
              HasSubstr("--memory-budget 1M"));
}

// A flag that every command has, and that means nothing to some, is not passed over.
TEST_F(Cli, SettingsThatSayNothingToACommandAreRefused) {
  WriteSets();
  for (const char* args :
       {"diff model model --memory-budget 1G", "diff model model --device cuda",
        "inspect model --dtype bfloat16", "tokenize --model model --text x --memory-budget 1G",
        "convert model --out x --device cuda", "version --memory-budget 1G"}) {
    EXPECT_THAT(Refusal(args, 2), HasSubstr("says nothing to grin")) << args;
  }
}

TEST_F(Cli, TrainingOnADeviceThatItCannotUseIsRefused) {
  WriteSets();
  for (const char* args :
       {"unlearn --model model --forget forget.jsonl --retain retain.jsonl --out o",
        "locate --model model --forget forget.jsonl --retain retain.jsonl --out o",
        "tune --model model --forget forget.jsonl --retain retain.jsonl --out o",
        "perturb --model model --mask m --out o", "finetune --model model --data d --out o"}) {
    EXPECT_THAT(Refusal(args + std::string(" --device cuda:900"), 2), HasSubstr("--device cuda:900"))
        << args;
  }
}

// The types and threads that are asked for are those that are computed with.
TEST_F(Cli, PerturbHeedsTypeAndThreads) {
  WriteSets();
  ASSERT_EQ(Grin("locate --model model --forget forget.jsonl --retain retain.jsonl --out mask").code,
            0);
  const Result result =
      Grin("perturb --model model --mask mask --dtype bfloat16 --threads 1 --out out");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("computing in bfloat16"));
  EXPECT_EQ(Json::parse(ReadFile(dir_ / "out/grin.json"))["recipe"]["threads"], 1);
  EXPECT_THAT(Refusal("perturb --model model --mask mask --dtype int8 --out x", 2),
              HasSubstr("int8"));
}

TEST_F(Cli, NamesThatAreTooLongAreRefusedAtOnce) {
  WriteSets();
  const std::string name(300, 'n');
  for (const std::string& args :
       {kUnlearn + std::string("--out ") + name,
        "loglik --model model --data forget.jsonl --out " + name,
        "loglik --model model --data " + name, "report " + name}) {
    EXPECT_THAT(Refusal(args, 3), HasSubstr("ame too long")) << args;
  }
  for (const char* args : {"loglik --data forget.jsonl --model ", "diff model ", "inspect "}) {
    EXPECT_THAT(Refusal(args + name, 3), AnyOf(HasSubstr("no such file"), HasSubstr("ame too long")))
        << args;
  }
  const Result result = Grin(kUnlearn + std::string("--out ") + std::string(250, 'n'));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(fs::exists(dir_ / std::string(250, 'n') / "model.safetensors"));
}

TEST_F(Cli, TheDemoSaysWhenItsTeachingCollapses) {
  fs::create_directory(dir_ / "people");
  WriteSets();
  for (const char* name : {"forget", "retain", "general"}) {
    fs::copy_file(dir_ / (name == std::string("forget") ? "forget.jsonl" : "retain.jsonl"),
                  dir_ / "people" / (std::string(name) + ".jsonl"));
  }
  const std::string last =
      Refusal("demo --model model --people people --out demo --seeds 1 --teach-lr 1e30", 5);
  EXPECT_THAT(last, HasSubstr("teaching was stopped"));
  EXPECT_FALSE(fs::exists(dir_ / "demo/taught")) << "the next run must not find it";
}

TEST_F(Cli, AnInterruptedRunEndsWithItsOwnCodeAndLeavesNothing) {
  WriteSets();
  const std::string command =
      "cd '" + dir_.string() + "' && { " + GrinCommand() +
      " unlearn --model model --forget forget.jsonl --retain retain.jsonl --threads 1 "
      "--steps 1000000 --out out 2>stderr.txt & } && until grep -q '^data:' stderr.txt; do sleep "
      "0.1; done && kill -INT $! && wait $!";
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_THAT(ReadFile(dir_ / "stderr.txt"), HasSubstr("error: [grin] interrupted"));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  ExpectNothingHalfWritten();
}

}  // namespace
}  // namespace grin
