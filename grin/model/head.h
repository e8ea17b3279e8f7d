#pragma once
// The output head at labelled rows only: [T, V] logits never exist. Rows of logits are visited tile by
// tile on the way forward, and in chunks of whole rows on the way back.

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "grin/model/gradient_sink.h"
#include "grin/model/packed_batch.h"
#include "grin/model/weights.h"

namespace grin {

// Hidden rows to logits.
struct Head {
  Parameter weight;               // [V, d]
  Parameter bias;                 // [V] or undefined
  std::optional<double> softcap;  // logits become softcap * tanh(logit / softcap)
};

inline constexpr int64_t kLogitBytes = int64_t{16} << 20;  // fp32 logits at one time, about

struct HeadOptions {
  int64_t chunk_bytes = kLogitBytes;
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

// Logits of hidden rows. They are written to the same memory every time: the pages of a fresh block
// cost as much as the product.
class LogitsBuffer {
 public:
  explicit LogitsBuffer(Head head) : head_(std::move(head)) {}

  const Head& head() const { return head_; }

  // fp32 [N, V] of hidden rows [N, d]. They are the caller's to change, until the next call.
  at::Tensor operator()(const at::Tensor& hidden);

  // fp32 [N, count]: those of tokens first .. first + count.
  at::Tensor Columns(const at::Tensor& hidden, int64_t first, int64_t count);

 private:
  Head head_;
  at::Tensor wide_;  // fp32
};

// Log-probabilities of labels that rows of hidden [R, d] predict, R as in `labels.rows`. The backward
// pass computes the logits again. Log-softmax is computed in fp32.
LabelScores ScoreLabels(const at::Tensor& hidden, const LabelledRows& labels, const Head& head,
                        GradientSink* sink, const HeadOptions& options = {});

// Is shown the logits of rows begin .. begin + c, fp32 [c, V], and may overwrite them.
using LogitVisitor = std::function<void(int64_t begin, at::Tensor& logits)>;

// Shows the logits of hidden [R, d] to `visit`, in chunks of whole rows.
void VisitLogits(const at::Tensor& hidden, LogitsBuffer& buffer, const LogitVisitor& visit,
                 int64_t chunk_bytes = kLogitBytes);

// The same, and back: `visit` puts the derivative of a loss by the logits in their place. Returns
// that by hidden, [R, d] in its type, and gives the sink, which may be null, those of the weights of
// the buffer's head. Nothing is recorded on the autograd tape.
at::Tensor VisitLogitsAndBack(const at::Tensor& hidden, LogitsBuffer& buffer, GradientSink* sink,
                              const LogitVisitor& visit, int64_t chunk_bytes = kLogitBytes);

}  // namespace grin
