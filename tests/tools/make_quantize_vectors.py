"""Writes tests/data/quantize/vectors.json: what onnxruntime's quantiser makes of small arrays.

    make_quantize_vectors.py OUT.json

`tensors`: compute_data_quant_params and quantize_nparray of onnxruntime.quantization.quant_utils (float32 as bit
patterns). `blocks`: the kernels behind MatMulNBitsQuantizer, which write B, scales and zero points of MatMulNBits.
"""

import json
import sys

import numpy as np
from onnx import TensorProto
from onnxruntime.capi._pybind_state import quantize_matmul_4bits, quantize_matmul_8bits
from onnxruntime.quantization.quant_utils import compute_data_quant_params, quantize_nparray


def bits(values) -> list[int]:
    return np.asarray(values, dtype=np.float32).reshape(-1).view(np.uint32).tolist()


def arrays():
    random = np.random.default_rng(7)
    yield random.normal(size=33).astype(np.float32)
    yield (random.normal(size=20) * 1e-3 + 0.5).astype(np.float32)
    yield -np.abs(random.normal(size=17)).astype(np.float32)
    yield np.zeros(5, np.float32)
    yield np.float32([1e-38, -1e-39, 0])
    yield np.float32([3e38, -3e38, 1])
    yield np.float32([0.5, 1.5, 2.5, 3.5, -0.5, 127, -127.5])  # halves: rounding to even
    yield np.float32([2.0, -1.0] * 4)


def tensors():
    for x in arrays():
        for type_name, dtype in (("QInt8", TensorProto.INT8), ("QUInt8", TensorProto.UINT8)):
            for symmetric in (False, True):
                for reduced in (False, True):
                    zero, scale = compute_data_quant_params(x, dtype, symmetric, reduced)
                    q = quantize_nparray(dtype, x, scale, zero)
                    yield {
                        "x": bits(x),
                        "type": type_name,
                        "symmetric": symmetric,
                        "reduced": reduced,
                        "scale": bits(scale)[0],
                        "zero": int(zero),
                        "q": q.tolist(),
                    }


def blocks():
    random = np.random.default_rng(8)
    for rows, columns, block in ((32, 5, 16), (48, 4, 32), (64, 3, 64)):
        matrix = random.normal(size=(rows, columns)).astype(np.float32)
        matrix[:16, 0] = 0
        for width, quantize in ((4, quantize_matmul_4bits), (8, quantize_matmul_8bits)):
            for symmetric in (True, False):
                count = -(-rows // block)
                padded = np.pad(matrix, ((0, count * block - rows), (0, 0)))
                values = np.zeros((columns, count, block * width // 8), np.uint8)
                scales = np.zeros((columns, count), np.float32)
                zeros = np.zeros((columns, (count * width + 7) // 8), np.uint8)
                quantize(values, padded, scales, zeros, block, columns, rows, symmetric)
                yield {
                    "rows": rows,
                    "columns": columns,
                    "block": block,
                    "bits": width,
                    "symmetric": symmetric,
                    "x": bits(matrix),
                    "values": values.reshape(-1).tolist(),
                    "scales": bits(scales),
                    "zeros": [] if symmetric else zeros.reshape(-1).tolist(),
                }


def main() -> None:
    document = {"tensors": list(tensors()), "blocks": list(blocks())}
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(document, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
