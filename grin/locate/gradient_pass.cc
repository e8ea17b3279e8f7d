#include "grin/locate/gradient_pass.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/model/device.h"
#include "grin/model/pass_in_parts.h"
#include "grin/model/product.h"
#include "grin/ranks/deal.h"
#include "grin/ranks/ranks.h"

namespace grin {
namespace {

// Adds up a statistic of each pass's gradient. Most weights meet one call per pass, which brings the
// whole gradient of the pass. The head's comes in chunks of rows, and a tied one's from the embedding
// too: these are summed up before the statistic is taken.
class StatisticSink : public GradientSink {
 public:
  StatisticSink(const Model& model, const std::vector<std::string>& names, Statistic statistic)
      : model_(model),
        in_parts_{model.embedding.name, model.head.weight.name, model.head.bias.name},
        statistic_(statistic) {
    for (size_t i = 0; i < names.size(); ++i) open_[names[i]] = i;
  }

  bool Wants(const std::string& name) const override {
    return open_.contains(name) && (!wanted_ || wanted_(name));
  }

  void AddProduct(const std::string& name, const at::Tensor& grad_output,
                  const at::Tensor& input) override {
    Collect(name, [&](at::Tensor& sum) { AddOuterProduct(sum, grad_output, input); });
  }

  void AddRows(const std::string& name, const at::Tensor& tokens, const at::Tensor& rows) override {
    Collect(name, [&](at::Tensor& sum) { sum.index_add_(0, tokens, rows.to(at::kFloat)); });
  }

  void AddVector(const std::string& name, const at::Tensor& gradient) override {
    Collect(name, [&](at::Tensor& sum) { sum.add_(gradient); });
  }

  // From now on only these of the names; a null function: all of them.
  void WantOnly(std::function<bool(const std::string&)> wanted) { wanted_ = std::move(wanted); }

  // Whether the statistic of some weight is still to be given away.
  bool open() const { return !open_.empty(); }
  bool IsOpen(const std::string& name) const { return open_.contains(name); }

  // To be called after each pass.
  void EndPass() {
    for (const auto& [name, gradient] : parts_) AddStatistic(sums_.at(name), gradient);
    parts_.clear();
  }

  // To be called after the passes of each part of a sum (Ranks::parts), in their order. Two neighbours
  // that are sums of equally many parts are added at once, so that few wait at one time.
  void EndPart() {
    whole_.push_back({1, std::move(sums_)});
    sums_.clear();
    while (whole_.size() > 1 && whole_[whole_.size() - 2].parts == whole_.back().parts) {
      PartSums right = std::move(whole_.back());
      whole_.pop_back();
      PartSums& left = whole_.back();
      left.parts += right.parts;
      for (auto& [name, sum] : right.sums) {
        const auto [mine, fresh] = left.sums.try_emplace(name, sum);
        if (!fresh) mine->second.add_(sum);
        sum = at::Tensor();
      }
    }
  }

  // Gives the statistics of all weights away that have met a gradient, in some process, since all parts
  // have ended.
  void Give(int64_t sequences, const TakeGradient& take) {
    if (whole_.empty()) return;
    std::map<std::string, at::Tensor> sums = std::move(whole_.front().sums);
    whole_.clear();
    for (const std::string& name : NamesMet(sums)) {
      at::Tensor sum = sums.contains(name) ? std::move(sums.at(name)) : Zeros(name);
      sums.erase(name);
      model_.ranks->Sum(sum);
      if (statistic_ != Statistic::kMean) sum.div_(static_cast<double>(sequences));
      if (statistic_ == Statistic::kRms) sum.sqrt_();
      const auto open = open_.find(name);
      const size_t index = open->second;
      open_.erase(open);
      take(index, std::move(sum));
    }
  }

  // And zeros for those that have met none.
  void GiveRest(int64_t sequences, const TakeGradient& take) {
    Give(sequences, take);
    for (const auto& [name, index] : open_) take(index, Zeros(name));
    open_.clear();
  }

 private:
  using Sums = std::map<std::string, at::Tensor>;  // by name

  at::Tensor Zeros(const std::string& name) const {
    return at::zeros_like(model_.weights->tensors().at(name), at::kFloat,
                          at::MemoryFormat::Contiguous);
  }

  at::Tensor& SumOf(const std::string& name) {
    at::Tensor& sum = sums_[name];
    if (!sum.defined()) sum = Zeros(name);
    return sum;
  }

  // The open names that have met a gradient here or in another process, in their order.
  std::vector<std::string> NamesMet(const Sums& here) const {
    std::vector<std::string> names;
    if (open_.empty()) return names;
    at::Tensor met = at::zeros({static_cast<int64_t>(open_.size())}, at::kByte);
    uint8_t* flags = met.mutable_data_ptr<uint8_t>();
    for (const auto& [name, index] : open_) {
      *flags++ = here.contains(name);
      names.push_back(name);
    }
    const at::Tensor anywhere = model_.ranks->GatherRows(met).amax(0);
    size_t i = 0;
    std::erase_if(names, [&](const std::string&) { return anywhere[i++].item<uint8_t>() == 0; });
    return names;
  }

