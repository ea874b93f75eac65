// Cast and CastLike between every pair of element types. Floats go to integers by truncation, cut
// to the range; integers to narrower ones by dropping bits.
#include "octavo/error.h"
#include "ops/reference.h"

namespace octavo::ops::reference {
namespace {

Tensor cast_to(const OpCall& call, const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor out = make_output(call, dtype, x.shape());
  dispatch_all(call, x.dtype(), [&]<typename In>(Tag<In>) {
    const auto from = x.data<In>();
    dispatch_all(call, dtype, [&]<typename Out>(Tag<Out>) {
      const auto to = out.mutable_data<Out>();
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = convert<Out>(from[i]);
    });
  });
  return out;
}

}  // namespace

std::vector<Tensor> cast(const OpCall& call) {
  const std::int64_t to = call.attributes().require_int("to");
  const auto dtype = dtype_from_onnx(to);
  if (!dtype) {
    throw Error(ErrorCode::kUnsupported, {.message = "Cast to an element type that is not known",
                                          .place = "attribute 'to'",
                                          .found = "type number " + std::to_string(to)});
  }
  return {cast_to(call, call.input(0), *dtype)};
}

std::vector<Tensor> cast_like(const OpCall& call) {
  return {cast_to(call, call.input(0), call.input(1).dtype())};
}

}  // namespace octavo::ops::reference
