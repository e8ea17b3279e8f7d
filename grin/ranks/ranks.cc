#include "grin/ranks/ranks.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "grin/base/stopwatch.h"
#include "grin/ranks/group.h"

namespace grin {
namespace {

using namespace std::chrono_literals;

// Numbers of a sum that travel at one time.
constexpr int64_t kChunk = int64_t{1} << 22;
// How long one process may be ahead of another, which may load a model or write a checkpoint
// meanwhile.
constexpr auto kPatience = 60min;

// The rows begin .. end of `values` as the leaves of a tree whose left half is a power of two.
at::Tensor TreeSum(const at::Tensor& values, int64_t begin, int64_t end) {
  if (end - begin == 1) return values.select(0, begin);
  int64_t left = 1;
  while (2 * left < end - begin) left *= 2;
  return TreeSum(values, begin, begin + left).add(TreeSum(values, begin + left, end));
}

at::Tensor BytesOfTensor(const at::Tensor& values) { return values.view(at::kByte); }

at::Tensor TensorOfBytes(std::string_view bytes) {
  const at::Tensor tensor = at::empty({static_cast<int64_t>(bytes.size())}, at::kByte);
  if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

std::string BytesIn(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace

struct Ranks::Group {
  RankPlace place;
  c10::intrusive_ptr<c10d::Store> stores[2];  // of the watch, and of the process group
  std::unique_ptr<PrefixedStore> watched;
  std::unique_ptr<RankWatch> watch;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;

  ~Group() {
    // What a process group still waits for will not come after a failure, and it would wait on.
    if (watch && watch->failed()) gloo.release();
  }

  [[noreturn]] void ThrowFailure() const {
    const RankFailure failure = *watch->failure();
    const size_t room = failure.message.find("] ");
    const bool named = failure.message.starts_with("[") && room != std::string::npos;
    throw Error(failure.error_class, named ? failure.message.substr(1, room - 1) : "ranks",
                named ? failure.message.substr(room + 2) : failure.message);
  }

  // A lost connection is seen at once by those that use it, and its cause a little later.
  [[noreturn]] void ThrowLost(const std::string& what) const {
    watch->Suspect();
    const Stopwatch clock;
    while (!watch->failed() && clock.seconds() < kSilenceSeconds + 2) ::usleep(20000);
    if (watch->failed()) ThrowFailure();
    throw Error(ErrorClass::kInterrupted, "ranks",
                fmt::format("rank {} of {} lost its connection to others: {}", place.rank,
                            place.world, what.substr(0, what.find('\n'))));
  }

  void Wait(const c10::intrusive_ptr<c10d::Work>& work) const {
    struct Done {
      std::mutex mutex;
      std::condition_variable changed;
      bool done = false;
    };
    const auto done = std::make_shared<Done>();
    const auto future = work->getFuture();
    future->addCallback([done](c10::ivalue::Future&) {
      const std::lock_guard lock(done->mutex);
      done->done = true;
      done->changed.notify_all();
    });
    std::unique_lock lock(done->mutex);
    while (!done->changed.wait_for(lock, 50ms, [&] { return done->done; })) {
      if (watch->failed()) ThrowFailure();
    }
    if (future->hasError()) ThrowLost(future->tryRetrieveErrorMessage());
  }
};

std::shared_ptr<const Ranks> OneProcess() {
  static const auto alone = std::make_shared<const Ranks>();
  return alone;
}

Ranks::Ranks(const SumRule& rule) : rule_(rule), parts_(rule.deterministic ? SumRule::kParts : 1) {}

Ranks::Ranks(const RankPlace& place, const SumRule& rule)
    : rule_(rule),
      rank_(place.rank),
      world_(place.world),
      parts_(rule.deterministic ? SumRule::kParts : place.world),
      group_(std::make_unique<Group>()) {
  group_->place = place;
}

void Ranks::Join() {
  if (alone()) return;
  if (rule_.deterministic && SumRule::kParts % world_ != 0) {
    BadUsage("ranks",
             "--deterministic is for 1, 2, 4 or 8 processes, and these are {}; start so many, or "
             "leave it out",
             world_);
  }
  if (rule_.deterministic && rule_.narrow) {
    BadUsage("ranks",
             "--deterministic and --reduce bf16 exclude each other: what is rounded on its way "
             "depends on the number of processes");
  }
  const RankPlace& place = group_->place;
  group_->stores[0] = ConnectStore(place, place.opens_store);
  group_->stores[1] = ConnectStore(place, false);
  group_->watched = std::make_unique<PrefixedStore>(group_->stores[0]);
  RankWatch::Announce(*group_->watched, place);
  group_->watch = std::make_unique<RankWatch>(*group_->watched, place);
  group_->watch->on_stuck = [rank = rank_](const RankFailure& failure) {
    if (failure.speaker == rank) std::fprintf(stderr, "error: %s\n", failure.message.c_str());
    std::fflush(nullptr);
    ::_exit(static_cast<int>(failure.error_class));
  };
  PrefixedStore store(group_->stores[1]);
  try {
    store.Add("joined", 1);
    WaitForAll(store, place, [this] { return failed(); });
    if (failed()) group_->ThrowFailure();
    group_->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
        c10::make_intrusive<c10d::PrefixStore>("gloo", group_->stores[1]), static_cast<int>(rank_),
        static_cast<int>(world_), c10d::ProcessGroupGloo::Options::create_default(kPatience));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    group_->ThrowLost(error.what());
  }
  FindNeighbours();
}

Ranks::~Ranks() = default;

void Ranks::FindNeighbours() {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  const auto hosts = Gather(host);
  local_world_ = std::ranges::count(hosts, hosts[rank_]);
  local_rank_ = group_->place.local_rank.value_or(
      std::count(hosts.begin(), hosts.begin() + rank_, hosts[rank_]));
}

Ranks::Parts Ranks::own_parts() const {
  const int64_t each = parts_ / world_;
  return {rank_ * each, (rank_ + 1) * each};
}

// All to all: piece r of `send` goes to rank r. Else all of `send` goes to everyone. Bytes,
// contiguous.
void Ranks::CopyAcross(at::Tensor& send, at::Tensor& received, bool all_to_all) const {
  std::vector<int64_t> even;
  try {
    group_->Wait(all_to_all ? group_->gloo->alltoall_base(received, send, even, even)
                            : group_->gloo->_allgather_base(received, send));
  } catch (const c10::Error& error) {
    group_->ThrowLost(error.what_without_backtrace());
  }
  bytes_sent_ += all_to_all ? send.numel() / world_ * (world_ - 1) : send.numel() * (world_ - 1);
}

void Ranks::Sum(at::Tensor& values) const {
  if (alone()) return;
  if (values.scalar_type() != at::kFloat || !values.is_contiguous()) {
    Defect("ranks", "a sum of {} that {} contiguous", c10::toString(values.scalar_type()),
           values.is_contiguous() ? "is" : "is not");
  }
  const at::NoGradGuard no_grad;
  const at::ScalarType wire = rule_.narrow ? at::kBFloat16 : at::kFloat;
  at::Tensor flat = values.view({-1});
  for (int64_t begin = 0; begin < flat.numel(); begin += kChunk) {
    const int64_t count = std::min(kChunk, flat.numel() - begin);
    const int64_t piece = (count + world_ - 1) / world_;  // which one process adds
    at::Tensor all = at::zeros({world_ * piece}, wire);
    all.narrow(0, 0, count).copy_(flat.narrow(0, begin, count));
    at::Tensor addends = at::empty_like(all);
    at::Tensor from = BytesOfTensor(all), to = BytesOfTensor(addends);
    CopyAcross(from, to, /*all_to_all=*/true);
    at::Tensor sum =
        TreeSum(addends.view({world_, piece}).to(at::kFloat), 0, world_).to(wire).contiguous();
    at::Tensor own = BytesOfTensor(sum);
    CopyAcross(own, from, /*all_to_all=*/false);
    flat.narrow(0, begin, count).copy_(all.narrow(0, 0, count));
  }
}

at::Tensor Ranks::GatherRows(const at::Tensor& row) const {
  const at::Tensor own = row.detach().cpu().contiguous().view({-1});
  if (alone()) return own.unsqueeze(0);
  at::Tensor rows = at::empty({world_, own.numel()}, own.options());
  if (own.numel() == 0) return rows;
  at::Tensor from = BytesOfTensor(own), to = BytesOfTensor(rows.view({-1}));
  CopyAcross(from, to, /*all_to_all=*/false);
  return rows;
}

std::vector<std::string> Ranks::Gather(std::string_view own) const {
  if (alone()) return {std::string(own)};
  const at::Tensor sizes =
      GatherRows(at::scalar_tensor(static_cast<int64_t>(own.size()), at::kLong)).view({-1});
  const int64_t longest = sizes.max().item<int64_t>();
  at::Tensor padded = at::zeros({longest}, at::kByte);
  padded.narrow(0, 0, static_cast<int64_t>(own.size())).copy_(TensorOfBytes(own));
  const at::Tensor rows = GatherRows(padded);
  std::vector<std::string> all;
  for (int64_t rank = 0; rank < world_; ++rank) {
    all.push_back(BytesIn(rows.select(0, rank).narrow(0, 0, sizes[rank].item<int64_t>())));
  }
  return all;
}

std::string Ranks::Broadcast(std::string_view of_first) const {
  if (alone()) return std::string(of_first);
  at::Tensor size =
      at::scalar_tensor(static_cast<int64_t>(first() ? of_first.size() : 0), at::kLong);
  Broadcast(size);
  at::Tensor bytes =
      first() ? TensorOfBytes(of_first) : at::empty({size.item<int64_t>()}, at::kByte);
  Broadcast(bytes);
  return BytesIn(bytes);
}

void Ranks::Broadcast(at::Tensor& values) const {
  if (alone() || values.numel() == 0) return;
  const at::NoGradGuard no_grad;
  const at::Tensor host = values.cpu().contiguous();
  std::vector<at::Tensor> bytes = {BytesOfTensor(host.view({-1}))};
  try {
    group_->Wait(group_->gloo->broadcast(bytes));
  } catch (const c10::Error& error) {
    group_->ThrowLost(error.what_without_backtrace());
  }
  if (first()) {
    bytes_sent_ += bytes[0].numel() * (world_ - 1);
  } else {
    values.copy_(host);
  }
}

bool Ranks::Any(bool here) const {
  if (alone()) return here;
  return GatherRows(at::scalar_tensor(here ? 1 : 0, at::kByte)).any().item<bool>();
}

void Ranks::Barrier() const {
  if (!alone()) Any(false);
}

bool Ranks::failed() const { return group_ && group_->watch && group_->watch->failed(); }

void Ranks::End() {
  if (alone()) return;
  Barrier();
  group_->watch->End();
}

Ranks::LastWord Ranks::Fail(ErrorClass error_class, const std::string& message) {
  LastWord own{message, static_cast<int>(error_class)};
  if (alone()) return own;
  if (!group_->watch) {  // the processes have not met: what is wrong with the settings rank 0 tells
    if (!first() && error_class != ErrorClass::kInterrupted) own.message.reset();
    return own;
  }
  // What is wrong on all of them rank 0 tells, if it can.
  const Stopwatch clock;
  while (!first() && !failed() && clock.seconds() < 0.5) ::usleep(10000);
  const bool mine = !failed();
  const RankFailure failure = group_->watch->Fail(error_class, message);
  group_->watch->End();
  if (failure.speaker != rank_) return {std::nullopt, static_cast<int>(failure.error_class)};
  own.code = static_cast<int>(failure.error_class);
  if (mine && failure.message == message) {
    if (rank_ > 0) own.message = fmt::format("{} (rank {} of {})", message, rank_, world_);
    return own;
  }
  // Another one's end; how to go on is said by this one's.
  const size_t advice = message.find(';');
  own.message = failure.message;
  if (error_class == ErrorClass::kInterrupted && message.find("--resume") != std::string::npos) {
    own.message = failure.message.substr(0, failure.message.rfind(';')) + message.substr(advice);
  }
  return own;
}

}  // namespace grin
