"""Writes tests/data/eval/statistics.json: what scipy and scikit-learn make of samples.

Needs `pip install scipy==1.17.1 scikit-learn==1.9.1 numpy`. Run as
`python3 make_statistics_goldens.py`.

  pairs  [KS statistic, p-value, AUC] of pair 0, 1, ... of random samples; the C++ test draws the
         same samples by the linear congruential generator below
  tail   [n, d, scipy.stats.kstwo.sf(d, n)]
  hmean  [values, scipy.stats.hmean(values)]
"""

import json
import os

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

HERE = os.path.dirname(os.path.abspath(__file__))
LARGE = [(10000, 9999), (10000, 7), (10001, 9), (10001, 130), (12000, 11000), (10050, 600),
         (11000, 10950)]  # the last pairs


class Generator:
    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % bound


def sample(generator, size, levels, shift):
    return [(generator.below(levels) + shift) / levels for _ in range(size)]


def samples(index, count):
    generator = Generator(index)
    if index >= count - len(LARGE):
        sizes = LARGE[index - count]
    else:
        most = [6, 40, 200, 900][generator.below(4)]
        first = 1 + generator.below(most)
        sizes = (first, first if generator.below(3) == 0 else 1 + generator.below(most))
    levels = [3, 20, 1000, 1 << 30][generator.below(4)]
    shift = generator.below(3) * levels // [2, 5, 20][generator.below(3)]
    return sample(generator, sizes[0], levels, 0), sample(generator, sizes[1], levels, shift)


def main():
    pairs = []
    count = 1000
    for index in range(count):
        first, second = samples(index, count)
        ks = stats.ks_2samp(first, second)
        auc = roc_auc_score([0] * len(first) + [1] * len(second), first + second)
        pairs.append([float(ks.statistic), float(ks.pvalue), float(auc)])
    generator = np.random.default_rng(1)
    tail = []
    for n in [1, 2, 3, 7, 20, 77, 140, 141, 200, 1000, 5238, 30000, 100000, 100001, 800000]:
        for z in [.01, .05, .3, .5, .7, .85, 1, 1.2, 1.45, 1.5, 1.9, 2.1, 3, 6, 19, 20]:
            tail.append([n, z * generator.uniform(.97, 1.03) / n ** .5])
        tail += [[n, k / n] for k in (.4, .75, .97, 1, 1.5, n - 1, n - .5)] + [[n, .47], [n, .55]]
    tail = [[n, d, float(stats.kstwo.sf(d, n))] for n, d in tail if 0 < d <= 1]
    lists = [[1.0], [.5, .25, 1.0], [0.0, .3], [1e-300, 1.0], generator.random(9).tolist()]
    value = {"pairs": pairs, "tail": tail,
             "hmean": [[values, float(stats.hmean(values))] for values in lists]}
    os.makedirs(os.path.join(HERE, "eval"), exist_ok=True)
    with open(os.path.join(HERE, "eval", "statistics.json"), "w", encoding="utf-8") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
