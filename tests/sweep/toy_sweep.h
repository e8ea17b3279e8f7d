#pragma once
// A sweep over the small models of tests/data/attack, whose runs take a moment.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "grin/sweep/sweep.h"
#include "tests/data/toy_checkpoint.h"

namespace grin {

namespace fs = std::filesystem;

class ToySweep {
 public:
  explicit ToySweep(const std::string& name) : dir_(EmptyDirectory(name)) {
    // Beside the file, as its paths are relative to it.
    const fs::path fixtures = fs::absolute(fs::path(GRIN_TEST_DATA) / "attack");
    for (const char* file : {"before", "never", "forget.jsonl", "retain.jsonl"}) {
      fs::create_symlink(fixtures / file, dir_ / file);
    }
  }

  const fs::path& dir() const { return dir_; }
  fs::path out() const { return dir_ / "out"; }
  fs::path file() const { return dir_ / "sweep.toml"; }

  // What every sweep of the tests has in common.
  static std::string Unlearn() {
    return "[unlearn]\n"
           "model = \"before\"\n"
           "forget = \"forget.jsonl\"\n"
           "retain = \"retain.jsonl\"\n"
           "dtype = \"float32\"\n"
           "device = \"cpu\"\n"
           "steps = 2\n";
  }
  static std::string Eval() {
    return "[eval]\n"
           "suite = \"keywords\"\n"
           "data = \"forget=forget.jsonl,retain=retain.jsonl\"\n"
           "max-new-tokens = 4\n";
  }
  static std::string Attack() {
    return "[attack]\n"
           "reference = \"never\"\n"
           "attacks = \"round\"\n"
           "round-types = [\"nf4\"]\n"
           "max-new-tokens = 4\n";
  }
  // Two settings and two seeds.
  static std::string Small() {
    return "[sweep]\nseeds = [0, 1]\nhopeless = 0\n" + Unlearn() + "[grid]\nlr = [1e-3, 3e-3]\n" +
           Eval() + Attack() + "[choose]\nfloor = 0.5\n";
  }

  // Writes the file, and does it in `folder`, by default out().
  Json Run(const std::string& toml, fs::path folder = {}) const {
    WriteFile(file(), toml);
    return Sweep(file(), folder.empty() ? out() : folder, {});
  }

  // Names and times of the runs' files.
  std::map<std::string, fs::file_time_type> Runs() const {
    std::map<std::string, fs::file_time_type> runs;
    if (!fs::exists(out() / "runs")) return runs;
    for (const auto& entry : fs::directory_iterator(out() / "runs")) {
      if (entry.path().extension() != ".json") continue;  // of a write that was killed
      runs[entry.path().filename()] = entry.last_write_time();
    }
    return runs;
  }

 private:
  fs::path dir_;
};

// A table without what a clock says.
inline Json WithoutTimes(Json table) {
  for (Json& row : table["rows"]) row.erase("seconds");
  return table;
}

}  // namespace grin