  // Lets `add` bring a gradient to where it belongs.
  template <typename AddTo>
  void Collect(const std::string& name, AddTo add) {
    at::Tensor& sum = SumOf(name);
    if (statistic_ == Statistic::kMean) return add(sum);  // a mean of parts is their sum
    if (in_parts_.contains(name)) {
      at::Tensor& part = parts_[name];
      if (!part.defined()) part = at::zeros_like(sum);
      return add(part);
    }
    at::Tensor gradient = at::zeros_like(sum);
    add(gradient);
    AddStatistic(sum, gradient);
  }

  void AddStatistic(at::Tensor& sum, const at::Tensor& gradient) const {
    sum.add_(statistic_ == Statistic::kRms ? gradient.square() : gradient.abs());
  }

  const Model& model_;
  std::set<std::string> in_parts_;
  Statistic statistic_;
  std::function<bool(const std::string&)> wanted_;
  std::map<std::string, size_t> open_;  // names whose statistic was not given away yet
  Sums sums_;   // of the passes since the last part ended
  Sums parts_;  // of the pass that runs, where a weight meets several gradients
  struct PartSums {
    int64_t parts = 0;
    Sums sums;
  };
  std::vector<PartSums> whole_;
};

// The sequences of one pass.
struct GradientBatch {
  PackedBatch packed;
  double share = 0;  // of a sequence in the mean
};

// fp32 [N]: d (mean NLL of a sequence) / d logp at each label, times the sequence's share.
at::Tensor SlopeOf(const GradientBatch& batch, at::Device device) {
  std::vector<float> slope;
  for (int64_t s = 0; s < batch.packed.segments.sequences(); ++s) {
    const int64_t labels = batch.packed.label_offsets[s + 1] - batch.packed.label_offsets[s];
    slope.insert(slope.end(), labels, static_cast<float>(-batch.share / static_cast<double>(labels)));
  }
  return Upload(at::tensor(slope), device);
}

// A few blocks at a time. Forward, the residual stream of every batch is kept before each group of
// blocks; the head goes back at once. Then, from the last group to the first, each batch is recorded
// again from the stream before the group, and goes back from the gradient of the stream after it.
// Every sum meets the batches in the same order as in one backward pass.
class GradientsByBlocks {
 public:
  GradientsByBlocks(const Model& model, StatisticSink& sink, int64_t blocks_at_a_time, bool on_host)
      : model_(model), sink_(sink), on_host_(on_host) {
    for (int64_t end = model.config.layers; end > 0; end -= blocks_at_a_time) {
      cuts_.insert(cuts_.begin(), std::max<int64_t>(0, end - blocks_at_a_time));
    }
    cuts_.push_back(model.config.layers);
    // The gradient of a tied head comes from both ends of the model, and batch by batch: it is taken
    // with the embedding's.
    const std::string& tied = model.embedding.name;
    if (tied == model.head.weight.name && sink.IsOpen(tied)) tied_ = tied;
  }

  // The forward pass of the next batch, and back through the head.
  void Add(GradientBatch batch) {
    batches_.push_back({.batch = std::move(batch)});
    Batch& last = batches_.back();
    sink_.WantOnly([this](const std::string& name) { return name != tied_; });
    const PassInParts pass(model_, last.batch.packed);
    at::Tensor stream = pass.Embed(&sink_).detach();
    for (size_t group = 0; group + 1 < cuts_.size(); ++group) {
      last.before.push_back(Put(stream));
      // Recorded like the pass that goes back, so that it takes the same kernels.
      stream = pass.Blocks(cuts_[group], cuts_[group + 1], Leaf(stream), &sink_).detach();
    }
    if (!tied_.empty()) last.after = Put(stream);
    last.gradient = Put(BackThroughHead(pass, last.batch, stream));
    sink_.EndPass();
  }

  // To be called after the batches of each part of a sum.
  void EndPart() {
    sink_.EndPart();
    part_ends_.push_back(batches_.size());
  }

  // Goes back through all batches, group by group, and gives away what is known after each.
  void Finish(int64_t sequences, const TakeGradient& take, const std::function<void()>& advance) {
    sink_.Give(sequences, take);
    for (size_t group = cuts_.size() - 1; group-- > 0 && sink_.open();) {
      ForEachBatch([&](Batch& batch) {
        const PassInParts pass(model_, batch.batch.packed);
        const at::Tensor leaf = Leaf(Fetch(batch.before.back()));
        batch.before.pop_back();
        const at::Tensor after = pass.Blocks(cuts_[group], cuts_[group + 1], leaf, &sink_);
        torch::autograd::backward({after}, {Fetch(batch.gradient)});
        batch.gradient = Put(leaf.grad());
        sink_.EndPass();
        advance();
      });
      sink_.Give(sequences, take);
    }
    if (sink_.open()) BackThroughEmbedding();
  }

