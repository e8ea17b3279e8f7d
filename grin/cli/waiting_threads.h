#pragma once
// How OpenMP's threads wait for each other.

namespace grin {

// Lets a thread that waits sleep after some microseconds, by GOMP_SPINCOUNT, unless the user has
// set that or OMP_WAIT_POLICY. By default it spins for milliseconds: on a machine that has other
// work, each of our threads then holds a core while it waits for the one that has none.
//
// libgomp reads its environment in its constructor, so this runs before any constructor (as an
// entry of .preinit_array) and starts the program again with the variable set. Does nothing where
// that fails.
void LimitSpinning(int argc, char** argv, char** environment);

}  // namespace grin
