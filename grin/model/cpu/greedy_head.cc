#include "grin/model/cpu/greedy_head.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "grin/model/cpu/screen_kernels.h"
#include "grin/model/cpu/softmax.h"

namespace grin {
namespace {

// A sum of so many products of two bytes fits 32 bits.
constexpr int64_t kWidestScreen = 65536;
// Beyond these a product of two could leave the range of fp32.
constexpr float kSmallestScreened = 1e-15f, kLargestScreened = 1e15f;
// More than the few roundings of one logit in fp32 can add, relative to its factors' norms.
constexpr double kScreenRounding = 2e-6;
constexpr int64_t kWidened = 4096;  // tokens whose weights are in float64 at one time

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// A vector rounded to the levels -most .. most of one scale.
struct RoundedVector {
  float scale;
  float norm, error, rounded_norm;  // |x|, |x - x'|, |x'|, none too small
  int32_t sum = 0;                  // of the levels
};

RoundedVector RoundToLevels(const float* x, int64_t count, int most, int8_t* levels) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  const auto limit = static_cast<float>(most);
  const float scale = largest > 0 ? largest / limit : 1.0f;
  double norm = 0, error = 0, rounded_norm = 0;
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float level = std::clamp(std::nearbyint(x[i] / scale), -limit, limit);
    levels[i] = static_cast<int8_t>(level);
    sum += levels[i];
    const double rounded = static_cast<double>(level) * scale;
    norm += static_cast<double>(x[i]) * x[i];
    error += (x[i] - rounded) * (x[i] - rounded);
    rounded_norm += rounded * rounded;
  }
  const auto above = [](double square) {
    return static_cast<float>(std::sqrt(square) * (1 + kScreenRounding));
  };
  return {scale, above(norm), above(error), above(rounded_norm), sum};
}

bool AllBelow(const at::Tensor& x, float limit) {  // false for a NaN
  return x.detach().abs().max().item<float>() < limit;
}

std::vector<int32_t> AllTokens(int64_t vocabulary) {
  std::vector<int32_t> all(vocabulary);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Head WithoutSoftcap(Head head) {
  head.softcap.reset();
  return head;
}

}  // namespace

std::optional<Int8Screen> Int8Screen::Of(const Head& head) {
  const at::Tensor& weight = head.weight.value;
  if (!weight.is_cpu() || weight.scalar_type() != at::kFloat || weight.size(1) > kWidestScreen) {
    return std::nullopt;
  }
  if (!AllBelow(weight, kLargestScreened) ||
      (head.bias.defined() && !AllBelow(head.bias.value, kLargestScreened))) {
    return std::nullopt;
  }
  Int8Screen screen;
  screen.vocabulary_ = weight.size(0);
  screen.width_ = weight.size(1);
  const int64_t places = RoundUp(screen.vocabulary_, kScreenTokens);
  const int64_t depth = RoundUp(screen.width_, kScreenDepth);
  screen.levels_ = at::zeros({places * depth}, at::kChar);
  screen.offset_ = at::zeros({places}, at::kInt);
  screen.scale_ = at::zeros({places});
  screen.norm_ = at::zeros({places});
  screen.error_ = at::zeros({places});
  screen.slack_ = at::full({places}, 1e-30f);
  screen.bias_ = at::full({places}, -std::numeric_limits<float>::infinity());
  screen.bias_.narrow(0, 0, screen.vocabulary_).zero_();
  if (head.bias.defined()) {
    const at::Tensor bias = head.bias.value.detach().to(at::kFloat);
    screen.bias_.narrow(0, 0, screen.vocabulary_).copy_(bias);
    screen.slack_.narrow(0, 0, screen.vocabulary_).add_(bias.abs(), kScreenRounding);
  }

  const at::Tensor rows = weight.detach().contiguous();
  const auto* from = rows.const_data_ptr<float>();
  auto* to = screen.levels_.mutable_data_ptr<int8_t>();
  auto* offset = screen.offset_.mutable_data_ptr<int32_t>();
  auto* scale = screen.scale_.mutable_data_ptr<float>();
  auto* norm = screen.norm_.mutable_data_ptr<float>();
  auto* error = screen.error_.mutable_data_ptr<float>();
  at::parallel_for(0, screen.vocabulary_, 256, [&](int64_t begin, int64_t end) {
    std::vector<int8_t> levels(depth);
    for (int64_t token = begin; token < end; ++token) {
      const RoundedVector rounded =
          RoundToLevels(from + token * screen.width_, screen.width_, kWeightLevels, levels.data());
      scale[token] = rounded.scale;
      norm[token] = rounded.norm;
      error[token] = rounded.error + static_cast<float>(kScreenRounding) * rounded.norm;
      offset[token] = (kHiddenLevels + 1) * rounded.sum;
      int8_t* place =
          to + token / kScreenTokens * kScreenTokens * depth + token % kScreenTokens * kScreenDepth;
      for (int64_t i = 0; i < screen.width_; ++i) {
        place[i / kScreenDepth * (kScreenTokens * kScreenDepth) + i % kScreenDepth] = levels[i];
      }
    }
  });
  return screen;
}

