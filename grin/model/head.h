#pragma once
// The output head at labelled rows only, in tiles: [T, V] logits never exist.

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "grin/model/gradient_sink.h"
#include "grin/model/weights.h"

namespace grin {

// Hidden rows to logits.
struct Head {
  Parameter weight;               // [V, d]
  Parameter bias;                 // [V] or undefined
  std::optional<double> softcap;  // logits become softcap * tanh(logit / softcap)
};

struct HeadOptions {
  int64_t chunk_bytes = int64_t{16} << 20;  // fp32 logits at one time, about
  bool argmax = false;
  bool moments = false;  // mean and variance of the log-probabilities under the distribution
  bool serial = false;   // log-probabilities under SerialLogNormaliser as well
};

struct LabelScores {
  at::Tensor logp;      // fp32 [N], on the autograd tape when hidden is
  at::Tensor argmax;    // int64 [N], when asked
  at::Tensor mean;      // fp32 [N], when asked: E[log p] over the vocabulary, p the model's
  at::Tensor variance;  // fp32 [N], when asked
  at::Tensor serial;    // fp32 [N], when asked; not on the tape
};

// Log-probabilities of labels [N], each predicted by row rows[n] of hidden [R, d]; a row may predict
// several. The backward pass computes the logits again. Log-softmax is computed in fp32.
LabelScores ScoreLabels(const at::Tensor& hidden, const at::Tensor& rows, const at::Tensor& labels,
                        const Head& head, GradientSink* sink, const HeadOptions& options = {});

// Logits of hidden rows. They are written to the same memory every time: the pages of a fresh block
// cost as much as the product.
class LogitsBuffer {
 public:
  explicit LogitsBuffer(Head head) : head_(std::move(head)) {}

  // fp32 [N, V] of hidden rows [N, d]. They are the caller's to change, until the next call.
  at::Tensor operator()(const at::Tensor& hidden);

  // fp32 [N, count]: those of tokens first .. first + count.
  at::Tensor Columns(const at::Tensor& hidden, int64_t first, int64_t count);

 private:
  Head head_;
  at::Tensor wide_;  // fp32
};

}  // namespace grin
