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

std::shared_ptr<EVP_MD_CTX> StartDigest(const EVP_MD* method) {
  std::shared_ptr<EVP_MD_CTX> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), method, nullptr) != 1) {
    Defect("io", "OpenSSL has no such digest");
  }
  return context;
}

std::string FinishDigest(EVP_MD_CTX* context) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context, digest, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string FileDigest(const std::filesystem::path& path, const EVP_MD* method,
                       std::string_view head) {
  const auto context = StartDigest(method);
  EVP_DigestUpdate(context.get(), head.data(), head.size());
  std::ifstream in(path, std::ios::binary);
  if (!in) BadInput("io", "{}: cannot be read: {}", path.string(), std::strerror(errno));
  std::vector<char> buffer(size_t{1} << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<size_t>(in.gcount()));
  }
  return FinishDigest(context.get());
}

}  // namespace

Sha256::Sha256() : context_(StartDigest(EVP_sha256())) {}

void Sha256::Add(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_.get()), bytes.data(), bytes.size());
}

std::string Sha256::Finish() { return FinishDigest(static_cast<EVP_MD_CTX*>(context_.get())); }

std::string FileSha256(const std::filesystem::path& path) {
  return FileDigest(path, EVP_sha256(), {});
}

std::string FileGitSha1(const std::filesystem::path& path) {
  std::string head = fmt::format("blob {}", std::filesystem::file_size(path));
  head += '\0';
  return FileDigest(path, EVP_sha1(), head);
}

}  // namespace grin
