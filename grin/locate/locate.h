#pragma once
// The locate stage: gradients, scores, global top-k, mask.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/table.h"
#include "grin/data/sequence.h"
#include "grin/locate/gradient_store.h"
#include "grin/locate/keeping.h"
#include "grin/locate/mask.h"
#include "grin/locate/score.h"
#include "grin/model/decoder.h"

namespace grin {

struct LocateOptions {
  std::string locate = "grin";
  double fraction = 0.05;
  std::string epsilon = "50%";
  std::string statistic = "auto";
  double threshold = 0;
  double mu = 1e-6;
  double retain_weight = 1;
  std::vector<std::string> scope;
  int64_t locate_sample = 256;

  // Of the scored weights, how many are selected, where no threshold says so: `all` leaves none out.
  double share() const { return locate == "all" ? 1 : fraction; }

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("locate", locate, "how weights are scored: " + NamesOf(ScoreMethods()));
    visit("fraction", fraction, "share of the scored weights that is selected, 0 to 1; all takes every one of them");
    visit("epsilon", epsilon,
          "constant of the ratio: a percentile of |g_r| (50%), mean, or a number");
    visit("statistic", statistic,
          "of a set's gradients: mean (signed), abs or rms (per sequence); auto: rms for ssd and perta, "
          "whose F is its square, else mean");
    visit("threshold", threshold,
          "select every weight whose score is above this, instead of --fraction (ssd's own is 10); 0: "
          "by --fraction");
    visit("mu", mu, "of wagle: the smaller, the more the retain gradient counts; 1e-6 .. 1");
    visit("retain-weight", retain_weight, "a of perta: how much the retain set's importance counts");
    visit("scope", scope,
          "name patterns of the weights that are scored; default: the blocks' linear matrices; "
          "+embeddings adds the embedding's rows of tokens that occur in the data");
    visit("locate-sample", locate_sample,
          "sequences of each set that the gradients are taken over, drawn by --seed; 0: all");
  }
};

// The statistic that the gradients are taken of.
Statistic StatisticOf(const LocateOptions& options);

// At most `limit` of the sequences (all for 0), drawn by seed, in their own order: those that the
// gradients of the "forget" or the "retain" set are taken over.
std::vector<const Sequence*> SampleForLocate(const std::vector<Sequence>& sequences, int64_t limit,
                                             uint64_t seed, std::string_view set);

struct LocateReport {
  int64_t forget_sequences = 0, retain_sequences = 0;
  double epsilon = 0, share_below_epsilon = 0;  // of the ratio; 0 for other methods
  double seconds = 0;
};

// Error (usage) for settings that make no sense for any model.
void CheckLocateOptions(const LocateOptions& options);

// The weights whose gradients are taken, by name: those that --scope selects. Error (usage) for a
// pattern that selects none.
std::vector<std::string> ScoredNames(const Model& model, const LocateOptions& options);

// Tokens of a pass over the set whose gradients are taken second, where those of the first are held
// already: that is the most memory that a run on the CPU needs, and smaller passes cost little time for
// the smaller set. `pass_tokens` itself on other devices.
int64_t SecondPassTokens(const Model& model, int64_t pass_tokens);

// Scores the weights in scope and selects round-half-up(fraction * N) of them, or those above the
// threshold. The mask's metadata says how it was made. Logs epsilon and the density per kind of module.
// `memory` says what is held at one time and where; it changes no bit of the mask. Nor does `store`,
// where gradients that others have taken may be found; null: all are taken here.
Mask Locate(const Model& model, const std::vector<Sequence>& forget,
            const std::vector<Sequence>& retain, const LocateOptions& options, uint64_t seed,
            int64_t pass_tokens, LocateReport* report = nullptr, const LocateMemory& memory = {},
            GradientStore* store = nullptr);

// Selected and all weights per kind of module ("mlp.down_proj") over the layers, by name.
struct ModuleDensity {
  std::string module;
  int64_t selected = 0, total = 0;
};
std::vector<ModuleDensity> DensityByModule(const Mask& mask);

}  // namespace grin
