#pragma once
// The settings of a sweep itself: sections [sweep] and [choose] of its file.

#include <cstdint>
#include <string>
#include <vector>

namespace grin {

struct SweepOptions {
  std::vector<std::string> seeds = {"0"};
  int64_t runs = 0;
  double minutes = 0;
  int64_t draws = 0;
  int64_t draw_seed = 0;
  std::string keep = "none";
  double hopeless = 0.85;
  int64_t finalists = 0;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("seeds", seeds, "every setting runs with each: [0, 1, 2]");
    visit("runs", runs, "at most the first so many runs of the plan; 0: all");
    visit("minutes", minutes,
          "no new run begins so many minutes after the command began; 0: no limit");
    visit("draws", draws,
          "so many random draws for each method, from the grid's lists and ranges; 0: the whole "
          "grid");
    visit("draw-seed", draw_seed, "of those draws");
    visit("keep", keep,
          "which unlearned checkpoints stay, in DIR/checkpoints: none, best (those of the best "
          "settings, made again at the end), all");
    visit("hopeless", hopeless,
          "a setting whose first seed ends with one of the utilities below this share of the model "
          "before is not attacked and gets no further seed; 0: never");
    visit("finalists", finalists,
          "once a method's settings have all run with the first seed, the best so many of them go on to "
          "the other seeds; 0: all of them");
  }
};

struct ChooseOptions {
  std::vector<std::string> utility;
  double floor = 0.97;
  std::vector<std::string> left;
  bool held_out = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("utility", utility,
          "figures that must stay; default: retain_keyword_accuracy, else model_utility, else "
          "plain_retain_keyword_accuracy");
    visit("floor", floor, "the share of the model before at which each of them must stay");
    visit("left", left,
          "what is least wins, the mean of several: figures, or came_back, the largest share of "
          "what was known that any row of the attacks brings out; default: came_back with "
          "attacks, else forget_keyword_accuracy");
    visit("held-out", held_out,
          "choose by the records of even number and report those of odd number");
  }
};

}  // namespace grin
