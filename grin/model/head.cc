#include "grin/model/head.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "grin/base/error.h"
#include "grin/model/layers.h"
#include "grin/model/logit_chunk.h"
#include "grin/model/product.h"
#include "grin/model/record.h"
#include "grin/model/cpu/softmax.h"

namespace grin {
namespace {

// Rows whose logits are computed whole at one time.
int64_t ChunkRows(const Head& head, int64_t chunk_bytes) {
  return LogitChunkRows(head.weight.value.size(0), chunk_bytes);
}

// Tokens of one tile of logits. Always the same number, for a row's sums over the vocabulary are merged
// tile by tile, and their last bits may not depend on how many rows there are.
constexpr int64_t kTileTokens = 4096;

// Rows of a tile of at most about `logits` numbers. Many rows, for a product reads the weights once for
// all of them; the rows' sums then find the tile in a cache.
int64_t TileRows(int64_t logits) { return std::clamp<int64_t>(logits / kTileTokens, 16, 1024); }

// Calls visit(begin, count) for parts of 0 .. size.
template <typename Visit>
void ForParts(int64_t size, int64_t part, Visit visit) {
  for (int64_t begin = 0; begin < size; begin += part) visit(begin, std::min(part, size - begin));
}

// The labels that rows begin .. begin + count predict.
struct LabelsOfRows {
  LabelsOfRows(const LabelledRows& all, int64_t begin, int64_t count)
      : numbers(all.order.narrow(0, all.first[begin], all.first[begin + count] - all.first[begin])),
        rows(all.row_of.index_select(0, numbers) - begin),
        tokens(all.tokens.index_select(0, numbers)) {}

  at::Tensor numbers;  // int64 [l]: which labels
  at::Tensor rows;     // int64 [l]: counted from `begin`
  at::Tensor tokens;   // int64 [l]
};

// Log-probabilities of the labels of some rows, and what is asked about the rows, tile by tile of
// the vocabulary.
class RowScores {
 public:
  RowScores(const LabelsOfRows& labels, const HeadOptions& options)
      : labels_(labels),
        softmax_({.argmax = options.argmax, .moments = options.moments}),
        serial_(options.serial),
        logits_(at::zeros(labels.tokens.sizes(), labels.tokens.options().dtype(at::kFloat))) {}

  void Add(const at::Tensor& tile, int64_t first) {
    softmax_.Add(tile, first);
    if (serial_) serial_normaliser_ = SerialLogNormaliser(tile);  // of whole rows
    const at::Tensor column = labels_.tokens - first;             // [l]
    const at::Tensor inside = column.ge(0).logical_and_(column.lt(tile.size(1)));
    const at::Tensor logits = tile.index({labels_.rows, column.clamp(0, tile.size(1) - 1)});
    logits_ = at::where(inside, logits, logits_);
  }

  // Writes to the labels' places in `scores`.
  void Finish(LabelScores& scores) const {
    const auto write = [&](at::Tensor& all, const at::Tensor& by_row) {
      if (all.defined()) all.index_copy_(0, labels_.numbers, by_row.index_select(0, labels_.rows));
    };
    // In float64: of a token that is nearly certain, the difference is far smaller than both.
    const at::Tensor normaliser = softmax_.LogNormaliser().index_select(0, labels_.rows);
    scores.logp.index_copy_(0, labels_.numbers, (logits_ - normaliser).to(at::kFloat));
    write(scores.argmax, softmax_.Argmax());
    write(scores.mean, softmax_.Mean());
    write(scores.variance, softmax_.Variance());
    if (serial_) {
      scores.serial.index_copy_(0, labels_.numbers,
                                logits_ - serial_normaliser_.index_select(0, labels_.rows));
    }
  }

  at::Tensor LogNormaliser() const { return softmax_.LogNormaliser().to(at::kFloat); }

