#include "grin/io/compress.h"

#include <zstd.h>

#include "grin/base/error.h"

namespace grin {

std::string CompressZstd(std::string_view bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size)) Defect("io", "Zstandard: {}", ZSTD_getErrorName(size));
  packed.resize(size);
  return packed;
}

}  // namespace grin
