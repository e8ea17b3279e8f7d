#include "grin/ranks/watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "grin/base/json.h"

namespace grin {
namespace {

using namespace std::chrono_literals;

constexpr auto kBeat = 400ms;
constexpr auto kTick = 100ms;
constexpr const char* kFailedKey = "failed";
constexpr const char* kLeftKey = "left";

std::string BeatKey(int64_t rank) { return fmt::format("beat/{}", rank); }
std::string WhereKey(int64_t rank) { return fmt::format("where/{}", rank); }

double SecondsBetween(std::chrono::steady_clock::time_point from,
                      std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string Written(const RankFailure& failure) {
  return Json{{"speaker", failure.speaker},
              {"class", static_cast<int>(failure.error_class)},
              {"message", failure.message}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

RankFailure ReadFailure(const std::string& text) {
  const Json json = Json::parse(text);
  return {.speaker = json.at("speaker"),
          .error_class = static_cast<ErrorClass>(json.at("class").get<int>()),
          .message = json.at("message")};
}

}  // namespace

void RankWatch::Announce(RankStore& store, const RankPlace& place) {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  store.SetFirst(WhereKey(place.rank), fmt::format("process {} on {}", getpid(), host));
  store.Add(BeatKey(place.rank), 1);
}

RankWatch::RankWatch(RankStore& store, const RankPlace& place)
    : store_(store), place_(place), heard_of_store_(Clock::now()) {
  if (place_.rank == 0) {
    beats_.assign(place_.world, -1);
    beaten_at_.assign(place_.world, Clock::now());
  }
  talker_ = std::thread([this] { TalkToStore(); });
  clock_ = std::thread([this] { WatchTheClock(); });
}

RankWatch::~RankWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  clock_.join();
  // A store that does not answer would hold the thread, and with it the end of the process.
  if (SecondsBetween(heard_of_store_, Clock::now()) > 2) {
    talker_.detach();
  } else {
    talker_.join();
  }
}

std::optional<RankFailure> RankWatch::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void RankWatch::Record(const RankFailure& failure) {
  const std::lock_guard lock(mutex_);
  if (failure_ || ending_) return;
  failure_ = failure;
  failed_at_ = Clock::now();
  failed_ = true;
}

bool RankWatch::Ask(std::function<void()> question, double seconds) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable given;
    bool there = false;
  };
  const auto answer = std::make_shared<Answer>();
  {
    const std::lock_guard lock(mutex_);
    question_ = [answer, question = std::move(question)] {
      question();
      const std::lock_guard lock(answer->mutex);
      answer->there = true;
      answer->given.notify_all();
    };
  }
  changed_.notify_all();
  std::unique_lock lock(answer->mutex);
  return answer->given.wait_for(lock, std::chrono::duration<double>(seconds),
                                [&] { return answer->there; });
}

RankFailure RankWatch::Fail(ErrorClass error_class, const std::string& message) {
  const RankFailure own{place_.rank, error_class, message};
  if (!failed_)
    Ask([this, own] { Record(ReadFailure(store_.SetFirst(kFailedKey, Written(own)))); }, 2);
  Record(own);  // where the store is out of reach
  return failure().value_or(own);
}

void RankWatch::End() {
  ending_ = true;
  if (place_.rank != 0) {
    if (!store_broken_) Ask([this] { store_.Add(kLeftKey, 1); }, 1);
    return;
  }
  // The store goes with this process: the others must have read what stands there.
  const auto start = Clock::now();
  const auto left = std::make_shared<std::atomic<int64_t>>(0);  // lives as long as the question
  while (*left + 1 + lost_ < place_.world && SecondsBetween(start, Clock::now()) < 3) {
    if (!Ask([this, left] { *left = store_.Add(kLeftKey, 0); }, 3)) return;
    if (*left + 1 + lost_ < place_.world) std::this_thread::sleep_for(20ms);
  }
}

void RankWatch::LookForSilence(Clock::time_point now) {
  for (int64_t rank = 1; rank < place_.world; ++rank) {
    const int64_t beat = store_.Add(BeatKey(rank), 0);
    if (beat != beats_[rank]) {
      beats_[rank] = beat;
      beaten_at_[rank] = now;
      continue;
    }
    if (beat == 0) continue;  // it is still to come
    const double silent = SecondsBetween(beaten_at_[rank], now);
    if (silent < Patience() || failed_ || ending_) continue;
    ++lost_;
    const RankFailure lost{
        0, ErrorClass::kInterrupted,
        fmt::format(
            "[ranks] rank {} of {} ({}) was killed or hangs: it was not heard of for {:.0f} s; "
            "the run ends on all ranks",
            rank, place_.world, store_.Find(WhereKey(rank)).value_or("unknown place"), silent)};
    Record(ReadFailure(store_.SetFirst(kFailedKey, Written(lost))));
  }
}

void RankWatch::TalkToStore() {
  while (!stopping_) {
    std::function<void()> question;
    {
      std::unique_lock lock(mutex_);
      if (!question_) {
        changed_.wait_for(lock, kBeat, [this] { return stopping_ || question_; });
      }
      question = std::exchange(question_, nullptr);
    }
    try {
      if (question) question();
      if (ending_) {  // the store may go any moment
        heard_of_store_ = Clock::now();
        continue;
      }
      store_.Add(BeatKey(place_.rank), 1);
      if (!failed_) {
        if (const auto text = store_.Find(kFailedKey)) Record(ReadFailure(*text));
      }
      const auto now = Clock::now();
      // Whoever was stopped itself, or slept with its machine, cannot tell that others were silent.
      if (SecondsBetween(heard_of_store_, now) > 2) {
        std::ranges::fill(beaten_at_, now);
      }
      heard_of_store_ = now;
      store_broken_ = false;
      if (place_.rank == 0) LookForSilence(now);
    } catch (const std::exception&) {  // the store is gone: the clock will tell
      if (stopping_) return;
      store_broken_ = true;
      std::this_thread::sleep_for(kTick);
    }
  }
}

void RankWatch::WatchTheClock() {
  auto last = Clock::now();
  while (!stopping_) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kTick, [this] { return stopping_.load(); });
    }
    const auto now = Clock::now();
    if (SecondsBetween(last, now) > 2) heard_of_store_ = now;  // this process was stopped
    last = now;
    if (!failed_ && !ending_ && SecondsBetween(heard_of_store_, now) > Patience()) {
      // Without the store nobody can agree on who tells: the next rank does, and one on each
      // machine.
      const bool tells = place_.rank == 1 || place_.local_rank.value_or(1) == 0;
      Record(
          {tells ? place_.rank : 0, ErrorClass::kInterrupted,
           fmt::format(
               "[ranks] rank 0 of {} was killed or hangs: the store at {}:{} was not heard of "
               "for {:.0f} s; the run ends on all ranks",
               place_.world, place_.address, place_.port, SecondsBetween(heard_of_store_, now))});
    }
    std::optional<RankFailure> stuck;
    {
      const std::lock_guard lock(mutex_);
      if (failure_ && !ending_ && SecondsBetween(failed_at_, now) > kGraceSeconds) stuck = failure_;
    }
    if (stuck && on_stuck) on_stuck(*stuck);
  }
}

}  // namespace grin
