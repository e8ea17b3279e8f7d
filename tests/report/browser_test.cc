// The page in a real browser: no error on its console, no request, everything that can be clicked
// works. Needs chromium; skipped where it is not installed.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "grin/base/atomic_file.h"
#include "grin/report/report.h"
#include "tests/io/scratch.h"
#include "tests/report/golden_results.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBrowsers[] = {"chromium", "chromium-browser", "google-chrome"};

std::string Browser() {
  for (const char* name : kBrowsers) {
    if (std::system((std::string("command -v ") + name + " >/dev/null 2>&1").c_str()) == 0)
      return name;
  }
  return {};
}

// Runs before anything else on the page and notes what goes wrong.
constexpr std::string_view kWatch = R"js(
window.problems = [];
addEventListener("error", (e) => problems.push("error: " + e.message), true);
addEventListener("securitypolicyviolation", (e) => problems.push("blocked: " + e.blockedURI));
const log = console.error;
console.error = (...all) => { problems.push("console: " + all.join(" ")); log(...all); };
)js";

// Runs when the page is there, and leaves what it saw in the document.
constexpr std::string_view kProbe = R"js(
addEventListener("load", () => {
  const seen = { problems: window.problems, hacked: window.hacked === true };
  const all = (css, root = document) => [...root.querySelectorAll(css)];
  seen.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  seen.figures = all("figure svg[role=img]").map((svg) => {
    const box = svg.getBoundingClientRect();
    return { name: svg.getAttribute("aria-label"), wide: box.width > 100, high: box.height > 60,
             described: !!document.getElementById(svg.getAttribute("aria-describedby")).textContent };
  });
  seen.overflow = document.documentElement.scrollWidth > innerWidth;
  seen.landmarks = ["header", "main", "h1"].map((name) => all(name).length);
  seen.headless_cells = all("thead th:not([scope]), tbody th:not([scope])").length;
  const before = getComputedStyle(document.body).backgroundColor;
  document.getElementById("theme").click();
  seen.theme = getComputedStyle(document.body).backgroundColor !== before;
  const dot = document.querySelector("[data-tip]");
  if (dot) {
    dot.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    seen.tip = document.getElementById("tip").textContent === dot.dataset.tip;
  }
  const table = document.querySelector("table.sortable");
  if (table) {
    const names = () => [...table.tBodies[0].rows].filter((row) => !row.hidden)
        .map((row) => row.cells[0].textContent);
    const heads = [...table.tHead.rows[0].cells];
    const head = heads.find((cell) => cell.textContent.startsWith("Overall"));
    seen.start = names();
    head.querySelector("button").click();
    seen.down = names();
    seen.sort = head.getAttribute("aria-sort");
    head.querySelector("button").click();
    seen.up = names();
    const filter = document.getElementById("filter");
    filter.value = "BROKEN";
    filter.dispatchEvent(new Event("input"));
    seen.filtered = names();
    seen.shown = document.getElementById("shown").textContent;
  }
  const result = document.createElement("pre");
  result.id = "seen";
  result.textContent = "SEEN" + encodeURIComponent(JSON.stringify(seen)) + "END";
  document.body.append(result);
});
)js";

std::string Decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// What the probe saw on that page, with the browser's own console.
Json Visit(std::string page, std::string* console) {
  const fs::path dir = Scratch("browser");
  const std::string open = "<script nonce=\"";
  const size_t script = page.find(open);
  const std::string nonce = page.substr(
      script + open.size(), page.find('"', script + open.size()) - script - open.size());
  const auto element = [&](std::string_view code) {
    return open + nonce + "\">" + std::string(code) + "</script>";
  };
  page.insert(script, element(kProbe));
  page.insert(page.find("<title>"), element(kWatch));
  Put(dir / "page.html", page);
  const std::string command =
      "cd '" + dir.string() + "' && HOME='" + dir.string() + "' timeout 120 " + Browser() +
      " --headless --no-sandbox --disable-gpu --disable-background-networking "
      "--enable-logging=stderr"
      " --window-size=1200,900 --user-data-dir=profile --virtual-time-budget=5000"
      " --dump-dom 'file://" +
      (dir / "page.html").string() + "' >dom.html 2>console.txt";
  EXPECT_EQ(std::system(command.c_str()), 0) << ReadFile(dir / "console.txt");
  *console = ReadFile(dir / "console.txt");
  const std::string dom = ReadFile(dir / "dom.html");
  const size_t begin = dom.rfind("SEEN"), end = dom.rfind("END");
  if (begin == std::string::npos || end == std::string::npos) {
    ADD_FAILURE() << "the probe did not run:\n" << *console;
    return Json::object();
  }
  return Json::parse(Decoded(std::string_view(dom).substr(begin + 4, end - begin - 4)));
}

