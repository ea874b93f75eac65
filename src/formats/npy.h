// NumPy .npy files, version 1.0, row-major:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace octavo::formats {

/// Writes rows as they come; how many there are is known at the end. The file appears under its
/// name with finish(); a writer that goes without it leaves nothing.
class NpyWriter {
 public:
  /// `row_shape` is the shape of one row ([dimension] for embeddings); the array gets [rows] before
  /// it. Types: float32, int8, uint8, int32, int64, float64, float16.
  NpyWriter(std::string path, DType dtype, Shape row_shape);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  /// One or more whole rows. Throws Error(kInvalidArgument) for another number of bytes, kIo when
  /// the disk is full.
  void append(std::span<const std::byte> rows);
  template <typename T>
  void append(std::span<const T> rows) {
    append(std::as_bytes(rows));
  }
  void finish();

  std::uint64_t rows() const { return rows_; }

 private:
  [[noreturn]] void fail_to_write();
  std::string header() const;

  std::string path_, temporary_;
  DType dtype_;
  Shape row_shape_;
  std::size_t row_bytes_;
  std::uint64_t rows_ = 0;
  bool finished_ = false;
  std::ofstream out_;
};

void write_npy(const std::string& path, const Tensor& tensor);

/// Reads a row-major array of version 1.0 to 3.0. Throws Error.
Tensor read_npy(const std::string& path);

}  // namespace octavo::formats
