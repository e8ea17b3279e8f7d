#pragma once
// LibTorch's process group behind Ranks. Included by the room's own sources only.

#include <c10/util/intrusive_ptr.h>

#include <memory>
#include <string>

#include "grin/ranks/place.h"
#include "grin/ranks/watch.h"

#ifndef USE_C10D_GLOO  // as the library was built
#define USE_C10D_GLOO
#endif
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace grin {

// Keys of this start of the run in a store of LibTorch's.
class PrefixedStore : public RankStore {
 public:
  explicit PrefixedStore(c10::intrusive_ptr<c10d::Store> store) : store_(std::move(store)) {}

  int64_t Add(const std::string& key, int64_t more) override;
  std::optional<std::string> Find(const std::string& key) override;
  std::string SetFirst(const std::string& key, const std::string& value) override;

 private:
  c10::intrusive_ptr<c10d::Store> store_;
};

// The store, opened by rank 0; a connection of its own for each call. Error (interrupted) where it
// cannot be reached, (usage) where the port is taken.
c10::intrusive_ptr<c10d::Store> ConnectStore(const RankPlace& place, bool opens);

// Waits until every process has joined, or `given_up` says so. Error (interrupted) after two
// minutes.
void WaitForAll(RankStore& store, const RankPlace& place, const std::function<bool()>& given_up);

}  // namespace grin
