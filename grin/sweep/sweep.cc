#include "grin/sweep/sweep.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/listener.h"
#include "grin/base/log.h"
#include "grin/base/stopwatch.h"
#include "grin/run/training_output.h"
#include "grin/sweep/sweep_table.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

class Sweeper {
 public:
  Sweeper(const fs::path& sweep, const fs::path& out, const ComputeOptions& compute)
      : folder_(fs::absolute(out).lexically_normal()),
        file_(ReadSweepFile(sweep, ModelsIn(folder_), compute)),
        identities_(file_),
        plan_(MakeSweepPlan(file_, identities_)),
        ledger_(folder_),
        shared_(file_, identities_, ledger_),
        states_(plan_.runs.size()) {}

  Json Run() {
    outer_ = CurrentListener();
    Info("sweep: {} settings, {} runs, in {}", plan_.settings.size(), plan_.runs.size(),
         folder_.string());
    shared_.MakeModels();
    SettleChoiceByModels();
    done_before_ = CountDone();
    loop_clock_ = {};
    try {
      while (Pass()) {
      }
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kInterrupted) throw;
      ThrowInterrupted(error, fmt::format("the same command goes on after {} finished runs",
                                          states_.size() - CountOpen()));
    }
    LoadAll();
    ledger_.RemoveStaleWork();
    Json table = SweepTable(file_, plan_, choose_, states_);
    if (file_.sweep.keep == "best" && CountOpen() == 0) KeepBest(table);
    const Claim claim = Claim::Wait(ledger_.LockOf("table"), "the table");
    WriteFile(folder_ / "table.json",
              table.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    WriteFile(folder_ / "table.md", SweepMarkdown(table));
    Info("wrote {}", (folder_ / "table.md").string());
    return table;
  }

 private:
  static fs::path ModelsIn(const fs::path& folder) { return folder / "models"; }

  std::string NameOfRun(size_t i) const {
    const SweepSetting& setting = plan_.settings[plan_.runs[i].setting];
    const std::string varied = DescribeVaried(setting.varied);
    return fmt::format("{}{}{}, seed {}", setting.method, varied.empty() ? "" : ", ", varied,
                       plan_.runs[i].seed);
  }

  // What figures there are is known once the models that stay as they are were measured.
  void SettleChoiceByModels() {
    std::set<std::string> names;
    const ListenerScope scope(InnerListener("the model before"));
    const SweepRun& first = plan_.runs.front();
    if (const Json* before = shared_.EvalOfBefore(first)) {
      for (const auto& [name, figure] :
           FiguresOfEval(*before, shared_.EvalOfReference(first), before)) {
        names.insert(name);
      }
    }
    if (file_.attacks) {
      const Json attacks = shared_.KnownAttacks(first);
      for (const auto& [role, known] : attacks.items()) {
        for (const auto& [attack, figures] : known.at("figures").items()) {
          for (const Json& figure : figures) names.insert(figure.at("name").get<std::string>());
        }
      }
    }
    choose_ = file_.choose;
    if (!names.empty()) {
      choose_ = SettleChoice(file_.choose, {names.begin(), names.end()}, file_.attacks);
    }
  }

  Records Choosing() const { return choose_.held_out ? Records::kEven : Records::kAll; }

  size_t FirstOf(size_t i) const { return plan_.settings[plan_.runs[i].setting].runs.front(); }

  bool Hopeless(const RunFigures& figures) const {
    return file_.sweep.hopeless > 0 &&
           IsHopeless(figures, choose_.utility, file_.sweep.hopeless, Choosing());
  }

  // Whether the run is over, done by whomever; its state then says how.
  bool IsOver(size_t i) {
    SweepRunState& state = states_[i];
    if (state.outcome || state.skipped || !state.failure.empty()) return true;
    const bool first = FirstOf(i) == i;
    if (auto outcome = OutcomeOf(plan_.runs[i], ledger_, shared_)) {
      const bool hopeless = first && Hopeless(outcome->figures);
      if (!file_.attacks || outcome->attacked || hopeless) {
        state.outcome = std::move(outcome);
        state.hopeless = hopeless;
        return true;
      }
    }
    if (const auto failure = ledger_.FailureOf(plan_.runs[i].hash)) {
      state.failure = *failure;
      return true;
    }
    if (first) return false;
    const SweepRunState& before = states_[FirstOf(i)];
    if (!before.failure.empty()) state.failure = "its first seed failed";
    state.passed_over = !before.hopeless && before.outcome && IsPassedOver(plan_.runs[i].setting);
    state.skipped = before.hopeless || state.passed_over;
    return state.skipped || !state.failure.empty();
  }

