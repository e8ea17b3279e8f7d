#pragma once
// Tells whether two evaluations were of the same model.

#include <string>

#include "grin/io/checkpoint.h"

namespace grin {

// A fingerprint of config.json and of every byte of the weight files, as 16 hexadecimal digits; not
// for security. The same weights in other files (shards, types, GGUF) have another one. Reads the
// files once, without keeping them in memory. Error (bad input) when one cannot be read.
std::string ModelFingerprint(const Checkpoint& checkpoint);

}  // namespace grin
