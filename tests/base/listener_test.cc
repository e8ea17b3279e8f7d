#include "grin/base/listener.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/progress.h"

namespace grin {
namespace {

using testing::ElementsAre;

TEST(Listener, GetsMessagesWhileItsScopeLives) {
  std::vector<std::string> heard;
  Info("before {}", 1);
  {
    const ListenerScope scope({.log = [&](LogLevel level, std::string_view message) {
      heard.push_back((level == LogLevel::kWarning ? "warning: " : "") + std::string(message));
    }});
    Info("inside {}", 2);
    Warn("mind {}", 3);
  }
  Warn("after");
  EXPECT_THAT(heard, ElementsAre("inside 2", "warning: mind 3"));
}

TEST(Listener, ScopesNest) {
  std::string heard;
  const auto named = [&](char name) {
    return Listener{.log = [&heard, name](LogLevel, std::string_view) { heard += name; }};
  };
  const ListenerScope outer(named('o'));
  Info("x");
  {
    const ListenerScope inner(named('i'));
    Info("x");
    const ListenerScope silence(nullptr);
    Info("x");
  }
  Info("x");
  EXPECT_EQ(heard, "oio");
}

TEST(Listener, IsOfItsThreadAndCanBeHandedOn) {
  int heard = 0;
  const ListenerScope scope({.log = [&](LogLevel, std::string_view) { ++heard; }});
  std::thread([] { Info("to no one"); }).join();
  EXPECT_EQ(heard, 0);
  std::thread([listener = CurrentListener()] {
    const ListenerScope handed(listener);
    Info("to this one");
  }).join();
  EXPECT_EQ(heard, 1);
}

TEST(Listener, CancelsBetweenTwoSteps) {
  ThrowIfInterrupted();  // no listener, no one who could cancel
  bool stop = false;
  const ListenerScope scope({.cancelled = [&] { return stop; }});
  EXPECT_FALSE(Interrupted());
  ThrowIfInterrupted();
  stop = true;
  EXPECT_TRUE(Interrupted());
  try {
    ThrowIfInterrupted();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInterrupted);
  }
}

TEST(Progress, ReportsItsBeginningItsEndAndNotEveryStep) {
  std::vector<ProgressReport> reports;
  std::vector<std::string> figures;
  const ListenerScope scope({.progress = [&](const ProgressReport& report) {
    reports.push_back(report);
    figures.emplace_back(report.figures);
  }});
  constexpr int64_t kTotal = 100000;
  {
    Progress progress("work", kTotal);
    for (int64_t i = 0; i < kTotal; ++i) progress.Add(1, i + 1 == kTotal ? "all" : "some");
  }
  ASSERT_GE(reports.size(), 3u);
  EXPECT_LT(reports.size(), 1000u);
  EXPECT_EQ(reports.front().done, 0);
  EXPECT_FALSE(reports[reports.size() - 2].over);
  EXPECT_EQ(reports[reports.size() - 2].done, kTotal);
  EXPECT_EQ(figures[figures.size() - 2], "all");
  EXPECT_TRUE(reports.back().over);
  EXPECT_EQ(reports.back().total, kTotal);
}

TEST(Progress, DoesNotThrowFromItsDestructor) {
  const ListenerScope scope({.progress = [](const ProgressReport& report) {
    if (report.over) throw std::runtime_error("a callback of someone else");
  }});
  { const Progress progress("work", 1); }
}

}  // namespace
}  // namespace grin
