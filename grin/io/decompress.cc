#include "grin/io/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "grin/base/error.h"

namespace grin {
namespace {

constexpr size_t kChunk = size_t{1} << 18;

// A zlib stream over `packed`. zlib counts in 32 bits, so input is handed over piece by piece.
class Inflater {
 public:
  Inflater(std::string_view packed, int window_bits) : rest_(packed) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) Defect("io", "zlib cannot be started");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Unpacks into [out, out + size) and returns how much came. zlib's code is left in `code`.
  size_t Read(char* out, size_t size, int& code) {
    Refill();
    const auto wanted = static_cast<uInt>(std::min<size_t>(size, kChunk));
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = wanted;
    code = inflate(&stream_, Z_NO_FLUSH);
    return wanted - stream_.avail_out;
  }

  bool AtEnd() {
    Refill();
    return stream_.avail_in == 0;
  }

  // What follows the stream that has ended.
  std::string_view Rest() const {
    return {reinterpret_cast<const char*>(stream_.next_in), stream_.avail_in + rest_.size()};
  }

 private:
  void Refill() {
    if (stream_.avail_in > 0 || rest_.empty()) return;
    const size_t count = std::min<size_t>(rest_.size(), std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
    stream_.avail_in = static_cast<uInt>(count);
    rest_.remove_prefix(count);
  }

  z_stream stream_{};
  std::string_view rest_;
};

}  // namespace

bool IsGzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

bool IsZstd(std::string_view bytes) { return bytes.starts_with("\x28\xb5\x2f\xfd"); }

std::string Gunzip(std::string_view packed, std::string_view file) {
  constexpr int kGzip = 15 + 16;
  std::string text;
  // Zeros behind the last member are padding, as of tapes.
  while (packed.find_first_not_of('\0') != std::string_view::npos) {
    Inflater inflater(packed, kGzip);
    int code = Z_OK;
    while (code != Z_STREAM_END) {
      const size_t before = text.size();
      text.resize(before + kChunk);
      const size_t count = inflater.Read(text.data() + before, kChunk, code);
      text.resize(before + count);
      if (code == Z_BUF_ERROR || (code == Z_OK && count == 0 && inflater.AtEnd())) {
        BadInput("io", "{}: the gzip data end too early: the file is cut off", file);
      }
      if (code != Z_OK && code != Z_STREAM_END) {
        BadInput("io", "{}: the gzip data are damaged after {} unpacked bytes", file, text.size());
      }
    }
    packed = inflater.Rest();
  }
  return text;
}

std::string Unzstd(std::string_view packed, std::string_view file) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  if (!context) Defect("io", "Zstandard cannot be started");
  std::string text;
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  size_t state = 0;  // 0 when a frame is complete
  bool more = !packed.empty();
  while (more) {
    const size_t before = text.size();
    text.resize(before + kChunk);
    ZSTD_outBuffer out = {text.data() + before, kChunk, 0};
    state = ZSTD_decompressStream(context.get(), &out, &in);
    text.resize(before + out.pos);
    if (ZSTD_isError(state)) {
      BadInput("io", "{}: the Zstandard data are damaged after {} unpacked bytes: {}", file,
               text.size(), ZSTD_getErrorName(state));
    }
    more = in.pos < in.size || out.pos == out.size;
  }
  if (state != 0) {
    BadInput("io", "{}: the Zstandard data end too early: the file is cut off", file);
  }
  return text;
}

std::string Inflate(std::string_view packed, size_t size, std::string_view where) {
  // Deflate packs at most 1032 to 1; a size beyond that is damage, and must not be allocated.
  constexpr size_t kMostRatio = 1032;
  if (size / kMostRatio > packed.size()) {
    BadInput("io", "{}: {} bytes cannot unpack to {}", where, packed.size(), size);
  }
  constexpr int kRaw = -15;
  Inflater inflater(packed, kRaw);
  std::string text(size + 1, '\0');  // one more, to notice data that go on
  size_t count = 0;
  int code = Z_OK;
  while (code == Z_OK && count < text.size()) {
    const size_t more = inflater.Read(text.data() + count, text.size() - count, code);
    if (more == 0 && inflater.AtEnd()) break;
    count += more;
  }
  if (code != Z_STREAM_END || count != size) {
    BadInput("io", "{}: the deflate data are damaged: they do not unpack to {} bytes", where, size);
  }
  text.resize(size);
  return text;
}

}  // namespace grin
