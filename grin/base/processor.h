#pragma once
// The processor, as the rest of the program sees it: which vector instructions hand-written kernels
// and the libraries below them may use. No other file asks the processor anything.
//
// The environment variable GRIN_INSTRUCTIONS lowers the choice: "plain" (what every processor of
// the architecture has), "avx2" or "avx512". A name above what the machine has stands for its best.
// The variable is read once, before main(), and handed on to LibTorch, oneDNN and MKL.

#include <string>
#include <string_view>

namespace grin {

enum class Instructions { kPlain, kAvx2, kAvx512 };

// What kernels use: the best that the processor has and GRIN_INSTRUCTIONS allows. On processors
// other than x86 always kPlain, where kernels are compiled for what every such processor has.
Instructions InstructionsInUse();

// "plain", "avx2", "avx512"
std::string_view InstructionsName(Instructions instructions);

// "AMD EPYC 9B14, avx512": what a result's last bits depend on besides its settings.
std::string ProcessorName();

// Throws an Error of class kUsage if GRIN_INSTRUCTIONS has a value that is none of these names.
void CheckInstructions();

}  // namespace grin
