#include "grin/report/sections.h"

#include <fmt/format.h>

#include <filesystem>

#include "grin/report/figures.h"
#include "grin/suite/results.h"

namespace grin {

Markup Render(const Section& section) {
  return Tag("section", {{"aria-labelledby", section.id}},
             TextTag("h2", {{"id", section.id}}, section.title) + section.content);
}

Markup Paragraph(std::string_view text) { return TextTag("p", {}, text); }

Markup Figure(const Markup& charts, const Markup& legend, std::string_view caption) {
  return Tag(
      "figure", {},
      legend + Tag("div", {{"class", "charts"}}, charts) + TextTag("figcaption", {}, caption));
}

Markup SettingsTable(std::string_view caption,
                     const std::vector<std::pair<std::string, std::string>>& rows) {
  Markup body;
  for (const auto& [key, value] : rows) {
    body += Tag("tr", {}, TextTag("th", {{"scope", "row"}}, key) + TextTag("td", {}, value));
  }
  return Tag("div", {{"class", "scroll"}},
             Tag("table", {{"class", "settings"}},
                 TextTag("caption", {}, caption) + Tag("tbody", {}, body)));
}

std::string Plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "–";
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& one : value) text += (text.empty() ? "" : ", ") + Plain(one);
  return text;
}

std::string StringOr(const Json& object, std::string_view key, std::string_view otherwise) {
  if (!object.is_object()) return std::string(otherwise);
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : std::string(otherwise);
}

std::optional<double> NumberOf(const Json& object, std::string_view key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>())
                                                     : std::nullopt;
}

std::string FileNameOf(const Json& results) {
  std::string names;
  for (const Json* source : SourcesOf(results)) {
    names += (names.empty() ? "" : " and ") +
             std::filesystem::path(StringOr(*source, "file", "results")).filename().string();
  }
  return names.empty() ? "results" : names;
}

}  // namespace grin
