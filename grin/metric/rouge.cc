#include "grin/metric/rouge.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <unordered_map>

#include "grin/base/error.h"
#include "grin/metric/porter.h"

namespace grin {
namespace {

RougeScore MakeScore(size_t common, size_t target, size_t prediction) {
  RougeScore score;
  score.precision = static_cast<double>(common) / static_cast<double>(prediction);
  score.recall = static_cast<double>(common) / static_cast<double>(target);
  const double sum = score.precision + score.recall;
  if (sum > 0) score.f1 = 2 * score.precision * score.recall / sum;
  return score;
}

std::map<std::vector<std::string_view>, size_t> CountRuns(const std::vector<std::string>& words,
                                                          size_t length) {
  std::map<std::vector<std::string_view>, size_t> counts;
  for (size_t i = 0; i + length <= words.size(); ++i) {
    ++counts[{words.begin() + static_cast<ptrdiff_t>(i),
              words.begin() + static_cast<ptrdiff_t>(i + length)}];
  }
  return counts;
}

// Length of the longest common subsequence, 64 rows of the usual table at a time (Hyyro 2004): a
// zero bit of `steps` is a row where the length grows.
size_t CommonSubsequence(const std::vector<std::string>& rows,
                         const std::vector<std::string>& columns) {
  const size_t blocks = (rows.size() + 63) / 64;
  std::unordered_map<std::string_view, std::vector<uint64_t>> places;  // bits of a word's rows
  for (size_t i = 0; i < rows.size(); ++i) {
    auto& bits = places[rows[i]];
    bits.resize(blocks);
    bits[i / 64] |= uint64_t{1} << (i % 64);
  }
  std::vector<uint64_t> steps(blocks, ~uint64_t{0});
  for (const std::string& word : columns) {
    const auto found = places.find(word);
    if (found == places.end()) continue;
    uint64_t carry = 0;
    for (size_t block = 0; block < blocks; ++block) {
      const uint64_t old = steps[block];
      const uint64_t matched = old & found->second[block];
      const uint64_t sum = old + matched;
      const uint64_t carried = sum + carry;
      carry = (sum < old) | (carried < sum);
      steps[block] = carried | (old - matched);
    }
  }
  size_t length = 0;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t used = std::min<size_t>(64, rows.size() - block * 64);
    const uint64_t unused = used == 64 ? 0 : ~uint64_t{0} << used;
    length += static_cast<size_t>(std::popcount(~(steps[block] | unused)));
  }
  return length;
}

}  // namespace

std::vector<std::string> RougeWords(std::string_view text, bool stem) {
  // The two characters outside of ASCII whose lower case has ASCII letters.
  constexpr std::string_view kKelvin = "\u212a", kDottedI = "\u0130";
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (word.empty()) return;
    words.push_back(stem && word.size() > 3 ? PorterStem(std::move(word)) : std::move(word));
    word.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      word += c;
    } else if (c >= 'A' && c <= 'Z') {
      word += static_cast<char>(c - 'A' + 'a');
    } else if (text.substr(i).starts_with(kKelvin)) {
      word += 'k';
      i += kKelvin.size() - 1;
    } else {
      if (text.substr(i).starts_with(kDottedI)) word += 'i';  // and a dot above, which separates
      finish();
    }
  }
  finish();
  return words;
}

RougeScore RougeN(const std::vector<std::string>& target,
                  const std::vector<std::string>& prediction, int n) {
  if (n < 1) Defect("text", "ROUGE-{} is not defined; n must be 1 or more", n);
  const auto length = static_cast<size_t>(n);
  if (target.size() < length || prediction.size() < length) return {};
  const auto in_target = CountRuns(target, length);
  const auto in_prediction = CountRuns(prediction, length);
  size_t common = 0;
  for (const auto& [run, count] : in_target) {
    const auto found = in_prediction.find(run);
    if (found != in_prediction.end()) common += std::min(count, found->second);
  }
  return MakeScore(common, target.size() - length + 1, prediction.size() - length + 1);
}

RougeScore RougeL(const std::vector<std::string>& target,
                  const std::vector<std::string>& prediction) {
  if (target.empty() || prediction.empty()) return {};
  return MakeScore(CommonSubsequence(target, prediction), target.size(), prediction.size());
}

RougeScore RougeN(std::string_view target, std::string_view prediction, int n, bool stem) {
  return RougeN(RougeWords(target, stem), RougeWords(prediction, stem), n);
}

RougeScore RougeL(std::string_view target, std::string_view prediction, bool stem) {
  return RougeL(RougeWords(target, stem), RougeWords(prediction, stem));
}

}  // namespace grin
