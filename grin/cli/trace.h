#pragma once
// What a command spends its time on, for those who make it faster: with GRIN_TRACE=FILE in the
// environment, every operator of LibTorch and every kernel of a card, with its times, in the JSON of
// Chrome's trace viewer (also read by ui.perfetto.dev). Slows the command down, and takes some hundred
// bytes for each operator: for short runs.

namespace grin {

class Trace {
 public:
  // Begins where the variable is set. Error (usage) for a place that cannot be written to.
  Trace();
  // Writes the file.
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

 private:
  const char* path_;
};

}  // namespace grin
