#include "grin/base/interrupt.h"

#include "grin/base/error.h"
#include "grin/base/listener.h"

namespace grin {

bool Interrupted() {
  const Listener* listener = CurrentListener();
  return listener && listener->cancelled && listener->cancelled();
}

void ThrowIfInterrupted() {
  if (Interrupted()) {
    throw Error(ErrorClass::kInterrupted, "grin", "interrupted; nothing half-written was left");
  }
}

}  // namespace grin
