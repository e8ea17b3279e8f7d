#include "grin/jinja/jinja.h"

#include <gtest/gtest.h>

#include <fstream>

#include "grin/base/error.h"
#include "grin/base/random.h"

namespace grin {
namespace {

Json ReadFile(const std::string& name) {
  std::ifstream file(std::string(GRIN_TEST_DATA "/text/") + name);
  return Json::parse(file);
}

std::string Render(const std::string& source, const Json& variables = Json::object(),
                   const JinjaSettings& settings = {}) {
  return JinjaTemplate(source, "t.jinja").Render(variables, settings);
}

std::string ErrorOf(const std::string& source, const Json& variables = Json::object()) {
  try {
    JinjaSettings settings;
    settings.max_steps = 1'000'000;
    return "rendered: " + Render(source, variables, settings);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
    return error.what();
  }
}

TEST(Jinja, EveryFeatureAsTransformersRendersIt) {
  const Json goldens = ReadFile("chat_features.json");
  ASSERT_GT(goldens["cases"].size(), 150u);
  for (const Json& golden : goldens["cases"]) {
    const auto source = golden["template"].get<std::string>();
    SCOPED_TRACE(source);
    if (golden["text"].is_null()) {
      const std::string error = ErrorOf(source, goldens["variables"]);
      EXPECT_TRUE(error.starts_with("[text] t.jinja: line ")) << error;
    } else {
      try {
        EXPECT_EQ(Render(source, goldens["variables"]), golden["text"].get<std::string>());
      } catch (const Error& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
}

TEST(Jinja, ErrorsNameTemplateLineAndWhatWasFound) {
  EXPECT_EQ(ErrorOf("a\nb {{ x.y }}"), "[text] t.jinja: line 2: 'x' is undefined");
  EXPECT_EQ(ErrorOf("{{ 1 +\n }}"),
            "[text] t.jinja: line 2: found '}}' where an expression was expected");
  EXPECT_EQ(ErrorOf("{% if x %}\n\n"),
            "[text] t.jinja: line 2: the block of line 1 is not closed by {% endif %}");
  EXPECT_EQ(ErrorOf("\n\n{{ raise_exception('two\nlines') }}"),
            "[text] t.jinja: line 3: the template refuses the conversation: two lines");
  EXPECT_EQ(ErrorOf("{{ x | shout }}"),
            "[text] t.jinja: line 1: the filter 'shout' is not supported");
  EXPECT_EQ(ErrorOf("{% include 'x' %}").substr(0, 47),
            "[text] t.jinja: line 1: found 'include' where a");
  EXPECT_EQ(ErrorOf("{{ 'a'\n + 1 }}"),
            "[text] t.jinja: line 2: + cannot be used between str and int");
}

TEST(Jinja, TheDateIsASetting) {
  JinjaSettings settings;
  EXPECT_EQ(Render("{{ strftime_now('%d %b %Y') }}", Json::object(), settings), "26 Jul 2024");
  settings.date = std::chrono::year{2025} / 4 / 10;
  EXPECT_EQ(Render("{{ strftime_now('%d %b %Y') }}", Json::object(), settings), "10 Apr 2025");
  EXPECT_EQ(
      Render("{{ strftime_now('') }}|{{ strftime_now('%A %H:%M') }}", Json::object(), settings),
      "|Thursday 00:00");
}

TEST(Jinja, NoTemplateRunsForever) {
  EXPECT_NE(
      ErrorOf("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
          .find("takes too long"),
      std::string::npos);
  EXPECT_NE(ErrorOf("{% set n = namespace(x='ab') %}{% for i in range(99) %}"
                    "{% set n.x = n.x ~ n.x %}{% endfor %}")
                .find("takes too long"),
            std::string::npos);
  EXPECT_NE(ErrorOf("{{ 'a' * 99999999999 }}").find("takes too long"), std::string::npos);
  EXPECT_NE(ErrorOf("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").find("deeper"),
            std::string::npos);
  EXPECT_NE(ErrorOf("{% set n = namespace(x=[]) %}{% for i in range(999) %}"
                    "{% set n.x = [n.x, n.x] %}{% endfor %}")
                .find("nested deeper"),
            std::string::npos);
  // 2^50 items on print, though the list itself is small.
  EXPECT_NE(ErrorOf("{% set n = namespace(x=[1]) %}{% for i in range(50) %}"
                    "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}")
                .find("takes too long"),
            std::string::npos);
  for (const char* part :
       {"(", "[", "{1:", "not ", "-", "x(", "x[", "x if ", "{% if x %}", "{% for x in y %}"}) {
    std::string source = part[0] == '{' && part[1] == '%' ? "" : "{{ ";
    for (int i = 0; i < 100'000; ++i) source += part;
    EXPECT_NE(ErrorOf(source).find("[text] t.jinja: line 1: "), std::string::npos) << part;
  }
  std::string chain = "{{ 1";
  for (int i = 0; i < 100'000; ++i) chain += " + 1";
  EXPECT_NE(ErrorOf(chain + " }}").find("in a chain"), std::string::npos);
  EXPECT_EQ(Render("{{ 'a'" + std::string(5000, ' ') + " ~ 'b' }}"), "ab");
}

TEST(Jinja, CirclesOfValuesAreTakenApart) {
  // A leak here shows under the address sanitizer.
  EXPECT_EQ(Render("{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = b %}"
                   "{% set a.me = a %}{% macro m() %}{{ m }}{% endmacro %}{% set a.m = m %}"
                   "{% for x in [a] %}{% set a.loop = loop %}{% endfor %}ok"),
            "ok");
}

TEST(Jinja, InvalidUtf8IsReplaced) {
  EXPECT_EQ(Render("\xff{{ x | length }}{{ '\xc3' }}", {{"x", "a\xf0\x9f"}}),
            "\xef\xbf\xbd"
            "2\xef\xbf\xbd");
}

// Templates cut, spliced and changed at random: a text or an Error, soon, whatever they say.
TEST(Jinja, MutatedTemplatesNeverCrashOrHang) {
  const Json goldens = ReadFile("chat_features.json");
  const Json models = ReadFile("chat_templates.json");
  std::vector<std::string> sources;
  for (const Json& golden : goldens["cases"]) sources.push_back(golden["template"]);
  for (const Json& model : models) sources.push_back(model["config"]["chat_template"]);
  constexpr std::string_view kPieces[] = {"{{",
                                          "}}",
                                          "{%",
                                          "%}",
                                          "{#",
                                          "#}",
                                          "-",
                                          "(",
                                          ")",
                                          "[",
                                          "]",
                                          "|",
                                          ".",
                                          ":",
                                          "'",
                                          "\"",
                                          "~",
                                          " if ",
                                          " else ",
                                          " in ",
                                          " is ",
                                          " not ",
                                          "for x in messages",
                                          "endfor",
                                          "endif",
                                          "set x = ",
                                          "loop",
                                          "messages",
                                          "namespace(",
                                          "**",
                                          "*",
                                          "//",
                                          "%",
                                          "99999999999",
                                          "-1",
                                          "0",
                                          "\n",
                                          "| tojson",
                                          "| map('list')",
                                          "| list",
                                          ".split(",
                                          "[::-1]",
                                          "\xff",
                                          "\xe2\x82",
                                          "\\u"};
  const RandomStream random(7, "jinja/fuzz");
  uint64_t draw = 0;
  const auto below = [&](size_t bound) { return random.Below(draw++, bound); };
  JinjaSettings settings;
  settings.max_steps = 20'000;
  int rendered = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string source = sources[below(sources.size())];
    for (uint64_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(source.size() + 1);
      const size_t size = std::min<size_t>(below(12), source.size() - at);
      switch (below(4)) {
        case 0:
          source.erase(at, size);
          break;
        case 1:
          source.insert(at, kPieces[below(std::size(kPieces))]);
          break;
        case 2:
          source.insert(at, source.substr(at, size));
          break;
        default: {
          const std::string& other = sources[below(sources.size())];
          source = source.substr(0, at) + other.substr(below(other.size() + 1));
        }
      }
    }
    try {
      Render(source, goldens["variables"], settings);
      ++rendered;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kBadInput) << source;
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << source;
    }
  }
  EXPECT_GT(rendered, 500);  // else the mutations test the parser only
}

}  // namespace
}  // namespace grin
