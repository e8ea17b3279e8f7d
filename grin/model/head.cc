#include "grin/model/head.h"

#include <algorithm>

#include "grin/model/layers.h"
#include "grin/model/record.h"

namespace grin {
namespace {

int64_t ChunkRows(const Head& head, int64_t chunk_bytes) {
  return std::max<int64_t>(16, chunk_bytes / (head.weight.value.size(0) * 4));
}

// Calls visit(begin, count) for chunks of rows.
template <typename Visit>
void ForChunks(int64_t rows, int64_t chunk, Visit visit) {
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    visit(begin, std::min(chunk, rows - begin));
  }
}

}  // namespace

at::Tensor Logits(const at::Tensor& hidden, const Head& head) {
  const at::Tensor logits =
      at::linear(hidden, head.weight.value,
                 head.bias.defined() ? std::optional(head.bias.value) : std::nullopt)
          .to(at::kFloat);
  return head.softcap ? logits.div(*head.softcap).tanh_().mul_(*head.softcap) : logits;
}

LabelScores ScoreLabels(const at::Tensor& hidden, const at::Tensor& labels, const Head& head,
                        GradientSink* sink, const HeadOptions& options) {
  const int64_t rows = labels.size(0);
  const int64_t chunk = ChunkRows(head, options.chunk_bytes);
  const at::TensorOptions wide = hidden.options().dtype(at::kFloat).requires_grad(false);
  LabelScores scores;
  scores.logp = at::empty({rows}, wide);
  at::Tensor log_normaliser = at::empty({rows}, wide);
  if (options.argmax) scores.argmax = at::empty({rows}, wide.dtype(at::kLong));
  if (options.moments) {
    scores.mean = at::empty({rows}, wide);
    scores.variance = at::empty({rows}, wide);
  }
  {
    at::NoGradGuard no_grad;
    ForChunks(rows, chunk, [&](int64_t begin, int64_t count) {
      const at::Tensor logits = Logits(hidden.narrow(0, begin, count), head);  // [c, V]
      const at::Tensor normaliser = logits.logsumexp(-1);
      const at::Tensor label = labels.narrow(0, begin, count).unsqueeze(1);
      scores.logp.narrow(0, begin, count).copy_(logits.gather(1, label).squeeze(1) - normaliser);
      log_normaliser.narrow(0, begin, count).copy_(normaliser);
      if (options.argmax) scores.argmax.narrow(0, begin, count).copy_(logits.argmax(-1));
      if (options.moments) {
        const at::Tensor logp = logits - normaliser.unsqueeze(1);
        const at::Tensor p = logp.exp();
        const at::Tensor mean = (p * logp).sum(-1);
        scores.mean.narrow(0, begin, count).copy_(mean);
        scores.variance.narrow(0, begin, count)
            .copy_((p * (logp - mean.unsqueeze(1)).square()).sum(-1));
      }
    });
  }
  const at::Tensor input = hidden.detach();
  scores.logp = Record("score_labels", {hidden}, scores.logp, [=](const at::Tensor& gradient) {
    at::Tensor hidden_gradient = at::empty_like(input);
    ForChunks(rows, chunk, [&](int64_t begin, int64_t count) {
      const at::Tensor part = input.narrow(0, begin, count);
      const at::Tensor weight = gradient.narrow(0, begin, count).unsqueeze(1);  // [c, 1]
      // d logp / d logits = onehot(label) - softmax
      const at::Tensor logits = Logits(part, head);
      at::Tensor slope =
          logits.sub(log_normaliser.narrow(0, begin, count).unsqueeze(1)).exp_().mul_(weight.neg());
      slope.scatter_add_(1, labels.narrow(0, begin, count).unsqueeze(1), weight);
      if (head.softcap) {  // d capped / d logit = 1 - tanh^2
        slope.mul_(logits.div(*head.softcap).square_().neg_().add_(1.0));
      }
      const at::Tensor narrow = slope.to(part.scalar_type());
      hidden_gradient.narrow(0, begin, count).copy_(at::mm(narrow, head.weight.value));
      if (Wants(sink, head.weight)) sink->AddProduct(head.weight.name, narrow, part);
      if (Wants(sink, head.bias)) sink->AddVector(head.bias.name, slope.sum(0));
    });
    return std::vector{hidden_gradient};
  });
  return scores;
}

}  // namespace grin