void ExpectSound(const Json& seen, const std::string& console, size_t figures) {
  EXPECT_EQ(seen["problems"], Json::array()) << seen["problems"];
  EXPECT_EQ(seen["requests"], Json::array()) << seen["requests"];
  EXPECT_THAT(console, Not(HasSubstr("CONSOLE")));
  EXPECT_EQ(seen["hacked"], false);
  EXPECT_EQ(seen["overflow"], false);
  EXPECT_EQ(seen["landmarks"], Json({1, 1, 1}));
  EXPECT_EQ(seen["headless_cells"], 0);
  EXPECT_EQ(seen["theme"], true);
  EXPECT_EQ(seen["tip"], true);
  EXPECT_EQ(seen["figures"].size(), figures);
  for (const Json& figure : seen["figures"]) {
    EXPECT_TRUE(figure["wide"] == true && figure["high"] == true && figure["described"] == true)
        << figure;
  }
}

TEST(ReportInABrowserSlow, OneRun) {
  if (Browser().empty()) GTEST_SKIP() << "chromium is not installed; the page was not opened";
  Json results = Json::parse(ReadFile(GoldenResults("unlearned.json")));
  results["forget_Q_A_ROUGE"]["value_by_index"]["0"]["generation"] =
      "</script><img src=x onerror=\"window.hacked = true\"><script>window.hacked = true</script>";
  const fs::path path = Scratch("evil") / "unlearned.json";
  Put(path, results.dump());
  Report report{.runs = {},
                .yardsticks = LoadYardsticks({GoldenResults("never.json")}, {GoldenResults("before.json")})};
  report.runs.push_back(LoadRun(path, report.yardsticks));
  report.runs[0].log = {{{"step", 1}, {"forget_loss", 2.0}}, {{"step", 2}, {"forget_loss", 1.0}}};
  report.runs[0].density = DensityOf(Mask({{"layers.0.q.weight", {2, 4}, {3}}}));
  std::string console;
  const Json seen = Visit(RenderReport(report), &console);
  ExpectSound(seen, console, 5);  // distributions, two sets of examples, mask, loss
}

TEST(ReportInABrowserSlow, ManyRuns) {
  if (Browser().empty()) GTEST_SKIP() << "chromium is not installed; the page was not opened";
  Report report{.runs = {},
                .yardsticks = LoadYardsticks({GoldenResults("never.json")}, {GoldenResults("before.json")})};
  const std::vector<fs::path> paths = {GoldenResults("broken.json"), GoldenResults("before.json"),
                                       GoldenResults("unlearned.json")};
  for (const fs::path& path : paths) report.runs.push_back(LoadRun(path, report.yardsticks));
  NameRuns(report.runs, paths);
  std::string console;
  const Json seen = Visit(RenderReport(report), &console);
  ExpectSound(seen, console, 1);
  EXPECT_EQ(seen["start"], Json({"broken", "before", "unlearned"}));
  std::vector<std::pair<double, std::string>> by_overall;
  for (const ReportedRun& run : report.runs)
    by_overall.emplace_back(*run.aggregates.overall.value, run.name);
  std::ranges::sort(by_overall);
  Json ascending = Json::array(), descending = Json::array();
  for (const auto& [value, name] : by_overall) ascending.push_back(name);
  for (auto it = by_overall.rbegin(); it != by_overall.rend(); ++it)
    descending.push_back(it->second);
  EXPECT_EQ(seen["down"], descending);
  EXPECT_EQ(seen["sort"], "descending");
  EXPECT_EQ(seen["up"], ascending);
  EXPECT_EQ(seen["filtered"], Json({"broken"}));
  EXPECT_EQ(seen["shown"], "1 of 3 runs");
}

}  // namespace
}  // namespace grin
