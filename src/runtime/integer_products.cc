#include "runtime/integer_products.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/row_operators.h"

namespace octavo::runtime {
namespace {

// |sum of u8 * s8| over so many stays below 2^24, where float32 holds every integer.
constexpr std::size_t kExact = 512;
constexpr std::size_t kRows = 32, kGroups = 12;  // of one piece of work

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

IntegerMatrix::IntegerMatrix(const Tensor& matrix, const kernels::GemmKernel& kernel)
    : kernel_(kernel),
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

std::vector<std::int32_t> IntegerMatrix::multiply(const Tensor& a, std::int32_t a_zero,
                                                  const std::vector<std::int64_t>& b_zero,
                                                  ThreadPool& pool) const {
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
  std::vector<std::int32_t> row_sums(m, 0);
  const std::uint8_t flip = a.dtype() == DType::kInt8 ? 0x80 : 0;
  const auto* from = reinterpret_cast<const std::uint8_t*>(a.bytes());
  pool.parallel_for(blocks, [&](std::size_t block, int) {
    for (std::size_t i = block * kRows; i < std::min(m, (block + 1) * kRows); ++i) {
      for (std::size_t q = 0; q < parts_.size(); ++q) {
        const std::size_t bytes = kernels::gemm_row_bytes(GemmType::kInt8, parts_[q].count);
        std::byte* to = rows.data() + starts[q] + kernels::gemm_row_offset(i, bytes);
        const std::uint8_t* x = from + i * k_ + parts_[q].first;
        std::int32_t sum = 0;
        for (std::size_t p = 0; p < parts_[q].count; p += kernels::kTileBytes) {
          const std::size_t width = std::min(kernels::kTileBytes, parts_[q].count - p);
          std::uint8_t tile[kernels::kTileBytes] = {};
          for (std::size_t t = 0; t < width; ++t) {
            tile[t] = x[p + t] ^ flip;
            sum += tile[t];
          }
          std::memcpy(to + p / kernels::kTileBytes * kernels::kTileSize, tile, sizeof tile);
        }
        row_sums[i] += sum;
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
  std::vector<std::int32_t> sums(m * n_);
  std::vector<float> found(m * n_);
  const std::vector<float> ones(std::max(blocks * kRows, groups * kernels::kTileRows), 1.0f);
  const std::vector<std::int32_t> none(groups * kernels::kTileRows, 0);
  const std::size_t columns = (groups + kGroups - 1) / kGroups;
  pool.parallel_for(blocks * columns, [&](std::size_t work, int) {
    const std::size_t first_row = work / columns * kRows, last_row = std::min(m, first_row + kRows);
    const std::size_t first = work % columns * kGroups, last = std::min(groups, first + kGroups);
    const std::size_t begin = first * kernels::kTileRows,
                      end = std::min(n_, last * kernels::kTileRows);
    for (std::size_t q = 0; q < parts_.size(); ++q) {
      const kernels::GemmArgs args{.a = rows.data() + starts[q],
                                   .a_scale = ones.data(),
                                   .b = parts_[q].packed->data(),
                                   .b_scale = ones.data(),
                                   .b_sum = none.data(),
                                   .c = found.data(),
                                   .ldc = n_,
                                   .m = m,
                                   .n = n_,
                                   .k = parts_[q].count};
      kernel_.run(args, first_row, last_row, first, last);
      for (std::size_t i = first_row; i < last_row; ++i) {
        const float* c = found.data() + i * n_;
        std::int32_t* s = sums.data() + i * n_;
        if (q == 0) {
          for (std::size_t j = begin; j < end; ++j) s[j] = static_cast<std::int32_t>(c[j]);
        } else {
          for (std::size_t j = begin; j < end; ++j) {
            s[j] = static_cast<std::int32_t>(
                static_cast<std::uint32_t>(s[j]) +
                static_cast<std::uint32_t>(static_cast<std::int32_t>(c[j])));
          }
        }
      }
    }
    for (std::size_t i = first_row; i < last_row; ++i) {
      std::int32_t* s = sums.data() + i * n_;
      const auto row = static_cast<std::uint32_t>(row_sums[i]);
      for (std::size_t j = begin; j < end; ++j) {
        s[j] =
            static_cast<std::int32_t>(static_cast<std::uint32_t>(s[j]) + right[j] - row * left[j]);
      }
    }
  });
  return sums;
}

bool is_integer_product(const ir::Node& node, std::size_t& weight) {
  weight = node.is("QLinearMatMul") ? 3 : 1;
  return weight == 3 || node.is("MatMulInteger") ||
         node.is("MatMulIntegerToFloat", "com.microsoft") ||
         node.is("DynamicQuantizeMatMul", "com.microsoft");
}

bool multiply_integers(const ops::OpCall& call, const IntegerMatrix& b, ThreadPool& pool,
                       std::vector<Tensor>& outputs) {
  const std::string& op = call.node.op;
  const bool dynamic = op == "DynamicQuantizeMatMul", linear = op == "QLinearMatMul";
  const bool integer = op == "MatMulInteger";
  const std::size_t n = b.columns();
  Tensor a;
  const Tensor *a_scale = nullptr, *b_scale = nullptr, *a_zero = nullptr, *b_zero = nullptr;
  const Tensor *bias = nullptr, *weight = call.optional(linear ? 3 : 1);
  std::vector<Tensor> quantized;
  if (dynamic) {
    if (call.optional(0) == nullptr || !quantize_rows(*call.optional(0), pool, quantized)) {
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
  const std::vector<std::int32_t> sums = b.multiply(a, zero, zeros, pool);
  Shape shape = a.shape();
  shape.back() = static_cast<std::int64_t>(n);
  if (integer) {
    outputs.push_back(Tensor::from<std::int32_t>(std::move(shape), sums));
    return true;
  }
  const float left = a_scale->data<float>()[0];
  const auto by = b_scale->data<float>();
  if (linear) {
    Tensor out(y_zero->dtype(), std::move(shape));
    const bool is_signed = y_zero->dtype() == DType::kInt8;
    const double low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
    const auto add = static_cast<double>(y_zero->to_int64s()[0]);
    std::vector<double> factors(n);
    for (std::size_t j = 0; j < n; ++j) {
      factors[j] =
          double{left} * double{by[by.size() == 1 ? 0 : j]} / double{y_scale->data<float>()[0]};
    }
    auto* to = reinterpret_cast<std::uint8_t*>(out.mutable_bytes());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double value = std::nearbyint(sums[i] * factors[i % n]) + add;
      const double cut = value != value ? 0 : std::clamp(value, low, high);
      to[i] = static_cast<std::uint8_t>(static_cast<int>(cut));
    }
    outputs.push_back(std::move(out));
    return true;
  }
  std::vector<float> factors(n), added(n, 0.0f);
  for (std::size_t j = 0; j < n; ++j) factors[j] = left * by[by.size() == 1 ? 0 : j];
  if (bias != nullptr) std::copy_n(bias->data<float>().data(), n, added.data());
  Tensor out(DType::kFloat32, std::move(shape));
  float* to = out.mutable_data<float>().data();
  pool.parallel_for((sums.size() / n + kRows - 1) / kRows, [&](std::size_t block, int) {
    const std::size_t end = std::min(sums.size(), (block + 1) * kRows * n);
    for (std::size_t i = block * kRows * n; i < end; i += n) {
      for (std::size_t j = 0; j < n; ++j) {
        to[i + j] = static_cast<float>(sums[i + j]) * factors[j] + added[j];
      }
    }
  });
  outputs.push_back(std::move(out));
  return true;
}

}  // namespace octavo::runtime
