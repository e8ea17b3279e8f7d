#include "grin/base/version.h"

namespace grin {

std::string Version() { return GRIN_VERSION " (" GRIN_REVISION ")"; }

}  // namespace grin
