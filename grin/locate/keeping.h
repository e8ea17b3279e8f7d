#pragma once
// How locating keeps within memory. What it holds of every scored weight is at most two numbers in
// fp32; they may come block by block, and lie elsewhere than where the model computes. The mask is
// the same to the bit, whatever is chosen here.

#include <ATen/ATen.h>

#include <cstdint>
#include <deque>
#include <memory>

#include "grin/io/scratch_file.h"
#include "grin/model/device.h"

namespace grin {

// Where the numbers of a weight wait for those of the others.
enum class KeepPlace {
  kInPlace,  // where they were computed
  kHost,     // in the host's memory
  kFile,     // in a file without a name in TMPDIR, mapped
};

struct LocateMemory {
  // Gradients of so many blocks are summed up at one time, from the last block down to the first,
  // and the residual stream is kept between these parts. Costs one more forward pass, whatever the
  // number. 0: those of all weights, in one backward pass per batch.
  int64_t blocks_at_a_time = 0;
  bool streams_on_host = false;  // the streams between the parts, of all batches
  KeepPlace keep = KeepPlace::kInPlace;

  bool operator==(const LocateMemory&) const = default;
};

// Puts tensors where they are to be kept.
class Keeper {
 public:
  explicit Keeper(KeepPlace place);

  // fp32, contiguous, in the shape of `values`; `values` itself where it may stay. What comes from
  // a device is there after Finish.
  at::Tensor Keep(const at::Tensor& values);

  // Waits for what is still on its way.
  void Finish();

 private:
  struct OnItsWay {
    at::Tensor kept;
    PendingDownload download;
  };

  at::Tensor Room(const at::Tensor& values);
  void Put(at::Tensor kept, const at::Tensor& values) const;
  void PutOldest();

  KeepPlace place_;
  std::unique_ptr<ScratchFile> file_;
  // The device goes on while the host stores what came before: no more than kMostOnItsWay bytes.
  std::deque<OnItsWay> on_its_way_;
  int64_t bytes_on_its_way_ = 0;
};

}  // namespace grin