  // Whether all settings of the method have run with the first seed, as far as they will.
  bool FirstsAreOver(const std::string& method) {
    return std::ranges::all_of(plan_.settings, [&](const SweepSetting& setting) {
      return setting.method != method || setting.runs.empty() || IsOver(setting.runs.front());
    });
  }

  // Whether others of its method are better by the first seed, and go on instead of it. False as long
  // as that is not known.
  bool IsPassedOver(size_t setting) {
    if (file_.sweep.finalists == 0) return false;
    const std::string& method = plan_.settings[setting].method;
    auto found = finalists_.find(method);
    if (found == finalists_.end()) {
      if (!FirstsAreOver(method)) return false;
      std::vector<Judgement> judged(plan_.settings.size());
      for (size_t s = 0; s < judged.size(); ++s) {
        const SweepSetting& one = plan_.settings[s];
        if (one.method != method || one.runs.empty()) continue;
        const SweepRunState& first = states_[one.runs.front()];
        if (first.outcome && !first.hopeless) {
          judged[s] = JudgeSetting({first.outcome->figures}, choose_, Choosing());
        }
      }
      const std::vector<size_t> best =
          BestOf(judged, choose_.floor, static_cast<size_t>(file_.sweep.finalists));
      found = finalists_.emplace(method, std::set<size_t>(best.begin(), best.end())).first;
    }
    return !found->second.contains(setting);
  }

  // Whether it is known by now if the run, one of a further seed, is worth it.
  bool IsDecided(size_t i) {
    if (!states_[FirstOf(i)].outcome) return false;
    return file_.sweep.finalists == 0 || FirstsAreOver(plan_.settings[plan_.runs[i].setting].method);
  }

  void LoadAll() {
    for (size_t i = 0; i < states_.size(); ++i) IsOver(i);
  }

  size_t CountOpen() const {
    return static_cast<size_t>(std::ranges::count_if(states_, [](const SweepRunState& state) {
      return !state.outcome && !state.skipped && state.failure.empty();
    }));
  }

  size_t CountDone() {
    LoadAll();
    return states_.size() - CountOpen();
  }

  bool TimeIsOver() const {
    return file_.sweep.minutes > 0 && clock_.seconds() >= 60 * file_.sweep.minutes;
  }

  // Does the first run of the plan that is free, or waits a moment where others are at work. False
  // once there is nothing more to do or to wait for.
  bool Pass() {
    bool open = false;
    for (size_t i = 0; i < states_.size(); ++i) {
      if (IsOver(i)) continue;
      open = true;
      if (TimeIsOver()) {
        Info("sweep: {} minutes are over; no new run begins", file_.sweep.minutes);
        return false;
      }
      if (FirstOf(i) != i && !IsDecided(i)) continue;
      const auto claim = Claim::Try(ledger_.LockOf(plan_.runs[i].hash));
      if (!claim || IsOver(i)) continue;
      Do(i);
      return true;
    }
    if (open) WaitAMoment();
    return open;
  }

  void Do(size_t i) {
    const SweepRun& run = plan_.runs[i];
    SweepRunState& state = states_[i];
    const bool first = FirstOf(i) == i;
    const Stopwatch clock;
    try {
      const ListenerScope scope(InnerListener(NameOfRun(i)));
      state.outcome = DoRun(run, file_, ledger_, shared_, file_.sweep.keep == "all",
                            [&](const RunFigures& figures) { return first && Hopeless(figures); });
      state.hopeless = first && Hopeless(state.outcome->figures);
    } catch (const Error& error) {
      if (error.error_class() == ErrorClass::kInterrupted ||
          error.error_class() == ErrorClass::kInternal) {
        throw;
      }
      ledger_.RemoveWork(run.hash);
      ledger_.WriteFailure(run.hash, error.what());
      state.failure = error.what();
      Warn("{}: failed: {}", NameOfRun(i), error.what());
      return;
    }
    const Judgement judged = JudgeSetting({state.outcome->figures}, choose_, Choosing());
    const auto shown = [](const std::optional<double>& value) {
      return value ? fmt::format("{:.3f}", *value) : std::string("-");
    };
    const size_t done = CountDone();
    Info("{}/{} {}: utility kept {}, left {}{} in {}{}", done, states_.size(), NameOfRun(i),
         shown(judged.utility), shown(judged.left), state.hopeless ? ", hopeless" : "",
         FormatDuration(clock.seconds()), LeftText());
  }

  // Seconds until all is done, by how fast runs were finished here since this process began, by all
  // processes; before the first one by what earlier ones took.
  std::optional<double> SecondsLeft() {
    const size_t open = CountOpen(), done = states_.size() - open;
    if (open == 0) return 0;
    double seconds = 0;
    size_t counted = 0;
    if (done > done_before_) {
      seconds = loop_clock_.seconds();
      counted = done - done_before_;
    } else {
      for (const SweepRunState& state : states_) {
        if (!state.outcome) continue;
        seconds += state.outcome->document.at("seconds").at("all").get<double>();
        ++counted;
      }
    }
    if (counted == 0) return std::nullopt;
    double left = seconds / static_cast<double>(counted) * static_cast<double>(open - ToBePassedOver());
    if (file_.sweep.minutes > 0) {
      left = std::min(left, std::max(0.0, 60 * file_.sweep.minutes - clock_.seconds()));
    }
    return left;
  }