CandidateLists Int8Screen::Candidates(const at::Tensor& hidden) const {
  const int64_t count = hidden.size(0), steps = RoundUp(width_, kScreenDepth) / kScreenDepth;
  const int64_t groups = RoundUp(count, kScreenRows) / kScreenRows;
  const int64_t group_bytes = steps * kScreenRows * kScreenDepth;
  const at::Tensor wide = hidden.contiguous();
  std::vector<uint8_t> levels(groups * group_bytes, kHiddenLevels + 1);  // a level of 0
  std::vector<int8_t> row_levels(width_);
  std::vector<ScreenRow> rows(count);
  std::vector<bool> is_screened(count);
  CandidateLists candidates(count);
  for (int64_t row = 0; row < count; ++row) {
    const float* from = wide.const_data_ptr<float>() + row * width_;
    if (!std::all_of(from, from + width_, [](float x) { return std::isfinite(x); })) continue;
    float largest = 0;
    for (int64_t i = 0; i < width_; ++i) largest = std::max(largest, std::abs(from[i]));
    if (largest < kSmallestScreened || largest > kLargestScreened) {
      candidates[row] = AllTokens(vocabulary_);
      continue;
    }
    is_screened[row] = true;
    const RoundedVector rounded = RoundToLevels(from, width_, kHiddenLevels, row_levels.data());
    uint8_t* group = levels.data() + row / kScreenRows * group_bytes;
    for (int64_t i = 0; i < width_; ++i) {
      group[(i / kScreenDepth * kScreenRows + row % kScreenRows) * kScreenDepth +
            i % kScreenDepth] = static_cast<uint8_t>(row_levels[i] + kHiddenLevels + 1);
    }
    rows[row] = {rounded.scale, rounded.error, rounded.rounded_norm};
  }

  // Each part of the vocabulary is sifted by itself.
  const int64_t tiles = scale_.numel() / kScreenTokens;
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), tiles);
  std::vector<std::vector<ScreenFound>> found(parts, std::vector<ScreenFound>(count));
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      for (int64_t tile = tiles * part / parts; tile < tiles * (part + 1) / parts; ++tile) {
        const int64_t token = tile * kScreenTokens;
        const auto at = [&](const at::Tensor& all) { return all.const_data_ptr<float>() + token; };
        const ScreenTokens tokens{levels_.const_data_ptr<int8_t>() + token * steps * kScreenDepth,
                                  offset_.const_data_ptr<int32_t>() + token,
                                  at(scale_),
                                  at(bias_),
                                  at(norm_),
                                  at(error_),
                                  at(slack_),
                                  static_cast<int32_t>(token)};
        for (int64_t first = 0; first < count; first += kScreenRows) {
          ScreenTile(tokens, levels.data() + first / kScreenRows * group_bytes, steps,
                     rows.data() + first, found[part].data() + first,
                     std::min(kScreenRows, count - first));
        }
      }
    }
  });

  for (int64_t row = 0; row < count; ++row) {
    if (!is_screened[row]) continue;
    float lower = std::numeric_limits<float>::lowest();
    for (const auto& part : found) lower = std::max(lower, part[row].largest_lower);
    for (const auto& part : found) {
      for (const Candidate& candidate : part[row].candidates) {
        if (candidate.upper >= lower) candidates[row].push_back(candidate.token);
      }
    }
  }
  return candidates;
}

