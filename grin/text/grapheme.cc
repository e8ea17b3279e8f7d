#include "grin/text/grapheme.h"

#include <unicode/uchar.h>

#include "grin/base/utf8.h"
#include "grin/text/character_class.h"

namespace grin {
namespace {

int ClassOf(char32_t character) {
  if (character >= 0x20 && character < 0x7f) return U_GCB_OTHER;
  return u_getIntPropertyValue(static_cast<UChar32>(OlderStandIn(character)),
                               UCHAR_GRAPHEME_CLUSTER_BREAK);
}

bool IsPictograph(char32_t character) {
  return character >= 0x80 &&
         u_hasBinaryProperty(static_cast<UChar32>(character), UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool IsControlClass(int c) { return c == U_GCB_CONTROL || c == U_GCB_CR || c == U_GCB_LF; }

// Hangul syllables stay together (GB6 to GB8).
bool JoinsHangul(int left, int right) {
  switch (left) {
    case U_GCB_L:
      return right == U_GCB_L || right == U_GCB_V || right == U_GCB_LV || right == U_GCB_LVT;
    case U_GCB_LV:
    case U_GCB_V:
      return right == U_GCB_V || right == U_GCB_T;
    case U_GCB_LVT:
    case U_GCB_T:
      return right == U_GCB_T;
    default:
      return false;
  }
}

}  // namespace

size_t GraphemeEnd(std::string_view text, size_t position) {
  char32_t character = NextCharacter(text, position);
  int left = ClassOf(character);
  bool after_pictograph = IsPictograph(character);  // and extenders behind it
  int indicators = left == U_GCB_REGIONAL_INDICATOR;
  while (position < text.size()) {
    size_t next = position;
    character = NextCharacter(text, next);
    const int right = ClassOf(character);
    const bool pictograph = IsPictograph(character);
    bool joins = false;
    if (left == U_GCB_CR) {
      joins = right == U_GCB_LF;
    } else if (!IsControlClass(left) && !IsControlClass(right)) {
      joins = right == U_GCB_EXTEND || right == U_GCB_ZWJ || right == U_GCB_SPACING_MARK ||
              left == U_GCB_PREPEND || JoinsHangul(left, right) ||
              (left == U_GCB_ZWJ && after_pictograph && pictograph) ||
              (left == U_GCB_REGIONAL_INDICATOR && right == left && indicators == 1);
    }
    if (!joins) break;
    after_pictograph =
        pictograph || (after_pictograph && (right == U_GCB_EXTEND || right == U_GCB_ZWJ));
    if (right == U_GCB_REGIONAL_INDICATOR) ++indicators;
    left = right;
    position = next;
  }
  return position;
}

}  // namespace grin
