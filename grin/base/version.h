#pragma once

#include <string>

namespace grin {

// The version, with the revision it was built from.
std::string Version();

}  // namespace grin
