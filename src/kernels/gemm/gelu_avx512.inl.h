// GELU for the epilogue of products, where it takes more time than the sums it follows: by table
// instead of exp. Include after kernels/simd/avx512.h.
//
//   gelu(x) = x / 2 + |x| h(t),   t = min(|x|, limit),   h(t) = Phi(t) - 1/2
//
// with Phi the normal distribution function (erf form) or its tanh form. h is a polynomial of
// degree 5 in each of 16 intervals around multiples of limit / 15 (interpolation at Chebyshev
// nodes; at the limit least squares with h = 1/2 fixed, so that gelu(x) is x or 0 beyond).
// |error| <= 9e-8 |x|. A NaN stays a NaN. tests/tools/generate_gelu_table.py prints the tables.
#pragma once

#include "kernels/matmul/matmul.h"

namespace octavo::kernels {
namespace {

struct GeluTable {
  float intervals_per_unit, limit;
  alignas(64) float coefficient[6][16];  // of u^0 to u^5, u the distance in intervals
};

constexpr GeluTable kGeluErfTable = {
    2.7777777f,
    5.4f,
    {
        {1.05534331e-11f, 0.140576437f, 0.264237493f, 0.359928906f, 0.425066292f, 0.464069694f,
         0.484613657f, 0.494132251f, 0.498011619f, 0.499402344f, 0.499840885f, 0.499962538f,
         0.499992192f, 0.499998569f, 0.499999762f, 0.5f},
        {0.143619224f, 0.134607822f, 0.110826455f, 0.0801552609f, 0.0509255864f, 0.0284220576f,
         0.0139344679f, 0.00600123638f, 0.00227042148f, 0.000754549401f, 0.00022028471f,
         5.64932379e-05f, 1.27269432e-05f, 2.51864662e-06f, 4.37850588e-07f, 1.39968495e-06f},
        {3.44551907e-08f, -0.00872239098f, -0.0143628716f, -0.0155820623f, -0.0131999431f,
         -0.00920885056f, -0.00541780889f, -0.00272219745f, -0.00117698498f, -0.000440038712f,
         -0.000142732009f, -4.0261486e-05f, -9.89358432e-06f, -2.12073883e-06f, -3.96949758e-07f,
         1.48626223e-05f},
        {-0.00310245436f, -0.00253069401f, -0.00115288619f, 0.000288074632f, 0.0011809346f,
         0.00137516961f, 0.00110329513f, 0.0006935618f, 0.000357728975f, 0.000154794878f,
         5.69067197e-05f, 1.79145427e-05f, 4.8550196e-06f, 1.13698286e-06f, 2.30727039e-07f,
         6.82814352e-05f},
        {9.66742959e-07f, 0.000268318137f, 0.000382424565f, 0.000307293405f, 0.000132393689f,
         -2.27620858e-05f, -9.65211002e-05f, -9.81092307e-05f, -6.73156464e-05f, -3.57878089e-05f,
         -1.54878526e-05f, -5.58865395e-06f, -1.70473186e-06f, -4.43435226e-07f, -9.89493785e-08f,
         0.000136464063f},
        {5.90061427e-05f, 4.19834905e-05f, 2.53525764e-06f, -2.93537596e-05f, -3.64632942e-05f,
         -2.36058549e-05f, -6.35881179e-06f, 4.31336821e-06f, 6.96311054e-06f, 5.29841509e-06f,
         2.88166393e-06f, 1.2320653e-06f, 4.30633918e-07f, 1.25596245e-07f, 3.09459445e-08f,
         9.92681234e-05f},
    }};
constexpr GeluTable kGeluTanhTable = {
    2.857143f,
    5.25f,
    {
        {9.07747488e-12f, 0.136817694f, 0.257957339f, 0.352979034f, 0.419077188f, 0.459883064f,
         0.482223332f, 0.493028909f, 0.497611105f, 0.499295235f, 0.499823958f, 0.499963403f,
         0.499993801f, 0.499999166f, 0.499999911f, 0.5f},
        {0.139629796f, 0.131297529f, 0.109199941f, 0.0804003328f, 0.0524612144f, 0.0303427819f,
         0.015521259f, 0.00697955489f, 0.00273091905f, 0.000916924095f, 0.000259870023f,
         6.10692077e-05f, 1.16824294e-05f, 1.78585287e-06f, 2.14164046e-07f, 3.2138081e-07f},
        {2.96358262e-08f, -0.00807514507f, -0.0133992555f, -0.0147417514f, -0.0127773024f,
         -0.00922839995f, -0.00569191668f, -0.003024776f, -0.00138224394f, -0.000537864631f,
         -0.000175591253f, -4.72584688e-05f, -1.02941185e-05f, -1.7814051e-06f, -2.40433764e-07f,
         3.35303343e-06f},
        {-0.00286512519f, -0.00235628593f, -0.00112253509f, 0.000184394114f, 0.0010222597f,
         0.00125157367f, 0.00105906394f, 0.000712423353f, 0.000396858959f, 0.000184465694f,
         7.09948581e-05f, 2.22940926e-05f, 5.61447087e-06f, 1.11391068e-06f, 1.71051795e-07f,
         1.54622667e-05f},
        {8.31448006e-07f, 0.000239246961f, 0.000344159082f, 0.00028198614f, 0.000130741086f,
         -5.95981282e-06f, -7.67828024e-05f, -8.75871629e-05f, -6.69247311e-05f, -3.96788091e-05f,
         -1.88240119e-05f, -7.13832742e-06f, -2.13912767e-06f, -4.99242105e-07f, -8.93652015e-08f,
         3.08740164e-05f},
        {5.24624047e-05f, 3.77412216e-05f, 3.1421157e-06f, -2.51720885e-05f, -3.17231606e-05f,
         -2.13309831e-05f, -7.32678382e-06f, 2.0047878e-06f, 5.44442764e-06f, 5.04866966e-06f,
         3.22275127e-06f, 1.5464268e-06f, 5.65879759e-07f, 1.57299866e-07f, 3.29025909e-08f,
         2.24689156e-05f},
    }};

OCTAVO_INLINE Vec gelu_by_table(Vec x, const GeluTable& table) {
  constexpr int kSmallerMagnitudeWithoutSign = 0b1010;
  const Vec t = _mm512_range_ps(x, set(table.limit), kSmallerMagnitudeWithoutSign);
  // The interval's number is in the low bits of the sum.
  const Vec magic = set(8388608.0f), per_unit = set(table.intervals_per_unit);
  const Vec shifted = fma(t, per_unit, magic);
  const __m512i interval = _mm512_castps_si512(shifted);
  const Vec u = _mm512_fmsub_ps(t, per_unit, shifted - magic);
  Vec h = _mm512_permutexvar_ps(interval, load(table.coefficient[5]));
#pragma GCC unroll 5
  for (int power = 4; power >= 0; --power) {
    h = fma(h, u, _mm512_permutexvar_ps(interval, load(table.coefficient[power])));
  }
  return fma(abs(x), h, x * set(0.5f));
}

}  // namespace
}  // namespace octavo::kernels
