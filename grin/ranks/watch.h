#pragma once
// Sees to it that all processes of a run end when one does: a thread of each says every half second
// that it lives, and learns who has failed.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "grin/base/error.h"
#include "grin/ranks/place.h"

namespace grin {

// Why the run ends, as all processes know it.
struct RankFailure {
  int64_t speaker = 0;  // the rank that tells the user
  ErrorClass error_class = ErrorClass::kInterrupted;
  std::string message;
};

// The store in which processes find each other, as much of it as is needed here. Methods throw
// where it is out of reach.
class RankStore {
 public:
  virtual ~RankStore() = default;
  virtual int64_t Add(const std::string& key, int64_t more) = 0;  // returns the sum; 0 at first
  virtual std::optional<std::string> Find(const std::string& key) = 0;
  // Sets the value where there is none; returns the value that is there.
  virtual std::string SetFirst(const std::string& key, const std::string& value) = 0;
};

// A process whose main thread does not end within this many seconds of a failure is ended.
inline constexpr double kGraceSeconds = 2.5;
// A process that is not heard of for so long counts as lost; a connection that has broken shortens
// the time. Together with the grace it is below ten.
inline constexpr double kSilenceSeconds = 5, kSilenceOfSuspects = 2;

class RankWatch {
 public:
  // `store` is used by this alone. This process has made itself known there (Announce); others may
  // be still to come.
  RankWatch(RankStore& store, const RankPlace& place);
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  // Says once that this process lives, before the watch begins.
  static void Announce(RankStore& store, const RankPlace& place);

  bool failed() const { return failed_; }
  std::optional<RankFailure> failure() const;  // what has failed first; nothing where nothing has

  // Tells all others that this process fails. Returns what has failed first, which may be another.
  RankFailure Fail(ErrorClass error_class, const std::string& message);

  // A connection to another process has broken: one of them is probably gone.
  void Suspect() { suspects_ = true; }

  // From now on nobody is missed any more: all processes have done their work, or one has failed.
  // Rank 0 waits for the others to have read so, for at most three seconds.
  void End();

  // Called where the process is to end although its main thread does not, with what is to be told.
  // Must not return.
  std::function<void(const RankFailure&)> on_stuck;

 private:
  using Clock = std::chrono::steady_clock;

  void TalkToStore();
  void WatchTheClock();
  void LookForSilence(Clock::time_point now);
  void Record(const RankFailure& failure);
  double Patience() const {
    return suspects_ || store_broken_ ? kSilenceOfSuspects : kSilenceSeconds;
  }
  // Lets the thread that talks to the store do something, and waits for it at most so long.
  bool Ask(std::function<void()> question, double seconds);

  RankStore& store_;
  RankPlace place_;
  std::atomic<bool> failed_ = false, ending_ = false, stopping_ = false;
  std::atomic<bool> suspects_ = false, store_broken_ = false;
  std::atomic<int64_t> lost_ = 0;  // ranks that will not leave any more, as rank 0 knows
  std::atomic<Clock::time_point> heard_of_store_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<RankFailure> failure_;  // this and below: under mutex_
  Clock::time_point failed_at_;
  std::function<void()> question_;
  // Of rank 0: the last sign of life of each rank, and when it came.
  std::vector<int64_t> beats_;
  std::vector<Clock::time_point> beaten_at_;
  std::thread talker_, clock_;
};

}  // namespace grin