 private:
  LabelsOfRows labels_;
  RunningSoftmax softmax_;
  bool serial_;
  at::Tensor serial_normaliser_;  // fp32 [c]
  at::Tensor logits_;             // fp32 [l], of the labels
};

}  // namespace

at::Tensor LogitsBuffer::operator()(const at::Tensor& hidden) {
  return Columns(hidden, 0, head_.weight.value.size(0));
}

at::Tensor LogitsBuffer::Columns(const at::Tensor& hidden, int64_t first, int64_t count) {
  at::NoGradGuard no_grad;
  const at::Tensor weight = head_.weight.value.narrow(0, first, count);
  const at::Tensor bias =
      head_.bias.defined() ? head_.bias.value.narrow(0, first, count) : at::Tensor();
  const int64_t wanted = hidden.size(0) * count;
  if (!wide_.defined() || wide_.numel() < wanted) {
    wide_ = at::empty({wanted}, weight.options().dtype(at::kFloat));
  }
  at::Tensor logits = wide_.narrow(0, 0, wanted).view({hidden.size(0), count});
  WideProduct(logits, hidden, weight);
  if (bias.defined()) logits.add_(bias);
  return head_.softcap ? logits.div_(*head_.softcap).tanh_().mul_(*head_.softcap) : logits;
}

LabelScores ScoreLabels(const at::Tensor& hidden, const LabelledRows& labels, const Head& head,
                        GradientSink* sink, const HeadOptions& options) {
  const at::TensorOptions wide = hidden.options().dtype(at::kFloat).requires_grad(false);
  const int64_t size = labels.size();
  if (hidden.size(0) != labels.rows.size(0)) {
    Defect("model", "the head got {} rows for labels of {}", hidden.size(0), labels.rows.size(0));
  }
  LabelScores scores;
  scores.logp = at::empty({size}, wide);
  if (options.argmax) scores.argmax = at::empty({size}, wide.dtype(at::kLong));
  if (options.moments) {
    scores.mean = at::empty({size}, wide);
    scores.variance = at::empty({size}, wide);
  }
  if (options.serial) scores.serial = at::empty({size}, wide);
  const at::Tensor log_normaliser = at::empty({hidden.size(0)}, wide);
  const auto buffer = std::make_shared<LogitsBuffer>(head);
  {
    at::NoGradGuard no_grad;
    const int64_t vocabulary = head.weight.value.size(0), logits = options.chunk_bytes / 4;
    // Sums from left to right need the largest logit first, and so whole rows. Other devices than the
    // CPU take whole rows too: few large operators instead of many that fit a cache.
    const bool on_device = !hidden.is_cpu(), whole_rows = options.serial || on_device;
    const int64_t tile_rows = on_device         ? ChunkRows(head, options.chunk_bytes)
                              : options.serial ? std::max<int64_t>(logits / vocabulary, 16)
                                               : TileRows(logits);
    ForParts(hidden.size(0), tile_rows, [&](int64_t begin, int64_t count) {
      const at::Tensor part = hidden.narrow(0, begin, count);
      RowScores row_scores(LabelsOfRows(labels, begin, count), options);
      const int64_t tile_columns = whole_rows ? vocabulary : kTileTokens;
      ForParts(vocabulary, tile_columns, [&](int64_t first, int64_t columns) {
        row_scores.Add(buffer->Columns(part, first, columns), first);
      });
      row_scores.Finish(scores);
      log_normaliser.narrow(0, begin, count).copy_(row_scores.LogNormaliser());
    });
  }
  const at::Tensor input = hidden.detach();
  const int64_t chunk_bytes = options.chunk_bytes;
  scores.logp = RecordBackward("score_labels", {hidden}, scores.logp, [=](const at::Tensor& gradient) {
    // d logp / d logits = onehot(label) - softmax
    const auto slope = [&](int64_t begin, at::Tensor& logits) {
      const LabelsOfRows wanted(labels, begin, logits.size(0));
      const at::Tensor weight = gradient.index_select(0, wanted.numbers);  // [l]
      const at::Tensor row_weight = at::zeros({logits.size(0)}, weight.options())
                                        .index_add_(0, wanted.rows, weight)
                                        .unsqueeze(1);  // [c, 1]
      logits.sub_(log_normaliser.narrow(0, begin, logits.size(0)).unsqueeze(1))
          .exp_()
          .mul_(row_weight.neg());
      logits.index_put_({wanted.rows, wanted.tokens}, weight, /*accumulate=*/true);
    };
    return std::vector{VisitLogitsAndBack(input, *buffer, sink, slope, chunk_bytes)};
  });
  return scores;
}

void VisitLogits(const at::Tensor& hidden, LogitsBuffer& buffer, const LogitVisitor& visit,
                 int64_t chunk_bytes) {
  at::NoGradGuard no_grad;
  ForParts(hidden.size(0), ChunkRows(buffer.head(), chunk_bytes),
           [&](int64_t begin, int64_t count) {
             at::Tensor logits = buffer(hidden.narrow(0, begin, count));
             visit(begin, logits);
           });
}

at::Tensor VisitLogitsAndBack(const at::Tensor& hidden, LogitsBuffer& buffer, GradientSink* sink,
                              const LogitVisitor& visit, int64_t chunk_bytes) {
  at::NoGradGuard no_grad;
  const Head& head = buffer.head();
  at::Tensor hidden_gradient = at::empty_like(hidden);
  const auto back = [&](int64_t begin, at::Tensor& logits) {
    const int64_t count = logits.size(0);
    const at::Tensor part = hidden.narrow(0, begin, count);
    at::Tensor inner;  // of the softcap: d capped / d logit = 1 - tanh^2
    if (head.softcap) inner = logits.div(*head.softcap).square_().neg_().add_(1.0);
    visit(begin, logits);
    if (inner.defined()) logits.mul_(inner);
    hidden_gradient.narrow(0, begin, count).copy_(WideBackProduct(logits, head.weight.value));
    if (Wants(sink, head.weight)) {
      sink->AddProduct(head.weight.name, logits.to(part.scalar_type()), part);
    }
    if (Wants(sink, head.bias)) sink->AddVector(head.bias.name, logits.sum(0));
  };
  VisitLogits(hidden, buffer, back, chunk_bytes);
  return hidden_gradient;
}

}  // namespace grin