 private:
  struct Batch {
    GradientBatch batch;
    std::vector<at::Tensor> before;  // of each group that did not go back yet, the stream: [T, d]
    at::Tensor after;                // the last block's, where the head goes back twice
    at::Tensor gradient;             // of the stream after the last group in `before`
  };

  template <typename Visit>
  void ForEachBatch(Visit visit) {
    size_t next = 0;
    for (const size_t end : part_ends_) {
      for (; next < end; ++next) {
        ThrowIfInterrupted();
        visit(batches_[next]);
      }
      sink_.EndPart();
    }
  }

  static at::Tensor Leaf(const at::Tensor& stream) { return stream.detach().requires_grad_(true); }
  at::Tensor Put(const at::Tensor& stream) const { return on_host_ ? stream.cpu() : stream; }
  at::Tensor Fetch(const at::Tensor& stream) const { return stream.to(model_.weights->device()); }

  // The gradient of the stream after the last block.
  at::Tensor BackThroughHead(const PassInParts& pass, const GradientBatch& batch,
                             const at::Tensor& stream) {
    const at::Tensor leaf = Leaf(stream);
    const LabelScores scores = pass.Score(leaf, &sink_);
    torch::autograd::backward({scores.logp}, {SlopeOf(batch, scores.logp.device())});
    return leaf.grad();
  }

  void BackThroughEmbedding() {
    ForEachBatch([&](Batch& batch) {
      const PassInParts pass(model_, batch.batch.packed);
      if (!tied_.empty()) {
        sink_.WantOnly([this](const std::string& name) { return name == tied_; });
        BackThroughHead(pass, batch.batch, Fetch(batch.after));
      }
      sink_.WantOnly({});
      torch::autograd::backward({pass.Embed(&sink_)}, {Fetch(batch.gradient)});
      sink_.EndPass();
    });
  }

  const Model& model_;
  StatisticSink& sink_;
  bool on_host_;
  std::vector<int64_t> cuts_;  // ascending: group i is the blocks cuts_[i] .. cuts_[i + 1]
  std::string tied_;           // a wanted weight that is both embedding and head; else empty
  std::vector<Batch> batches_;
  std::vector<size_t> part_ends_;  // of each part of a sum, the number after its last batch
};

}  // namespace

void VisitGradients(const Model& model, std::span<const Sequence* const> sequences,
                    const std::vector<std::string>& names, const GradientPassOptions& options,
                    const TakeGradient& take) {
  StatisticSink sink(model, names, options.statistic);
  const bool per_sequence = options.statistic != Statistic::kMean;
  const auto count = static_cast<int64_t>(sequences.size());
  const auto passes = PlanPasses(sequences, per_sequence ? 1 : options.pass_tokens);
  std::vector<int64_t> costs;
  for (const auto& pass : passes) {
    costs.push_back(0);
    for (const int64_t i : pass) costs.back() += sequences[i]->length();
  }
  const auto dealt = DealOut(costs, model.ranks->parts());
  const auto [first_part, last_part] = model.ranks->own_parts();
  int64_t own_passes = 0;
  for (int64_t part = first_part; part < last_part; ++part) {
    own_passes += static_cast<int64_t>(dealt[part].size());
  }
  const int64_t layers = model.config.layers, group = options.blocks_at_a_time;
  std::optional<GradientsByBlocks> by_blocks;
  if (group > 0 && group < layers) {
    by_blocks.emplace(model, sink, group, options.streams_on_host);
  }
  std::optional<Progress> progress;
  if (!options.progress.empty()) {
    const int64_t rounds = by_blocks ? 1 + (layers + group - 1) / group : 1;
    progress.emplace(options.progress, own_passes * rounds);
  }
  const auto advance = [&] {
    if (progress) progress->Add(1);
  };
  const auto add = [&](int64_t number) {
    // The mean over sequences is taken here for the signed statistic and at the end for the others.
    GradientBatch batch{.packed = Pack(Select(sequences, passes[number]), model.weights->device()),
                        .share = per_sequence ? 1.0 : 1.0 / static_cast<double>(count)};
    if (by_blocks) return by_blocks->Add(std::move(batch));
    const LabelScores scores = ScoreBatch(model, batch.packed, &sink);
    torch::autograd::backward({scores.logp}, {SlopeOf(batch, scores.logp.device())});
    sink.EndPass();
  };
  for (int64_t part = first_part; part < last_part; ++part) {
    for (const int64_t number : dealt[part]) {
      ThrowIfInterrupted();
      add(number);
      advance();
    }
    by_blocks ? by_blocks->EndPart() : sink.EndPart();
  }
  if (by_blocks) by_blocks->Finish(count, take, advance);
  sink.GiveRest(count, take);
}

std::vector<ScoreTensor> AccumulateGradients(const Model& model,
                                             std::span<const Sequence* const> sequences,
                                             const std::vector<std::string>& names,
                                             const GradientPassOptions& options) {
  std::vector<ScoreTensor> gradients(names.size());
  VisitGradients(model, sequences, names, options, [&](size_t index, at::Tensor values) {
    gradients[index] = {names[index], std::move(values)};
  });
  return gradients;
}

}  // namespace grin