  // Of the open runs, those that will not be done because few settings of a method go on.
  size_t ToBePassedOver() {
    if (file_.sweep.finalists == 0) return 0;
    std::map<std::string, std::vector<size_t>> further;  // open runs of further seeds, by setting
    for (const SweepSetting& setting : plan_.settings) {
      if (finalists_.contains(setting.method) || setting.runs.empty()) continue;
      size_t runs = 0;
      for (const size_t i : setting.runs) {
        const SweepRunState& state = states_[i];
        runs += i != setting.runs.front() && !state.outcome && !state.skipped && state.failure.empty();
      }
      further[setting.method].push_back(runs);
    }
    size_t passed_over = 0;
    for (auto& [method, runs] : further) {
      std::ranges::sort(runs, std::greater<>());
      for (auto s = static_cast<size_t>(file_.sweep.finalists); s < runs.size(); ++s) {
        passed_over += runs[s];
      }
    }
    return passed_over;
  }

  std::string LeftText() {
    const auto left = SecondsLeft();
    return left && *left > 0 ? fmt::format("; about {} left", FormatDuration(*left)) : "";
  }

  // What runs say is too much for a sweep: warnings pass with the name of their run, progress
  // becomes that of the sweep.
  Listener InnerListener(const std::string& name) {
    Listener listener = outer_ ? *outer_ : Listener{};
    if (listener.log) {
      listener.log = [this, name](LogLevel level, std::string_view message) {
        if (level == LogLevel::kWarning) outer_->log(level, fmt::format("{}: {}", name, message));
      };
    }
    if (listener.progress) {
      listener.progress = [this, name](const ProgressReport& report) { Tell(name, report); };
    }
    return listener;
  }

  void Tell(const std::string& name, const ProgressReport& report) {
    if (report.over) {
      outer_->progress({.label = "sweep", .seconds = clock_.seconds(), .over = true});
      return;
    }
    const double spent = loop_clock_.seconds();
    const auto left = SecondsLeft();
    const double part = static_cast<double>(report.done) / static_cast<double>(report.total);
    const std::string figures =
        fmt::format("{} of {} done; {}: {} {:.0f}%", states_.size() - CountOpen(), states_.size(),
                    name, report.label, 100 * part);
    // The shares of a bar are times here.
    constexpr double kPerSecond = 1000;
    outer_->progress({.label = "sweep",
                      .done = left ? static_cast<int64_t>(spent * kPerSecond) : 0,
                      .total = std::max<int64_t>(
                          1, static_cast<int64_t>((spent + left.value_or(0)) * kPerSecond)),
                      .seconds = spent,
                      .figures = figures});
  }

  // Makes the checkpoints of the best settings again, as nobody knew while they ran that they are.
  void KeepBest(const Json& table) {
    std::set<std::string> best;
    for (size_t s = 0; s < plan_.settings.size(); ++s) {
      if (table["rows"][s]["best"].empty()) continue;
      for (const size_t i : plan_.settings[s].runs) best.insert(plan_.runs[i].hash);
    }
    for (size_t i = 0; i < plan_.runs.size(); ++i) {
      const std::string& hash = plan_.runs[i].hash;
      const fs::path out = ledger_.checkpoints() / hash;
      const Claim claim = Claim::Wait(ledger_.LockOf("checkpoint-" + hash), "a checkpoint");
      std::error_code error;
      if (!best.contains(hash)) {
        fs::remove_all(out, error);
      } else if (!fs::exists(out, error)) {
        const ListenerScope scope(InnerListener(NameOfRun(i)));
        MakeCheckpoint(plan_.runs[i], ledger_, shared_, out);
      }
    }
  }

  fs::path folder_;
  SweepFile file_;
  SweepIdentities identities_;
  SweepPlan plan_;
  Ledger ledger_;
  SharedWork shared_;
  std::vector<SweepRunState> states_;
  std::map<std::string, std::set<size_t>> finalists_;  // settings, by method, once they are known
  ChooseOptions choose_;
  const Listener* outer_ = nullptr;
  size_t done_before_ = 0;
  Stopwatch clock_, loop_clock_;
};

}  // namespace

Json Sweep(const fs::path& sweep, const fs::path& out, const ComputeOptions& compute) {
  return Sweeper(sweep, out, compute).Run();
}

}  // namespace grin