GreedyHead::GreedyHead(const Head& head)
    : head_(WithoutSoftcap(head)), logits_(head_), screen_(Int8Screen::Of(head_)) {
  const at::ScalarType type = head_.weight.value.scalar_type();
  is_exact_ = type == at::kFloat || type == at::kBFloat16;
  if (screen_ || !is_exact_) return;
  const at::NoGradGuard no_grad;
  for (int64_t first = 0; first < head_.weight.value.size(0); first += kWidened) {
    const int64_t count = std::min(kWidened, head_.weight.value.size(0) - first);
    const at::Tensor rows = head_.weight.value.narrow(0, first, count).to(at::kDouble);
    const double norm = rows.square().sum(-1).max().sqrt().item<double>();
    largest_norm_ = norm > largest_norm_ || std::isnan(norm) ? norm : largest_norm_;
  }
  if (head_.bias.defined()) largest_bias_ = head_.bias.value.abs().max().item<double>();
}

at::Tensor GreedyHead::operator()(const at::Tensor& hidden) {
  const at::NoGradGuard no_grad;
  if (!is_exact_) return ArgmaxOfRows(logits_(hidden)).cpu();
  if (!hidden.is_cpu()) return ChooseOnDevice(hidden);
  const CandidateLists candidates =
      screen_ ? screen_->Candidates(hidden) : CandidatesByLogits(hidden);
  at::Tensor best = at::empty({hidden.size(0)}, at::kLong);
  for (int64_t row = 0; row < hidden.size(0); ++row) {
    if (!candidates[row].empty()) continue;
    best.narrow(0, row, 1).copy_(ArgmaxOfRows(logits_(hidden.narrow(0, row, 1))));
  }
  CompareExactly(hidden, candidates, best);
  return best;
}

double GreedyHead::Rounding() const {
  // Each product, each addition and the bias round once. A card's sums may cut off instead, and bits
  // that a rounding would still see.
  const double steps = static_cast<double>(head_.weight.value.size(1) + 3);
  return steps * (head_.weight.value.is_cpu() ? 0x1p-23 : 0x1p-21);
}

at::Tensor GreedyHead::ChooseOnDevice(const at::Tensor& hidden) {
  constexpr int64_t kCompared = 8;  // candidates that are compared without asking how many there are
  const at::Tensor logits = logits_(hidden), weight = head_.weight.value;
  const int64_t rows = hidden.size(0), vocabulary = logits.size(1);
  const int64_t count = std::min(kCompared, vocabulary);
  const auto [values, tokens] = logits.topk(count);  // [N, c], the largest first
  const at::Tensor wide = hidden.to(at::kDouble);
  const at::Tensor error =
      wide.square().sum(-1).sqrt_().mul_(largest_norm_).add_(largest_bias_).mul_(Rounding());
  const at::Tensor largest = values.select(1, 0).to(at::kDouble);
  // Rounded down, so that comparing in fp32 loses none. [N, 1]
  const at::Tensor least =
      (largest - 2 * error - largest.abs() * 0x1p-22).to(at::kFloat).unsqueeze(1);
  at::Tensor exact = at::matmul(weight.index_select(0, tokens.flatten())
                                    .to(at::kDouble)
                                    .view({rows, count, weight.size(1)}),
                                wide.unsqueeze(2))
                         .squeeze(2);
  if (head_.bias.defined()) {
    exact.add_(head_.bias.value.index_select(0, tokens.flatten()).to(at::kDouble).view_as(exact));
  }
  exact.masked_fill_(values.lt(least), -std::numeric_limits<double>::infinity());
  const at::Tensor first =
      tokens.masked_fill(exact.lt(exact.amax(-1, true)), vocabulary).amin(-1);  // of equals
  const at::Tensor best = at::where(least.squeeze(1).isfinite(), first, ArgmaxOfRows(logits));
  const at::Tensor candidates = logits.ge(least).sum(-1);
  const at::Tensor answer = at::stack({best, candidates}).cpu();
  at::Tensor chosen = answer[0].clone();
  for (int64_t row = 0; row < rows; ++row) {
    if (answer[1][row].item<int64_t>() <= count) continue;
    chosen[row] = ChooseAmongAll(hidden[row], logits[row], least[row]).cpu();
  }
  return chosen;
}

