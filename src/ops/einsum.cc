// Einsum: any number of operands, "..." for broadcast leading axes, repeated labels for diagonals,
// implicit outputs. Floats sum in double.
#include "ops/einsum.h"

#include <algorithm>
#include <map>

#include "ops/reference.h"

namespace octavo::ops {
namespace {

// Axes of a term: letters, and for the dots the axes they stand for, numbered from the right
// (kDots is the last).
constexpr int kDots = 256;
using Labels = std::vector<int>;

std::vector<std::string> split_terms(const std::string& text) {
  std::vector<std::string> out{""};
  for (const char c : text) {
    if (c == ',') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

Labels parse_term(const OpCall& call, const std::string& term, std::size_t dots) {
  Labels out;
  bool seen = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      out.push_back(c);
    } else if (term.compare(i, 3, "...") == 0 && !seen) {
      seen = true;
      i += 2;
      for (std::size_t d = dots; d-- > 0;) out.push_back(kDots + static_cast<int>(d));
    } else {
      call.fail("the equation cannot be read", "letters, commas, one '...' a term and one '->'",
                "'" + term + "'");
    }
  }
  return out;
}

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

Equation parse_equation(const OpCall& call) {
  std::string text = call.attributes().string_or("equation", "");
  std::erase(text, ' ');
  const auto arrow = text.find("->");
  const auto terms = split_terms(text.substr(0, arrow));
  if (terms.size() != call.inputs.size()) {
    call.fail("the equation has another number of terms than there are inputs",
              std::to_string(call.inputs.size()), std::to_string(terms.size()));
  }
  Equation out;
  std::size_t widest = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const std::size_t rank = call.input(i).rank();
    const bool has_dots = terms[i].find("...") != std::string::npos;
    const std::size_t letters = terms[i].size() - (has_dots ? 3 : 0);
    if (letters > rank || (!has_dots && letters != rank)) {
      call.fail("a term of the equation does not fit its input",
                std::to_string(rank) + " axes, as " + shape_to_string(call.input(i).shape()),
                "'" + terms[i] + "'");
    }
    const std::size_t dots = has_dots ? rank - letters : 0;
    out.operands.push_back(parse_term(call, terms[i], dots));
    widest = std::max(widest, dots);
  }
  if (arrow != std::string::npos) {
    out.result = parse_term(call, text.substr(arrow + 2), widest);
    return out;
  }
  // Implicit: the dots, then every letter that occurs once, in order.
  std::map<int, int> times;
  for (const Labels& labels : out.operands) {
    for (const int label : labels) ++times[label];
  }
  for (std::size_t d = widest; d-- > 0;) out.result.push_back(kDots + static_cast<int>(d));
  for (const auto& [label, count] : times) {
    if (label < kDots && count == 1) out.result.push_back(label);
  }
  return out;
}

// The loop over all labels, the result's first.
struct Loop {
  Shape shape;
  std::size_t kept = 0;          // labels of the result
  std::vector<Strides> strides;  // of each operand
};

Loop make_loop(const OpCall& call, const Equation& equation) {
  Labels order = equation.result;
  std::map<int, std::int64_t> dims;
  for (std::size_t i = 0; i < equation.operands.size(); ++i) {
    const Labels& labels = equation.operands[i];
    for (std::size_t a = 0; a < labels.size(); ++a) {
      const std::int64_t dim = call.input(i).dim(a);
      auto [at, added] = dims.emplace(labels[a], dim);
      if (at->second == 1) at->second = dim;
      if (at->second != dim && dim != 1) {
        call.fail("an axis has different sizes in the equation", std::to_string(at->second),
                  std::to_string(dim));
      }
      if (std::ranges::find(order, labels[a]) == order.end()) order.push_back(labels[a]);
    }
  }
  Loop loop;
  loop.kept = equation.result.size();
  std::map<int, std::size_t> position;
  for (const int label : order) {
    const bool repeated = !position.emplace(label, loop.shape.size()).second;
    if (repeated || !dims.contains(label)) {
      call.fail("the result of the equation repeats a label or has one that no input has");
    }
    loop.shape.push_back(dims.at(label));
  }
  for (std::size_t i = 0; i < equation.operands.size(); ++i) {
    const Strides own = row_major(call.input(i).shape());
    Strides strides(loop.shape.size(), 0);
    for (std::size_t a = 0; a < own.size(); ++a) {
      if (call.input(i).dim(a) != 1) strides[position.at(equation.operands[i][a])] += own[a];
    }
    loop.strides.push_back(std::move(strides));
  }
  return loop;
}

template <typename T>
void contract(const OpCall& call, const Loop& loop, Tensor& out) {
  using C = Compute<T>;
  using A = std::conditional_t<kIsFloat<T>, double, std::uint64_t>;
  std::vector<const T*> data;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    data.push_back(call.input(i).data<T>().data());
  }
  const std::size_t inner = product(loop.shape, loop.kept, loop.shape.size());
  Shape index(loop.shape.size(), 0);
  std::vector<std::int64_t> at(data.size(), 0);
  for (T& target : out.mutable_data<T>()) {
    A sum{};
    for (std::size_t n = 0; n < inner; ++n) {
      A term{1};
      for (std::size_t i = 0; i < data.size(); ++i) {
        term *= static_cast<A>(static_cast<C>(data[i][at[i]]));
      }
      sum += term;
      for (std::size_t a = index.size(); a-- > 0;) {
        for (std::size_t i = 0; i < at.size(); ++i) at[i] += loop.strides[i][a];
        if (++index[a] < loop.shape[a]) break;
        for (std::size_t i = 0; i < at.size(); ++i) at[i] -= loop.strides[i][a] * loop.shape[a];
        index[a] = 0;
      }
    }
    target = static_cast<T>(sum);
  }
}

Shape result_shape(const Loop& loop) {
  return {loop.shape.begin(), loop.shape.begin() + static_cast<std::ptrdiff_t>(loop.kept)};
}

}  // namespace

Shape einsum_shape(const OpCall& call) {
  return result_shape(make_loop(call, parse_equation(call)));
}

namespace reference {

std::vector<Tensor> einsum(const OpCall& call) {
  const Tensor& first = call.input(0);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    require_same_dtype(call, first, call.input(i));
  }
  const Loop loop = make_loop(call, parse_equation(call));
  if (!is_possible(loop.shape, first.dtype())) {
    call.fail("the equation loops over too much", {}, shape_to_string(loop.shape));
  }
  Tensor out = make_zeros(call, first.dtype(), result_shape(loop));
  if (product(loop.shape, 0, loop.shape.size()) == 0) return {out};
  dispatch_numbers(call, first.dtype(), [&]<typename T>(Tag<T>) { contract<T>(call, loop, out); });
  return {out};
}

}  // namespace reference
}  // namespace octavo::ops
