// The int8 and the bfloat16 attention for AMX.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/attention/attention_bf16.inl.h"
#include "kernels/attention/attention_int8.inl.h"
#include "kernels/attention/tile_products.inl.h"
#include "kernels/gemm/tiles_amx.inl.h"

OCTAVO_DEFINE_ATTENTION_INT8(amx_int8, TileProducts<AmxTiles, GemmType::kInt8>)
OCTAVO_DEFINE_ATTENTION_BF16(amx_bf16, TileProducts<AmxTiles, GemmType::kBf16>)
#endif
