#pragma once
// ROUGE (Lin 2004): how much of a target text a predicted text has in common with it. Values equal
// those of the `rouge-score` package (0.1.2).

#include <string>
#include <string_view>
#include <vector>

namespace grin {

struct RougeScore {
  double precision = 0;  // what is common / length of the prediction
  double recall = 0;     // what is common / length of the target
  double f1 = 0;
};

// The words that are compared: runs of a to z and 0 to 9 in the lower-cased text, all else
// separates. With `stem`, words of more than three characters become their Porter stems.
std::vector<std::string> RougeWords(std::string_view text, bool stem);

// ROUGE-N: what is common are runs of `n` >= 1 words, wherever they stand, each as often as it
// occurs in both.
RougeScore RougeN(const std::vector<std::string>& target,
                  const std::vector<std::string>& prediction, int n);

// ROUGE-L: what is common is the longest sequence of words that occurs in both in order, gaps
// allowed.
RougeScore RougeL(const std::vector<std::string>& target,
                  const std::vector<std::string>& prediction);

// The same from texts.
RougeScore RougeN(std::string_view target, std::string_view prediction, int n, bool stem);
RougeScore RougeL(std::string_view target, std::string_view prediction, bool stem);

}  // namespace grin
