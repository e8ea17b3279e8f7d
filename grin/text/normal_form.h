#pragma once
// Unicode normal forms that keep track of where each character came from.

#include "grin/text/aligned_text.h"

namespace grin {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// By the tables of Unicode 9, like the `tokenizers` package: characters that came later neither
// decompose nor compose nor move.
void Normalize(AlignedText& text, NormalForm form);

}  // namespace grin
