#include "grin/base/digest.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "grin/base/error.h"

namespace grin {
namespace {

std::string FileDigest(const std::filesystem::path& path, const EVP_MD* method,
                       std::string_view head) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), method, nullptr) != 1) {
    Defect("io", "OpenSSL has no such digest");
  }
  EVP_DigestUpdate(context.get(), head.data(), head.size());
  std::ifstream in(path, std::ios::binary);
  if (!in) BadInput("io", "{}: cannot be read: {}", path.string(), std::strerror(errno));
  std::vector<char> buffer(size_t{1} << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<size_t>(in.gcount()));
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace

std::string FileSha256(const std::filesystem::path& path) {
  return FileDigest(path, EVP_sha256(), {});
}

std::string FileGitSha1(const std::filesystem::path& path) {
  std::string head = fmt::format("blob {}", std::filesystem::file_size(path));
  head += '\0';
  return FileDigest(path, EVP_sha1(), head);
}

}  // namespace grin
