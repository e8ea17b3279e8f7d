#include "grin/sweep/sweep_file.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "grin/base/error.h"
#include "grin/sweep/sweep_paths.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSeedsStand = "the seeds of all runs stand in [sweep], seeds = [0, 1, 2]";
constexpr const char* kModelStands = "what is measured is the unlearned model";

SettingReader UnlearnReader(SweepUnlearn& settings) {
  SettingReader reader;
  reader.Bind(settings).Refuse("seed", kSeedsStand);
  return reader;
}

SettingReader EvalReader(SweepEval& settings) {
  SettingReader reader;
  reader.Bind(settings).Refuse("seed", kSeedsStand).Refuse("model", kModelStands);
  return reader;
}

SettingReader AttackReader(SweepAttack& settings) {
  SettingReader reader;
  reader.Bind(settings).Refuse("seed", kSeedsStand).Refuse("model", kModelStands);
  return reader;
}

// What the command says of device and memory goes before the file.
void PutCommandFirst(const ComputeOptions& command, ComputeOptions& compute) {
  if (command.device != ComputeOptions().device) compute.device = command.device;
  if (!command.memory_budget.empty()) compute.memory_budget = command.memory_budget;
}

SettingValue SettingOf(const TomlEntry& entry) {
  if (entry.is_table) {
    BadUsage("config", "{}: '{}' is a table; a value is expected here", entry.place, entry.key);
  }
  return {SettingKey(entry.key), entry.value, entry.place};
}

const TomlEntry& Table(const TomlEntry& entry) {
  if (!entry.is_table) {
    BadUsage("config", "{}: '{}' is a section, [{}]; a value stands here", entry.place, entry.key,
             entry.key);
  }
  return entry;
}

const std::vector<TomlEntry>& Tables(const TomlEntry& entry) {
  if (entry.tables.empty()) {
    BadUsage("config", "{}: '{}' is a list of sections; each begins with [[{}]]", entry.place,
             entry.key, entry.key);
  }
  return entry.tables;
}

// {min = 1e-4, max = 1e-2, log = true}
GridAxis RangeOf(const TomlEntry& entry, SettingKind kind) {
  GridAxis axis{.key = SettingKey(entry.key), .place = entry.place};
  if (kind != SettingKind::kInteger && kind != SettingKind::kNumber) {
    BadUsage("config", "{}: {} takes no numbers, so it has no range; give a list of its values",
             entry.place, entry.key);
  }
  axis.integer = kind == SettingKind::kInteger;
  SettingReader reader;
  axis.min = axis.max = NAN;
  reader("min", axis.min, "");
  reader("max", axis.max, "");
  reader("log", axis.log, "");
  for (const TomlEntry& part : entry.entries) reader.Set(SettingOf(part));
  if (!(axis.min <= axis.max) || (axis.log && !(axis.min > 0))) {
    BadUsage("config", "{}: the range of {} needs min and max with min <= max{}", entry.place,
             entry.key, axis.log ? ", and above 0 for log" : "");
  }
  return axis;
}

class FileReader {
 public:
  FileReader(const fs::path& path, const fs::path& models, const ComputeOptions& compute)
      : path_(path), name_(path.string()) {
    file_.paths.folder = fs::absolute(path).parent_path().lexically_normal();
    file_.paths.models = models;
    file_.compute = compute;
    file_.compute.seed = 0;
  }