at::Tensor GreedyHead::ChooseAmongAll(const at::Tensor& row, const at::Tensor& logits,
                                      const at::Tensor& least) const {
  const at::Tensor wide = row.to(at::kDouble), weight = head_.weight.value;
  at::Tensor exact = at::empty(logits.sizes(), wide.options());
  for (int64_t first = 0; first < weight.size(0); first += kWidened) {
    const int64_t count = std::min(kWidened, weight.size(0) - first);
    exact.narrow(0, first, count)
        .copy_(at::mv(weight.narrow(0, first, count).to(at::kDouble), wide));
  }
  if (head_.bias.defined()) exact.add_(head_.bias.value);
  return exact.masked_fill_(logits.lt(least), -std::numeric_limits<double>::infinity()).argmax();
}

CandidateLists GreedyHead::CandidatesByLogits(const at::Tensor& hidden) {
  const at::Tensor logits = logits_(hidden);
  const int64_t vocabulary = logits.size(1);
  const at::Tensor largest = logits.amax(-1);
  const at::Tensor norms = hidden.to(at::kDouble).square().sum(-1).sqrt();
  const double rounding = Rounding();
  CandidateLists candidates(hidden.size(0));
  at::parallel_for(0, hidden.size(0), 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const double most = largest.const_data_ptr<float>()[row];
      const double error =
          rounding * (norms.const_data_ptr<double>()[row] * largest_norm_ + largest_bias_);
      const double least = most - 2 * error;
      if (!std::isfinite(least)) continue;
      AppendAtLeast(
          logits.const_data_ptr<float>() + row * vocabulary, vocabulary,
          std::nextafter(static_cast<float>(least), -std::numeric_limits<float>::infinity()),
          candidates[row]);
    }
  });
  return candidates;
}

void GreedyHead::CompareExactly(const at::Tensor& hidden, const CandidateLists& candidates,
                                at::Tensor& best) const {
  const at::Tensor rows = hidden.to(at::kFloat).contiguous();
  const at::Tensor weight = head_.weight.value.contiguous();
  const at::Tensor bias =
      head_.bias.defined() ? head_.bias.value.to(at::kFloat).contiguous() : at::Tensor();
  const bool is_narrow = weight.scalar_type() == at::kBFloat16;
  const auto* narrow = is_narrow ? weight.const_data_ptr<at::BFloat16>() : nullptr;
  const auto* wide = is_narrow ? nullptr : weight.const_data_ptr<float>();
  const auto* more = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  const int64_t width = rows.size(1);
  auto* to = best.mutable_data_ptr<int64_t>();
  at::parallel_for(0, rows.size(0), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> widened(is_narrow ? width : 0);
    for (int64_t row = begin; row < end; ++row) {
      if (candidates[row].empty()) continue;
      const float* state = rows.const_data_ptr<float>() + row * width;
      double largest = -std::numeric_limits<double>::infinity();
      int64_t first = candidates[row].front();
      for (const int32_t token : candidates[row]) {
        if (candidates[row].size() == 1) break;
        if (is_narrow) std::copy_n(narrow + token * width, width, widened.begin());
        const float* numbers = is_narrow ? widened.data() : wide + token * width;
        const double logit = DotInDouble(state, numbers, width) + (more ? more[token] : 0.0);
        if (logit <= largest) continue;
        largest = logit;
        first = token;
      }
      to[row] = first;
    }
  });
}

}  // namespace grin
