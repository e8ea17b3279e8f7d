#include "grin/model/head.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "grin/model/layers.h"
#include "grin/model/product.h"
#include "grin/model/record.h"

namespace grin {
namespace {

int64_t ChunkRows(const Head& head, int64_t chunk_bytes) {
  const int64_t row_bytes = head.weight.value.size(0) * 4;
  const int64_t rows = std::max<int64_t>(16, chunk_bytes / row_bytes);
  if (!WidensFactors(head.weight.value)) return rows;
  // Widening the weights pays only for many rows.
  constexpr int64_t kEnough = 2 * kManyRows, kLargest = int64_t{128} << 20;
  return std::max(rows, std::min(kEnough, kLargest / row_bytes));
}

bool IsNan(float value) { return std::isnan(value); }

// Calls visit(begin, count) for chunks of rows.
template <typename Visit>
void ForChunks(int64_t rows, int64_t chunk, Visit visit) {
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    visit(begin, std::min(chunk, rows - begin));
  }
}

}  // namespace

at::Tensor LogitsBuffer::operator()(const at::Tensor& hidden) {
  const at::Tensor& weight = head_.weight.value;
  const auto rows_of = [&](at::Tensor& buffer, at::ScalarType type) {
    if (!buffer.defined() || buffer.size(0) < hidden.size(0)) {
      buffer = at::empty({hidden.size(0), weight.size(0)}, weight.options().dtype(type));
    }
    return buffer.narrow(0, 0, hidden.size(0));
  };
  at::NoGradGuard no_grad;
  const bool is_wide = weight.scalar_type() == at::kFloat;
  at::Tensor logits;
  if (hidden.size(0) >= kManyRows && WidensFactors(hidden)) {
    logits = rows_of(wide_, at::kFloat);
    WideProduct(logits, hidden, weight);
    if (head_.bias.defined()) logits.add_(head_.bias.value);
  } else {
    at::Tensor product = rows_of(is_wide ? wide_ : narrow_, weight.scalar_type());
    if (head_.bias.defined()) {
      at::addmm_out(product, head_.bias.value, hidden, weight.t());
    } else {
      at::mm_out(product, hidden, weight.t());
    }
    logits = is_wide ? product : rows_of(wide_, at::kFloat).copy_(product);
  }
  return head_.softcap ? logits.div_(*head_.softcap).tanh_().mul_(*head_.softcap) : logits;
}

at::Tensor ArgmaxOfRows(const at::Tensor& rows) {
  if (!rows.is_cpu()) return rows.argmax(-1);
  // A search for the largest value is several times faster than a search that carries indices.
  const at::Tensor largest = rows.amax(-1), table = rows.contiguous();
  at::Tensor indices = at::empty(largest.sizes(), at::kLong);
  const auto* values = table.const_data_ptr<float>();
  const auto* wanted = largest.const_data_ptr<float>();
  auto* found = indices.mutable_data_ptr<int64_t>();
  const int64_t width = rows.size(1);
  at::parallel_for(0, rows.size(0), 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* first = values + row * width;
      found[row] = std::isnan(wanted[row])
                       ? std::ranges::find_if(first, first + width, IsNan) - first
                       : std::ranges::find(first, first + width, wanted[row]) - first;
    }
  });
  return indices;
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
  const auto buffer = std::make_shared<LogitsBuffer>(head);
  {
    at::NoGradGuard no_grad;
    ForChunks(rows, chunk, [&](int64_t begin, int64_t count) {
      const auto part = [&](const at::Tensor& whole) { return whole.narrow(0, begin, count); };
      // In place from here on; at::logsumexp takes many times as long as these steps of it.
      at::Tensor logits = (*buffer)(part(hidden));       // [c, V]
      const at::Tensor largest = logits.amax(-1, true);  // [c, 1]
      if (options.argmax) part(scores.argmax).copy_(ArgmaxOfRows(logits));
      const at::Tensor label = logits.sub_(largest).gather(1, part(labels).unsqueeze(1));
      at::Tensor total;  // [c, 1]
      if (options.moments) {
        at::Tensor p = logits.exp();
        total = p.sum(-1, true);
        p.div_(total);
        const at::Tensor logp = logits.sub_(total.log());
        const at::Tensor mean = (p * logp).sum(-1, true);
        part(scores.mean).copy_(mean.squeeze(1));
        part(scores.variance).copy_(p.mul_(logp.sub_(mean).square_()).sum(-1));
      } else {
        total = logits.exp_().sum(-1, true);
      }
      total.log_();
      part(scores.logp).copy_((label - total).squeeze(1));
      part(log_normaliser).copy_((largest + total).squeeze(1));
    });
  }
  const at::Tensor input = hidden.detach();
  scores.logp = Record("score_labels", {hidden}, scores.logp, [=](const at::Tensor& gradient) {
    at::Tensor hidden_gradient = at::empty_like(input);
    ForChunks(rows, chunk, [&](int64_t begin, int64_t count) {
      const at::Tensor part = input.narrow(0, begin, count);
      const at::Tensor weight = gradient.narrow(0, begin, count).unsqueeze(1);  // [c, 1]
      // d logp / d logits = onehot(label) - softmax
      at::Tensor slope = (*buffer)(part);
      at::Tensor inner;  // of the softcap: d capped / d logit = 1 - tanh^2
      if (head.softcap) inner = slope.div(*head.softcap).square_().neg_().add_(1.0);
      slope.sub_(log_normaliser.narrow(0, begin, count).unsqueeze(1)).exp_().mul_(weight.neg());
      slope.scatter_add_(1, labels.narrow(0, begin, count).unsqueeze(1), weight);
      if (inner.defined()) slope.mul_(inner);
      const bool widens = count >= kManyRows && WidensFactors(part);
      const at::Tensor narrow =
          widens && !Wants(sink, head.weight) ? at::Tensor() : slope.to(part.scalar_type());
      hidden_gradient.narrow(0, begin, count)
          .copy_(widens ? WideBackProduct(slope, head.weight.value)
                        : at::mm(narrow, head.weight.value));
      if (Wants(sink, head.weight)) sink->AddProduct(head.weight.name, narrow, part);
      if (Wants(sink, head.bias)) sink->AddVector(head.bias.name, slope.sum(0));
    });
    return std::vector{hidden_gradient};
  });
  return scores;
}

}  // namespace grin
