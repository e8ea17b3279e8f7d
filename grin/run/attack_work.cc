#include "grin/run/attack_work.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/run/shared_start.h"
#include "grin/tune/state_file.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPartsFile = "parts.jsonl";

// Lines of the file beyond its header are parts.
std::string PartsIn(const fs::path& folder) {
  std::ifstream in(folder / kPartsFile);
  size_t parts = 0;
  for (std::string line; std::getline(in, line);) parts += line.starts_with("{\"k\"");
  return parts == 0 ? "" : fmt::format("{} finished parts", parts);
}

}  // namespace

AttackWork::AttackWork(std::shared_ptr<const Ranks> ranks)
    : ranks_(ranks ? std::move(ranks) : OneProcess()) {}

AttackWork::AttackWork(const std::string& out, bool force, const StateOptions& options,
                       const Json& identity, std::shared_ptr<const Ranks> ranks)
    : AttackWork(std::move(ranks)) {
  directory_.emplace(out, force, options, identity, PartsIn);
  if (!directory_->saves()) return;
  try {
    kept_.emplace(directory_->path() / kPartsFile, Fingerprint(identity.dump()));
    parts_kept_ = kept_->size();
    if (parts_kept_ > 0) {
      Info("{}: the run goes on after {} finished parts", directory_->path().string(), parts_kept_);
    }
  } catch (const Error& failure) {
    directory_->StopSaving(failure.what());
  }
}

AttackWork::~AttackWork() {
  kept_.reset();
  if (directory_ && directory_->taken() && parts_kept_ == 0) directory_->Clear();
}

void AttackWork::Begin() {
  task_ = task_ ? *task_ + 1 : 0;
  if (*task_ >= tasks_.size()) Defect("attack", "there are {} tasks, and one more begins", tasks_.size());
  task_done_ = part_share_ = part_done_ = 0;
}

Json AttackWork::Do(const std::string& name, double share, const std::function<Json()>& work) {
  ThrowIfInterrupted();
  const Task& task = tasks_.at(task_.value());
  const std::string key = task.role + "/" + task.attack + "/" + name;
  const Json* found = kept_ ? kept_->Find(key) : nullptr;
  if (const Json kept = ShareJson(*ranks_, found ? *found : Json()); !kept.is_null()) {
    seconds_before_ += FromExactJson(kept.at("seconds"));
    task_done_ += share;
    return kept.at("result");
  }
  part_share_ = share;
  part_done_ = 0;
  part_clock_.emplace();
  Json result = work();
  const double seconds = part_clock_->seconds();
  part_clock_.reset();
  part_share_ = part_done_ = 0;
  task_done_ += share;
  Pace& pace = paces_[task.attack];
  pace.work += share * task.work;
  pace.seconds += seconds;
  if (kept_ && directory_->saves()) {
    try {
      kept_->Add(key, {{"result", result}, {"seconds", ExactJson(seconds)}});
      ++parts_kept_;
    } catch (const Error& failure) {
      directory_->StopSaving(failure.what());
    }
  }
  return result;
}

std::optional<double> AttackWork::End() {
  task_done_ = 1;
  return SecondsLeft();
}

// By what the same attack took so far, on this model or the ones before; else by all of it together.
std::optional<double> AttackWork::SecondsPerWork(const std::string& attack) const {
  Pace all;
  for (const auto& [name, one] : paces_) {
    if (name == attack && one.work > 0) return one.seconds / one.work;
    all.work += one.work;
    all.seconds += one.seconds;
  }
  if (all.work > 0) return all.seconds / all.work;
  return std::nullopt;
}

std::optional<double> AttackWork::SecondsLeft() const {
  double left = 0;
  for (size_t i = task_.value_or(0); i < tasks_.size(); ++i) {
    const Task& task = tasks_[i];
    std::optional<double> pace = SecondsPerWork(task.attack);
    const bool runs = task_ == i;
    const double running = part_share_ * part_done_;
    if (runs && part_clock_ && running > 0.02) {  // the part tells itself how fast it goes
      pace = part_clock_->seconds() / (running * task.work);
    }
    const double done = runs ? task_done_ + running : 0;
    if (task.work * (1 - done) <= 0) continue;
    if (!pace) return std::nullopt;
    left += *pace * task.work * (1 - done);
  }
  return std::max(left, 0.0);
}

Listener AttackWork::OverallListener() {
  outer_ = CurrentListener();
  Listener listener = outer_ ? *outer_ : Listener{};
  if (listener.progress) {
    listener.progress = [this](const ProgressReport& report) { Tell(report); };
  }
  return listener;
}

void AttackWork::Tell(const ProgressReport& report) {
  if (report.over || !task_) {  // another one follows, or a line of text: no bar meanwhile
    outer_->progress({.label = "attack", .seconds = clock_.seconds(), .over = true});
    return;
  }
  part_done_ = static_cast<double>(report.done) / static_cast<double>(report.total);
  const double spent = clock_.seconds();
  const std::optional<double> left = SecondsLeft();
  const std::string figures =
      fmt::format("{} of {}: {} {:.0f}%{}{}", *task_ + 1, tasks_.size(), report.label,
                  100 * part_done_, report.figures.empty() ? "" : "  ", report.figures);
  // The shares of a bar are times here.
  constexpr double kPerSecond = 1000;
  outer_->progress({.label = "attack",
                    .done = left ? static_cast<int64_t>(spent * kPerSecond) : 0,
                    .total = std::max<int64_t>(
                        1, static_cast<int64_t>((spent + left.value_or(0)) * kPerSecond)),
                    .seconds = spent,
                    .figures = figures});
}

std::string AttackWork::Advice() const {
  if (!kept_ || parts_kept_ == 0) return "nothing was saved, the same command starts anew";
  return fmt::format("the same command with --resume goes on after {} finished parts", parts_kept_);
}

void AttackWork::Remove() {
  kept_.reset();
  if (directory_ && directory_->taken()) directory_->Clear();
  parts_kept_ = 0;
}

}  // namespace grin
