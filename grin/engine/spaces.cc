#include "grin/engine/spaces.h"

#include <utility>

namespace grin {

std::string CleanSpaces(std::string text) {
  // One after the other, each over the whole text.
  constexpr std::pair<std::string_view, std::string_view> kReplacements[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kReplacements) {
    std::string cleaned;
    size_t begin = 0;
    for (size_t at; (at = text.find(from, begin)) != std::string::npos; begin = at + from.size()) {
      cleaned.append(text, begin, at - begin).append(to);
    }
    text = cleaned.append(text, begin);
  }
  return text;
}

}  // namespace grin
