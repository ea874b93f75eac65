#include "formats/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/file.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    if (context_ == nullptr || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      refuse();
  }

  void add(std::span<const std::byte> bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) refuse();
  }

  std::string hex() {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_.get(), raw, &size) != 1) refuse();
    std::string out;
    for (unsigned i = 0; i < size; ++i) {
      out += "0123456789abcdef"[raw[i] >> 4];
      out += "0123456789abcdef"[raw[i] & 15];
    }
    return out;
  }

 private:
  [[noreturn]] static void refuse() {
    throw Error(ErrorCode::kInternal, "libcrypto refused to compute SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256(std::span<const std::byte> bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.hex();
}

std::string sha256_file(const std::string& path) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  const FileDescriptor file = open_file(path);
  const std::size_t size = file_size(file, path);
  Digest digest;
  for (std::size_t at = 0; at < size; at += kPiece) {
    digest.add(read_range(file, path, at, std::min(kPiece, size - at))->bytes());
  }
  return digest.hex();
}

std::string sha256_files(const std::vector<std::string>& paths) {
  std::string lines;
  for (const std::string& path : paths) lines += sha256_file(path) + "\n";
  return sha256(std::as_bytes(std::span(lines)));
}

}  // namespace octavo::formats
