#include "tensor/tensor_store.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file_mapping.h"
#include "octavo/error.h"

namespace octavo {
namespace {

/// A file that goes with its descriptor and its mappings.
FileDescriptor open_unnamed(const std::string& directory) {
  FileDescriptor file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.get() >= 0) return file;
  std::string name = directory + "/.octavo-XXXXXX";  // file systems without O_TMPFILE
  FileDescriptor named(::mkostemp(name.data(), O_CLOEXEC));
  if (named.get() >= 0) ::unlink(name.c_str());
  return named;
}

bool write_all(int file, const std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t done = ::write(file, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

/// The allocator keeps freed buffers below small ones that live, which adds up over many tensors.
void give_back_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace

std::shared_ptr<const Buffer> TensorStore::write(std::span<const std::byte> bytes) const {
  if (bytes.size() < kLeastBytes) return nullptr;
  const FileDescriptor file = open_unnamed(directory_);
  if (file.get() < 0 || !write_all(file.get(), bytes.data(), bytes.size())) return nullptr;
  try {
    return map_file(file, directory_);
  } catch (const Error&) {
    return nullptr;
  }
}

Tensor TensorStore::keep(Tensor tensor) const {
  auto file = write({tensor.bytes(), tensor.byte_size()});
  if (file == nullptr) return tensor;
  Tensor out(tensor.dtype(), tensor.shape(), std::move(file), 0);
  tensor = Tensor();
  give_back_freed_memory();
  return out;
}

Tensor TensorStore::keep(DType dtype, Shape shape, std::span<const std::byte> bytes) const {
  // The constructor refuses a file that is too small for the shape.
  if (auto file = write(bytes)) return {dtype, std::move(shape), std::move(file), 0};
  Tensor out(dtype, std::move(shape));
  if (out.byte_size() != bytes.size()) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "bytes do not fit the shape of a tensor",
                                              .expected = std::to_string(out.byte_size()),
                                              .found = std::to_string(bytes.size())});
  }
  if (!bytes.empty()) std::memcpy(out.mutable_bytes(), bytes.data(), bytes.size());
  return out;
}

}  // namespace octavo
