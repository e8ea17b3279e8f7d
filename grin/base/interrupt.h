#pragma once
// A call ends between two steps of work once its listener says so, so that it leaves things tidy.

namespace grin {

// Whether the calling thread's listener wants the work to end.
bool Interrupted();

// Throws an Error of class kInterrupted once it does.
void ThrowIfInterrupted();

}  // namespace grin
