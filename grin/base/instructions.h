#pragma once
// One loop, compiled for several sets of vector instructions. The best one that the processor has
// is chosen when the program runs.

namespace grin {

#if defined(__x86_64__)
enum class Instructions { kPlain, kAvx2, kAvx512 };

inline Instructions BestInstructions() {
  static const Instructions best = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return Instructions::kAvx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Instructions::kAvx2;
    return Instructions::kPlain;
  }();
  return best;
}

template <typename Body>
__attribute__((target("avx2,fma"))) void CallWithAvx2(const Body& body) {
  body();
}

template <typename Body>
__attribute__((target("avx512f,prefer-vector-width=512"))) void CallWithAvx512(const Body& body) {
  body();
}
#endif

// Calls body(). It, and what it calls, must be always_inline, for only what becomes part of the
// functions above is compiled for their instructions:
//   WithBestInstructions([&]() GRIN_INLINE { loop(...); });
template <typename Body>
void WithBestInstructions(const Body& body) {
#if defined(__x86_64__)
  switch (BestInstructions()) {
    case Instructions::kAvx512:
      return CallWithAvx512(body);
    case Instructions::kAvx2:
      return CallWithAvx2(body);
    case Instructions::kPlain:
      break;
  }
#endif
  body();
}

#define GRIN_INLINE __attribute__((always_inline))

}  // namespace grin
