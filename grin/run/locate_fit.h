#pragma once
// How locating is made to fit: what is held at one time and where, and how much that takes. The
// mask does not depend on it, so that a run with a budget ends as one without.

#include <cstdint>
#include <optional>
#include <string>

#include "grin/data/task.h"
#include "grin/locate/locate.h"
#include "grin/model/decoder.h"

namespace grin {

// What locating has to go through.
struct LocateWork {
  // Of a sample that gradients are taken over.
  struct Sample {
    int64_t tokens = 0, labels = 0;
  };
  Sample forget, retain;
  int64_t longest = 0;  // tokens of the longest sequence in both
};

// `seed` draws the samples, as in Locate.
LocateWork LocateWorkOf(const Task& task, const LocateOptions& options, uint64_t seed);

struct LocateFit {
  LocateMemory memory;
  int64_t pass_tokens = 0;
  // Bytes beside the weights: where the model computes, and on the host if that is elsewhere.
  int64_t device_bytes = 0, host_bytes = 0;
  int64_t file_bytes = 0;
};

// Bytes that Locate takes so.
LocateFit MeasureLocate(const Model& model, const LocateOptions& options, const LocateWork& work,
                        const LocateMemory& memory, int64_t pass_tokens);

// The fastest way that takes at most `room` bytes beside the weights, or the least that there is
// where none does. Without a room everything is held in place. Passes get smaller only where
// nothing else helps: other passes round other sums. `host_room` bytes are free on the host.
LocateFit FitLocate(const Model& model, const LocateOptions& options, const LocateWork& work,
                    std::optional<int64_t> room, std::optional<int64_t> host_room);

// "gradients of 4 of 32 blocks at a time, the others' on the host"; empty where all is in place.
std::string DescribeFit(const Model& model, const LocateMemory& memory);

}  // namespace grin
