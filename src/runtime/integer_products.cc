#include "runtime/integer_products.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/row_operators.h"

namespace octavo::runtime {
namespace {

// |sum of u8 * s8| over so many stays below 2^24, where float32 holds every integer.
constexpr std::size_t kExact = 512;
constexpr std::size_t kRows = 32, kGroups = 12;  // of one piece of work
constexpr std::size_t kColumns = kGroups * kernels::kTileRows;
static_assert(kColumns <= Epilogue::kMostColumns);

/// An element of uint8 or int8 as a signed or unsigned byte.
std::int32_t element(const Tensor& t, std::size_t i) {
  return t.dtype() == DType::kInt8 ? std::int32_t{t.data<std::int8_t>()[i]}
                                   : std::int32_t{t.data<std::uint8_t>()[i]};
}

bool bytes(const Tensor* t) {
  return t != nullptr && (t->dtype() == DType::kUint8 || t->dtype() == DType::kInt8);
}

bool one_number(const Tensor* t) {
  return t != nullptr && t->dtype() == DType::kFloat32 && t->elements() == 1;
}

}  // namespace

IntegerMatrix::IntegerMatrix(const Tensor& matrix, IsaMask isa)
    : kernel_(kernels::choose_gemm(kernels::GemmType::kInt8, isa)),
      affine_(kernels::choose_affine(isa)),
      k_(static_cast<std::size_t>(matrix.dim(0))),
      n_(static_cast<std::size_t>(matrix.dim(1))),
      shift_(matrix.dtype() == DType::kUint8 ? 128 : 0),
      column_sums_(n_, 0) {
  using kernels::GemmType;
  for (std::size_t first = 0; first < k_; first += kExact) {
    const std::size_t count = std::min(kExact, k_ - first);
    Part part{first, count,
              std::make_unique<Buffer>(kernels::gemm_packed_bytes(GemmType::kInt8, n_, count))};
    std::byte* to = part.packed->data();
    std::memset(to, 0, part.packed->size());
    const std::size_t tiles = kernels::gemm_tiles(GemmType::kInt8, count);
    for (std::size_t p = 0; p < count; ++p) {
      const std::size_t row = p / kernels::kTileBytes * kernels::kTileSize +
                              p % kernels::kTileBytes / 4 * kernels::kTileBytes + p % 4;
      for (std::size_t j = 0; j < n_; ++j) {
        const std::int32_t value = element(matrix, (first + p) * n_ + j) - shift_;
        column_sums_[j] += value;
        to[j / kernels::kTileRows * tiles * kernels::kTileSize + row + j % kernels::kTileRows * 4] =
            static_cast<std::byte>(static_cast<std::int8_t>(value));
      }
    }
    parts_.push_back(std::move(part));
  }
}

void IntegerMatrix::multiply(const Tensor& a, std::int32_t a_zero,
                             const std::vector<std::int64_t>& b_zero, ThreadPool& pool,
                             const Finish& finish) const {
  using kernels::GemmType;
  const std::size_t m = a.elements() / k_, groups = kernels::gemm_groups(n_);
  const std::size_t blocks = (m + kRows - 1) / kRows;
  // Rows of a as unsigned bytes in tiles, part after part.
  std::vector<std::size_t> starts;
  std::size_t size = 0;
  for (const Part& part : parts_) {
    starts.push_back(size);
    size += blocks * kRows * kernels::gemm_row_bytes(GemmType::kInt8, part.count);
  }
  Buffer rows(std::max<std::size_t>(size, 1));
  std::vector<std::uint32_t> row_sums(m, 0);
  const std::uint8_t flip = a.dtype() == DType::kInt8 ? 0x80 : 0;
  const auto* from = reinterpret_cast<const std::uint8_t*>(a.bytes());
  pool.parallel_for(blocks, [&](std::size_t block, int) {
    for (std::size_t i = block * kRows; i < std::min(m, (block + 1) * kRows); ++i) {
      for (std::size_t q = 0; q < parts_.size(); ++q) {
        const std::size_t bytes = kernels::gemm_row_bytes(GemmType::kInt8, parts_[q].count);
        row_sums[i] += affine_.tile(from + i * k_ + parts_[q].first, parts_[q].count, flip,
                                    rows.data() + starts[q] + kernels::gemm_row_offset(i, bytes));
      }
    }
  });

  const std::int32_t zero = a_zero + (flip != 0 ? 128 : 0);
  std::vector<std::uint32_t> right(n_), left(n_);  // arithmetic that wraps
  for (std::size_t j = 0; j < n_; ++j) {
    const auto b = static_cast<std::int32_t>(b_zero[b_zero.size() == 1 ? 0 : j]) - shift_;
    left[j] = static_cast<std::uint32_t>(b);
    right[j] = static_cast<std::uint32_t>(k_) * static_cast<std::uint32_t>(zero) * left[j] -
               static_cast<std::uint32_t>(zero) * static_cast<std::uint32_t>(column_sums_[j]);
  }
  std::array<float, kColumns> ones;
  ones.fill(1.0f);
  const std::array<std::int32_t, kColumns> none{};
  const std::size_t columns = (groups + kGroups - 1) / kGroups;
  pool.parallel_for(blocks * columns, [&](std::size_t work, int) {
    alignas(64) float found[kRows * kColumns];
    alignas(64) std::int32_t sums[kRows * kColumns];
    const std::size_t first_row = work / columns * kRows, last_row = std::min(m, first_row + kRows);
    const std::size_t first = work % columns * kGroups, last = std::min(groups, first + kGroups);
    const std::size_t begin = first * kernels::kTileRows;
    const std::size_t width = std::min(n_, last * kernels::kTileRows) - begin;
    for (std::size_t q = 0; q < parts_.size(); ++q) {
      const std::size_t count = parts_[q].count,
                        bytes = kernels::gemm_row_bytes(GemmType::kInt8, count),
                        group = kernels::gemm_tiles(GemmType::kInt8, count) * kernels::kTileSize;
      kernel_.run({.a = rows.data() + starts[q] + kernels::gemm_row_offset(first_row, bytes),
                   .a_scale = ones.data(),
                   .b = parts_[q].packed->data() + first * group,
                   .b_scale = ones.data(),
                   .b_sum = none.data(),
                   .c = found,
                   .ldc = width,
                   .m = last_row - first_row,
                   .n = width,
                   .k = count},
                  0, last_row - first_row, 0, last - first);
      affine_.collect(found, (last_row - first_row) * width, q != 0, sums);
    }
    for (std::size_t i = first_row; i < last_row; ++i) {
      finish(i, begin,
             {.sums = sums + (i - first_row) * width,
              .right = right.data() + begin,
              .left = left.data() + begin,
              .row = row_sums[i],
              .count = width});
    }
  });
}

bool is_integer_product(const ir::Node& node, std::size_t& weight) {
  weight = node.is("QLinearMatMul") ? 3 : 1;
  return weight == 3 || node.is("MatMulInteger") ||
         node.is("MatMulIntegerToFloat", "com.microsoft") ||
         node.is("DynamicQuantizeMatMul", "com.microsoft");
}

bool multiply_integers(const ops::OpCall& call, const IntegerMatrix& b, ThreadPool& pool,
                       std::vector<Tensor>& outputs, Epilogue* epilogue) {
  const std::string& op = call.node.op;
  const bool dynamic = op == "DynamicQuantizeMatMul", linear = op == "QLinearMatMul";
  const bool integer = op == "MatMulInteger";
  const std::size_t n = b.columns();
  Tensor a;
  const Tensor *a_scale = nullptr, *b_scale = nullptr, *a_zero = nullptr, *b_zero = nullptr;
  const Tensor *bias = nullptr, *weight = call.optional(linear ? 3 : 1);
  std::vector<Tensor> quantized;
  if (dynamic) {
    if (call.optional(0) == nullptr ||
        !quantize_rows(*call.optional(0), b.affine(), pool, quantized)) {
      return false;
    }
    a = quantized[0], a_scale = &quantized[1], a_zero = &quantized[2];
    b_scale = call.optional(2), b_zero = call.optional(3), bias = call.optional(4);
  } else {
    if (!bytes(call.optional(0))) return false;
    a = call.input(0);
    if (integer) a_zero = call.optional(2), b_zero = call.optional(3);
    if (linear) {
      a_scale = call.optional(1), a_zero = call.optional(2);
      b_scale = call.optional(4), b_zero = call.optional(5);
    }
    if (!integer && !linear) {
      a_scale = call.optional(2), b_scale = call.optional(3), a_zero = call.optional(4);
      b_zero = call.optional(5), bias = call.optional(6);
    }
  }
  if (a.rank() < 2 || static_cast<std::size_t>(a.shape().back()) != b.rows() || a.elements() == 0 ||
      (a_zero != nullptr && (a_zero->dtype() != a.dtype() || a_zero->elements() != 1))) {
    return false;
  }
  std::vector<std::int64_t> zeros{0};
  if (b_zero != nullptr) {
    if (b_zero->dtype() != weight->dtype()) return false;
    zeros = b_zero->to_int64s();
  }
  const auto row = [&](const Tensor* t) {
    return t != nullptr && t->dtype() == DType::kFloat32 &&
           (t->elements() == 1 || t->elements() == n);
  };
  if (zeros.size() != 1 && zeros.size() != n) return false;
  if (!integer && (!one_number(a_scale) || !row(b_scale))) return false;
  if (bias != nullptr &&
      (bias->dtype() != DType::kFloat32 || bias->rank() != 1 || bias->elements() != n)) {
    return false;
  }
  const Tensor *y_scale = linear ? call.optional(6) : nullptr,
               *y_zero = linear ? call.optional(7) : nullptr;
  if (linear && (!one_number(y_scale) || !bytes(y_zero) || y_zero->elements() != 1)) return false;

  const auto zero = a_zero == nullptr ? 0 : static_cast<std::int32_t>(a_zero->to_int64s()[0]);
  const kernels::AffineKernel& affine = b.affine();
  Shape shape = a.shape();
  shape.back() = static_cast<std::int64_t>(n);
  if (integer) {
    Tensor out(DType::kInt32, std::move(shape));
    std::int32_t* to = out.mutable_data<std::int32_t>().data();
    b.multiply(a, zero, zeros, pool,
               [&](std::size_t i, std::size_t j, const kernels::SumsArgs& sums) {
                 affine.correct(sums, to + i * n + j);
               });
    outputs.push_back(std::move(out));
    return true;
  }
  const float left = a_scale->data<float>()[0];
  const auto by = b_scale->data<float>();
  if (linear) {
    const kernels::Steps steps{.zero = element(*y_zero, 0),
                               .is_signed = y_zero->dtype() == DType::kInt8};
    std::vector<double> factors(n);
    for (std::size_t j = 0; j < n; ++j) {
      factors[j] =
          double{left} * double{by[by.size() == 1 ? 0 : j]} / double{y_scale->data<float>()[0]};
    }
    if (epilogue != nullptr) {
      b.multiply(a, zero, zeros, pool,
                 [&](std::size_t i, std::size_t j, const kernels::SumsArgs& sums) {
                   alignas(64) std::uint8_t part[kColumns];
                   affine.requantize(sums, factors.data() + j, steps, part);
                   epilogue->finish_bytes(i, j, sums.count, part);
                 });
      outputs.push_back(epilogue->take());
      return true;
    }
    Tensor out(y_zero->dtype(), std::move(shape));
    auto* to = reinterpret_cast<std::uint8_t*>(out.mutable_bytes());
    b.multiply(a, zero, zeros, pool,
               [&](std::size_t i, std::size_t j, const kernels::SumsArgs& sums) {
                 affine.requantize(sums, factors.data() + j, steps, to + i * n + j);
               });
    outputs.push_back(std::move(out));
    return true;
  }
  std::vector<float> factors(n), added(n, 0.0f);
  for (std::size_t j = 0; j < n; ++j) factors[j] = left * by[by.size() == 1 ? 0 : j];
  if (bias != nullptr) std::copy_n(bias->data<float>().data(), n, added.data());
  if (epilogue != nullptr) {
    b.multiply(a, zero, zeros, pool,
               [&](std::size_t i, std::size_t j, const kernels::SumsArgs& sums) {
                 alignas(64) float part[kColumns];
                 float* to = epilogue->place(i, j, part);
                 affine.widen(sums, factors.data() + j, added.data() + j, to);
                 epilogue->finish_floats(i, j, sums.count, to);
               });
    outputs.push_back(epilogue->take());
    return true;
  }
  Tensor out(DType::kFloat32, std::move(shape));
  float* to = out.mutable_data<float>().data();
  b.multiply(a, zero, zeros, pool,
             [&](std::size_t i, std::size_t j, const kernels::SumsArgs& sums) {
               affine.widen(sums, factors.data() + j, added.data() + j, to + i * n + j);
             });
  outputs.push_back(std::move(out));
  return true;
}

}  // namespace octavo::runtime
