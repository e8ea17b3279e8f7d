#pragma once
// Environment variables that libraries read before main() begins.

namespace grin {

// Starts the program again with these variables, unless the user has set them:
//
// GOMP_SPINCOUNT, where OMP_WAIT_POLICY is not set either: lets one of OpenMP's threads that waits
// sleep after some microseconds. By default it spins for milliseconds: on a machine that has other
// work, each of our threads then holds a core while it waits for the one that has none.
//
// MIMALLOC_DECOMMIT_DELAY: freed memory goes back to the system after a second, not after 25
// milliseconds. A pass over a batch takes longer than those, and the next one would get all of its
// memory as fresh pages, which the system has to clear.
//
// TORCH_CPP_LOG_LEVEL: LibTorch's warnings are meant for its developers.
//
// PYTORCH_CUDA_ALLOC_CONF: memory of a card in segments that grow, so that freed pieces of one size
// serve another.
//
// GLIBC_TUNABLES, where GRIN_INSTRUCTIONS is "plain" or "avx2": the C library's own functions, such
// as memcpy, then keep to that as well (see base/processor.h for all the others).
//
// libgomp, mimalloc and the C library read theirs while the program is loaded, so this runs before any
// constructor (as an entry of .preinit_array). Does nothing where starting again fails.
void SetEarlyVariables(int argc, char** argv, char** environment);

}  // namespace grin
