#include "grin/ranks/deal.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

namespace grin {
namespace {

int64_t ReversedBits(int64_t number, int64_t parts) {
  int64_t reversed = 0;
  for (int64_t bit = 1; bit < parts; bit *= 2) {
    reversed = 2 * reversed + (number & bit ? 1 : 0);
  }
  return reversed;
}

}  // namespace

std::vector<std::vector<int64_t>> DealOut(std::span<const int64_t> costs, int64_t parts) {
  std::vector<int64_t> order(costs.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](int64_t i) { return costs[i]; });
  std::set<std::tuple<int64_t, int64_t, int64_t>> lightest;  // cost so far, place, part
  for (int64_t part = 0; part < parts; ++part) lightest.emplace(0, ReversedBits(part, parts), part);
  std::vector<std::vector<int64_t>> dealt(parts);
  for (const int64_t i : order) {
    auto [cost, place, part] = *lightest.begin();
    lightest.erase(lightest.begin());
    dealt[part].push_back(i);
    lightest.emplace(cost + costs[i], place, part);
  }
  for (auto& part : dealt) std::ranges::sort(part);
  return dealt;
}

}  // namespace grin