  SweepFile Read() {
    const std::vector<TomlEntry> entries = ReadTomlFile(path_);
    static const std::vector<std::string> kSections = {"sweep",  "finetune", "unlearn", "grid",
                                                       "method", "eval",     "attack",  "choose"};
    for (const TomlEntry& entry : entries) {
      if (std::ranges::find(kSections, entry.key) == kSections.end()) {
        UnknownSetting(entry.place, entry.key, kSections,
                       "; a sweep has the sections [sweep], [[finetune]], [unlearn], [grid], "
                       "[[method]], [eval], [attack] and [choose]");
      }
    }
    // Models first, so that every other section may name them.
    if (const TomlEntry* entry = Find(entries, "finetune")) {
      for (const TomlEntry& table : Tables(*entry)) ReadFinetune(table);
    }
    if (const TomlEntry* entry = Find(entries, "sweep")) {
      SettingReader reader;
      reader.Bind(file_.sweep);
      for (const TomlEntry& part : Table(*entry).entries) reader.Set(SettingOf(part));
    }
    CheckSweep();
    if (const TomlEntry* entry = Find(entries, "unlearn")) {
      file_.unlearn = ReadSettings(*entry, UnlearnReader(unlearn_));
    }
    if (const TomlEntry* entry = Find(entries, "grid")) common_ = ReadGrid(*entry);
    if (const TomlEntry* entry = Find(entries, "method")) {
      for (const TomlEntry& table : Tables(*entry)) ReadMethod(table);
    } else {
      file_.methods.push_back({.name = "unlearn", .axes = common_});
    }
    if (const TomlEntry* entry = Find(entries, "eval")) {
      file_.evaluates = true;
      SweepEval scratch;
      file_.eval = ReadSettings(*entry, EvalReader(scratch));
    }
    if (const TomlEntry* entry = Find(entries, "attack")) {
      file_.attacks = true;
      SweepAttack scratch;
      file_.attack = ReadSettings(*entry, AttackReader(scratch));
    }
    if (!file_.evaluates && !file_.attacks && file_.sweep.keep != "all") {
      BadUsage("sweep",
               "{}: nothing is measured; add [eval] or [attack], or keep = \"all\" in [sweep]",
               name_);
    }
    if (const TomlEntry* entry = Find(entries, "choose")) {
      SettingReader reader;
      reader.Bind(file_.choose);
      for (const TomlEntry& part : Table(*entry).entries) reader.Set(SettingOf(part));
    }
    if (!(file_.choose.floor > 0)) {
      BadUsage("sweep", "{}: floor is {}; it must be above 0", name_, file_.choose.floor);
    }
    return std::move(file_);
  }

 private:
  static const TomlEntry* Find(const std::vector<TomlEntry>& entries, std::string_view key) {
    const auto found = std::ranges::find(entries, key, &TomlEntry::key);
    return found == entries.end() ? nullptr : &*found;
  }

  void CheckSweep() {
    const SweepOptions& sweep = file_.sweep;
    for (const std::string& text : sweep.seeds) {
      int64_t seed = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
      if (error != std::errc() || end != text.data() + text.size()) {
        BadUsage("sweep", "{}: the seed '{}' is no integer", name_, text);
      }
      if (std::ranges::find(file_.seeds, seed) != file_.seeds.end()) {
        BadUsage("sweep", "{}: the seed {} stands twice", name_, seed);
      }
      file_.seeds.push_back(seed);
    }
    if (sweep.runs < 0 || sweep.draws < 0 || sweep.finalists < 0 || !(sweep.minutes >= 0)) {
      BadUsage("sweep", "{}: runs, minutes, draws and finalists must be 0 or more", name_);
    }
    if (!(sweep.hopeless >= 0 && sweep.hopeless <= 1)) {
      BadUsage("sweep", "{}: hopeless is {}; it is a share, 0 to 1", name_, sweep.hopeless);
    }
    if (sweep.keep != "none" && sweep.keep != "best" && sweep.keep != "all") {
      BadUsage("sweep", "{}: keep is '{}'; it is none, best or all", name_, sweep.keep);
    }
  }

  std::vector<SettingValue> ReadSettings(const TomlEntry& section,
                                         const SettingReader& reader) const {
    std::vector<SettingValue> settings;
    for (const TomlEntry& part : Table(section).entries) {
      SettingValue setting = SettingOf(part);
      reader.Set(setting);
      settings.push_back(file_.paths.Resolve(std::move(setting)));
    }
    return settings;
  }

  std::vector<GridAxis> ReadGrid(const TomlEntry& section) {
    std::vector<GridAxis> axes;
    const SettingReader reader = UnlearnReader(unlearn_);
    for (const TomlEntry& entry : Table(section).entries) {
      const SettingKind kind = reader.KindOf({SettingKey(entry.key), {}, entry.place});
      if (entry.is_table) {
        if (file_.sweep.draws == 0) {
          BadUsage("config", "{}: a range is for random draws; give a list, or draws in [sweep]",
                   entry.place);
        }
        axes.push_back(RangeOf(entry, kind));
        continue;
      }
      if (!entry.value.is_array() || entry.value.empty()) {
        BadUsage("config", "{}: {} is {}; a grid has a list of values, {} = [...]", entry.place,
                 entry.key, entry.value.dump(), entry.key);
      }
      GridAxis axis{.key = SettingKey(entry.key), .place = entry.place};
      for (const Json& value : entry.value) {
        SettingValue setting{axis.key, value, entry.place};
        reader.Set(setting);
        const Json resolved = file_.paths.Resolve(std::move(setting)).value;
        if (std::ranges::find(axis.values, resolved) != axis.values.end()) {
          BadUsage("config", "{}: {} stands twice in the list of {}", entry.place, value.dump(),
                   entry.key);
        }
        axis.values.push_back(resolved);
      }
      axes.push_back(std::move(axis));
    }
    return axes;
  }

