// grin attack, apply and adapters as their users meet them.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "tests/cli/grin_command.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class AttackCommand : public testing::Test {
 protected:
  struct Ended {
    int code = -1;
    std::string out, err;
  };
  Ended Grin(const std::string& args) const {
    const std::string out = dir_ / "stdout", err = dir_ / "stderr";
    const int status = std::system((GrinCommand() + " " + args + " >" + out + " 2>" + err).c_str());
    return {WEXITSTATUS(status), ReadFile(out), ReadFile(err)};
  }
  static std::string Data(const std::string& name) {
    return fs::absolute(fs::path(GRIN_TEST_DATA) / name).string();
  }

  const fs::path dir_ = Scratch("attack_command");
};

TEST_F(AttackCommand, PrintsATableAndAVerdict) {
  const std::string args = "attack --model " + Data("attack/silent") + " --before " +
                           Data("attack/before") + " --reference " + Data("attack/never") +
                           " --forget " + Data("attack/forget.jsonl") + " --retain " +
                           Data("attack/retain.jsonl") + " --attacks round,sample --samples 2" +
                           " --max-new-tokens 8 --out " + (dir_ / "attack.json").string();
  const Ended table = Grin(args);
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("came back"), HasSubstr("greedy answers that refuse"),
                               HasSubstr("rounded to nf4"), HasSubstr("Only keeps silent:"),
                               HasSubstr("not measured: 2 answers were drawn")));
  const Ended again = Grin(args);
  EXPECT_EQ(again.code, 3);
  EXPECT_THAT(again.err, HasSubstr("exists already"));
  const Ended json = Grin(args + " --force --json --quiet");
  const Json printed = Json::parse(json.out);
  EXPECT_EQ(printed["plain_refusals"]["agg_value"], 1.0);
  EXPECT_FALSE(printed["plain_refusals"].contains("value_by_index"));
  EXPECT_EQ(printed["grin"]["recipe"]["attacks"], Json({"round", "sample"}));
  // A result can be made again from its own record.
  const Ended config = Grin("attack --config " + (dir_ / "record.json").string() + " --out " +
                            (dir_ / "again.json").string());
  EXPECT_EQ(config.code, 3);  // not there yet
  WriteFile(dir_ / "record.json", Json({{"recipe", printed["grin"]["recipe"]}}).dump());
  const Ended repeated = Grin("attack --config " + (dir_ / "record.json").string() +
                              " --json --quiet --out " + (dir_ / "again.json").string());
  ASSERT_EQ(repeated.code, 0) << repeated.err;
  EXPECT_EQ(Json::parse(repeated.out)["leak_at_1"], printed["leak_at_1"]);
}

TEST_F(AttackCommand, DeltasGoOnAndOff) {
  const std::string before = Data("attack/before"), silent = Data("attack/silent");
  const std::string delta = dir_ / "delta", on = dir_ / "on", off = dir_ / "off";
  const Ended diff = Grin("diff " + before + " " + silent + " --out " + delta);
  EXPECT_EQ(diff.code, 0) << diff.err;
  EXPECT_THAT(diff.out, HasSubstr("wrote " + delta));
  EXPECT_THAT(Grin("inspect " + delta).out, AllOf(HasSubstr("delta: "), HasSubstr("base_sha256")));
  EXPECT_EQ(Grin("apply " + delta + " --model " + before + " --out " + on).code, 0);
  EXPECT_EQ(ReadFile(on + "/model.safetensors"), ReadFile(silent + "/model.safetensors"));
  EXPECT_EQ(Grin("apply " + delta + " --model " + on + " --remove --out " + off).code, 0);
  EXPECT_EQ(ReadFile(off + "/model.safetensors"), ReadFile(before + "/model.safetensors"));
  const Ended wrong =
      Grin("apply " + delta + " --model " + Data("attack/never") + " --out " + on + "2");
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.err, HasSubstr("is not the base of"));
}

TEST_F(AttackCommand, AnAdapterIsAModel) {
  const std::string adapter = Data("adapter/plain"), out = dir_ / "merged";
  EXPECT_EQ(Grin("convert " + adapter + " --out " + out).code, 0);
  const Ended diff = Grin("diff " + adapter + " " + out + " --json");
  EXPECT_EQ(Json::parse(diff.out)["changed"], 0);
  const Ended base = Grin("diff " + Data("model/llama_plain") + " " + adapter + " --json");
  EXPECT_EQ(Json::parse(base.out)["changed_by_tensor"].size(), 4u);  // q and v of two layers
  EXPECT_THAT(Grin("inspect " + adapter).out, HasSubstr("LlamaForCausalLM"));
}

}  // namespace
}  // namespace grin