  static std::string NameOf(const TomlEntry& table) {
    const TomlEntry* name = Find(table.entries, "name");
    if (!name || !name->value.is_string() || name->value.get<std::string>().empty()) {
      BadUsage("config", "{}: [[{}]] needs a name = \"...\"", table.place, table.key);
    }
    return name->value.get<std::string>();
  }

  void ReadFinetune(const TomlEntry& table) {
    SweepFinetune finetune{.name = NameOf(table)};
    const bool plain = std::ranges::all_of(finetune.name, [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
    });
    if (!plain || finetune.name[0] == '.') {
      BadUsage("config", "{}: the name '{}' becomes a folder's: letters, digits, '_', '-' and '.'",
               table.place, finetune.name);
    }
    if (file_.paths.made.contains(finetune.name)) {
      BadUsage("config", "{}: two models are named '{}'", table.place, finetune.name);
    }
    finetune.where.compute = file_.compute;
    SettingReader reader;
    reader.Bind(finetune);
    for (const TomlEntry& part : table.entries) {
      if (part.key == "name") continue;
      SettingValue setting = SettingOf(part);
      reader.Set(file_.paths.Resolve(std::move(setting)));
    }
    PutCommandFirst(file_.compute, finetune.where.compute);
    finetune.finetune.output.out = (file_.paths.models / finetune.name).string();
    file_.paths.made.insert(finetune.name);
    file_.finetunes.push_back(std::move(finetune));
  }

  void ReadMethod(const TomlEntry& table) {
    SweepMethod method{.name = NameOf(table)};
    if (std::ranges::find(file_.methods, method.name, &SweepMethod::name) != file_.methods.end()) {
      BadUsage("config", "{}: two methods are named '{}'", table.place, method.name);
    }
    std::vector<std::string> keys;
    for (const TomlEntry& part : table.entries) {
      if (part.key == "name") continue;
      if (part.key == "grid") {
        method.axes = ReadGrid(part);
        continue;
      }
      SettingValue setting = SettingOf(part);
      UnlearnReader(unlearn_).Set(setting);
      keys.push_back(setting.key);
      method.fixed.push_back(file_.paths.Resolve(std::move(setting)));
    }
    for (const GridAxis& axis : method.axes) {
      if (std::ranges::find(keys, axis.key) != keys.end()) {
        BadUsage("config", "{}: {} stands in the method and in its grid", axis.place, axis.key);
      }
      keys.push_back(axis.key);
    }
    for (const GridAxis& axis : common_) {
      if (std::ranges::find(keys, axis.key) == keys.end()) method.axes.push_back(axis);
    }
    file_.methods.push_back(std::move(method));
  }

  fs::path path_;
  std::string name_;
  SweepFile file_;
  SweepUnlearn unlearn_;  // only to check keys with
  std::vector<GridAxis> common_;
};

}  // namespace

SweepFile ReadSweepFile(const fs::path& path, const fs::path& models,
                        const ComputeOptions& compute) {
  return FileReader(path, models, compute).Read();
}

SweepUnlearn SweepFile::UnlearnOf(const std::vector<SettingValue>& more) const {
  SweepUnlearn settings;
  settings.where.compute = compute;
  const SettingReader reader = UnlearnReader(settings);
  for (const SettingValue& setting : unlearn) reader.Set(setting);
  for (const SettingValue& setting : more) reader.Set(setting);
  PutCommandFirst(compute, settings.where.compute);
  return settings;
}

SweepEval SweepFile::EvalOf(const SweepUnlearn& run) const {
  SweepEval settings{.where = run.where, .evaluate = {}};
  const SettingReader reader = EvalReader(settings);
  for (const SettingValue& setting : eval) reader.Set(setting);
  // The columns of the run's sets say nothing to a suite whose files have one form.
  const bool names_columns = std::ranges::any_of(
      eval, [](const SettingValue& setting) { return setting.key == "columns"; });
  if (!names_columns && FindSuite(settings.evaluate.suite.suite).fixes_columns) {
    settings.where.data.columns.clear();
  }
  PutCommandFirst(compute, settings.where.compute);
  return settings;
}

SweepAttack SweepFile::AttackOf(const SweepUnlearn& run) const {
  SweepAttack settings{.where = run.where, .attack = {}};
  settings.attack.task = run.task;
  settings.attack.before = run.where.model.model;
  const SettingReader reader = AttackReader(settings);
  for (const SettingValue& setting : attack) reader.Set(setting);
  PutCommandFirst(compute, settings.where.compute);
  return settings;
}

}  // namespace grin
