"""com.microsoft operators, one node a model on random inputs, through octavo's importer and reference
implementations, against onnxruntime without graph optimisations.

    compare_contrib.py RUN_ONNX_REFERENCE

Floats agree within 1e-5 of the largest value. Results in steps of 8 bits agree but for ties: a value
half-way between two steps may fall to either side, so at most one in a thousand differs, by one step.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

R = np.random.default_rng(7)
F = np.float32


def normal(*shape: int, spread: float = 1.0) -> np.ndarray:
    return (R.standard_normal(shape) * spread).astype(F)


def codes(kind, *shape: int) -> np.ndarray:
    info = np.iinfo(kind)
    return R.integers(info.min, info.max + 1, shape).astype(kind)


def ints(values, kind=np.int32) -> np.ndarray:
    return np.array(values, dtype=kind)


def scale(value: float = 0.02) -> np.ndarray:
    return np.array(value, dtype=F)


CASES = []  # (operator, attributes, inputs; None is left out, outputs that are compared; None is left out)


def case(op: str, inputs: list, outputs: list | None = None, domain: str = "com.microsoft", **attributes) -> None:
    CASES.append((domain, op, attributes, inputs, outputs or ["y0"]))


def activations() -> None:
    x = normal(2, 3, 16, spread=2)
    case("Gelu", [x])
    case("BiasGelu", [x, normal(16)])
    case("FastGelu", [x])
    case("FastGelu", [x, normal(16)])
    case("QuickGelu", [x])
    case("QuickGelu", [x], alpha=1.3)


def norms() -> None:
    x, skip, gamma, beta, bias = normal(2, 3, 16), normal(2, 3, 16), normal(16), normal(16), normal(16)
    for epsilon in (1e-12, 1e-5, 0.5):
        case("SkipLayerNormalization", [x, skip, gamma, beta], epsilon=epsilon)
    case("SkipLayerNormalization", [x, skip, gamma, beta, bias])
    case("SkipLayerNormalization", [x, skip, gamma, None, bias])
    case("SkipLayerNormalization", [x, skip, gamma, beta, bias], ["y0", None, None, "y3"])
    case("SkipLayerNormalization", [x, normal(1, 3, 16), gamma, beta])
    case("SkipLayerNormalization", [x, normal(3, 16), gamma, beta])
    case("SkipLayerNormalization", [normal(6, 16), normal(6, 16), gamma, beta])
    case("SkipSimplifiedLayerNormalization", [x, skip, gamma], epsilon=1e-6)
    case("SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], ["y0", None, None, "y3"], epsilon=1e-6)
    case("SimplifiedLayerNormalization", [x, gamma], domain="", epsilon=1e-6)
    case("SimplifiedLayerNormalization", [x, gamma], domain="", axis=-1)


def embeddings() -> None:
    ids, types = R.integers(0, 20, (2, 5)).astype(np.int32), R.integers(0, 2, (2, 5)).astype(np.int32)
    mask = ints([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    tables = [normal(20, 16), normal(8, 16), normal(2, 16), normal(16), normal(16)]
    both = ["y0", "y1"]
    case("EmbedLayerNormalization", [ids, types, *tables, mask], both)
    case("EmbedLayerNormalization", [ids, types, *tables, None], both, epsilon=1e-5)
    case("EmbedLayerNormalization", [ids, types, *tables, mask], ["y0", "y1", "y2"])
    case("EmbedLayerNormalization", [ids, None, tables[0], tables[1], None, *tables[3:], mask], both)
    places = ints([[2, 3, 4, 5, 6], [0, 1, 7, 7, 7]])
    case("EmbedLayerNormalization", [ids, types, *tables, mask, places], both)
    for kind in (np.uint8, np.int8):
        quantized = [codes(kind, *t.shape) for t in tables]
        scales = [scale(0.01 + 0.003 * i) for i in range(5)]
        zeros = [np.array(int(R.integers(0, 100)), dtype=kind) for _ in range(5)]
        case("QEmbedLayerNormalization", [ids, types, *quantized, mask, *scales, *zeros], both)
        parts = [quantized[0], quantized[1], None, *quantized[3:]]
        case(
            "QEmbedLayerNormalization",
            [ids, None, *parts, mask, *scales[:2], None, *scales[3:], *zeros[:2], None, *zeros[3:]],
            both,
        )


def masks() -> list:
    """For two rows of five tokens."""
    pairs = (R.random((2, 5, 5)) < 0.7).astype(np.int32)
    pairs[:, :, 0] = 1
    return [
        None,
        ints([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]),
        ints([[0, 0, 1, 1, 1], [1, 0, 1, 0, 1]]),
        ints([5, 2]),
        ints([5, 4, 1, 2]),
        ints([5, 2, 0, 5, 7, 0, 5, 7]),
        pairs,
    ]


def attention() -> None:
    # Always with a bias: without one this version of onnxruntime crashes.
    x, weights, bias = normal(2, 5, 12), normal(12, 48, spread=0.4), normal(48)
    for mask in masks():
        case("Attention", [x, weights, bias, mask], num_heads=4)
    case("Attention", [x, weights, bias, masks()[1]], num_heads=2, scale=0.3, mask_filter_value=-3.0)
    case("Attention", [x, weights, bias, masks()[3]], num_heads=2, unidirectional=1)
    case("Attention", [x, weights, bias, masks()[6]], num_heads=2, unidirectional=1)
    for shape in ((2, 4, 5, 5), (1, 4, 5, 5), (2, 1, 5, 5), (1, 1, 5, 5)):
        case("Attention", [x, weights, bias, masks()[1], None, normal(*shape)], num_heads=4)
    case("Attention", [x, normal(12, 40), normal(40)], num_heads=4, qkv_hidden_sizes=[16, 16, 8])
    for kind in (np.int8, np.uint8):
        q, w = codes(np.uint8, 2, 5, 12), codes(kind, 12, 48)
        w_zero = np.array(3 if kind == np.int8 else 120, dtype=kind)
        for mask in (masks()[0], masks()[1], masks()[3], masks()[4]):
            operands = [q, w, bias, scale(), scale(0.004), mask, np.uint8(117), w_zero]
            case("QAttention", operands, num_heads=4)
        scales, zeros = R.uniform(0.001, 0.01, 48).astype(F), codes(kind, 48)
        case("QAttention", [q, w, bias, scale(), scales, masks()[1], np.uint8(117), zeros], num_heads=4)
        case("QAttention", [q, w, bias, scale(), scale(0.004)], num_heads=2, unidirectional=1)


def multi_head_attention() -> None:
    q, k, v, bias = normal(2, 5, 16), normal(2, 5, 16), normal(2, 5, 16), normal(48)
    for mask in masks()[:3]:
        case("MultiHeadAttention", [q, k, v, bias, mask], num_heads=4)
    case("MultiHeadAttention", [q, k, v, None, masks()[6]], num_heads=4)
    case("MultiHeadAttention", [q, k, v], num_heads=4, scale=0.2)
    case("MultiHeadAttention", [q, k, v], num_heads=2, unidirectional=1)
    case("MultiHeadAttention", [q, k, v, None, masks()[1], normal(2, 4, 5, 5)], num_heads=4)
    case("MultiHeadAttention", [q, k, v, None, None, normal(1, 1, 5, 5)], num_heads=4)
    case("MultiHeadAttention", [q, normal(2, 7, 16), normal(2, 7, 8), normal(40)], num_heads=4)
    case("MultiHeadAttention", [q, normal(2, 4, 7, 4), normal(2, 4, 7, 4)], num_heads=4)


def rotary() -> None:
    cosine, sine = normal(9, 4), normal(9, 4)
    places = ints([[0, 1, 2, 3, 4], [3, 4, 5, 0, 8]], np.int64)
    for interleaved in (0, 1):
        for positions in (places, ints([2], np.int64)):
            case("RotaryEmbedding", [normal(2, 5, 24), positions, cosine, sine], interleaved=interleaved)
            case("RotaryEmbedding", [normal(2, 3, 5, 8), positions, cosine, sine], interleaved=interleaved)
    case("RotaryEmbedding", [normal(2, 5, 36), places, cosine, sine], num_heads=3, rotary_embedding_dim=8)


def products() -> None:
    for trans_a, trans_b, alpha in ((0, 0, 1.0), (0, 1, 0.125), (1, 0, 2.0), (1, 1, -0.5)):
        a, b = normal(2, 3, *((4, 5) if not trans_a else (5, 4))), normal(2, 3, *((5, 6) if not trans_b else (6, 5)))
        case("FusedMatMul", [a, b], transA=trans_a, transB=trans_b, alpha=alpha)
        case("FusedMatMul", [a[0, 0], b[0, 0]], transA=trans_a, transB=trans_b, alpha=alpha)
    case("FusedMatMul", [normal(4, 2, 3, 5), normal(2, 3, 5, 6)], transBatchA=1)
    case("FusedMatMul", [normal(2, 3, 4, 5), normal(5, 2, 3, 6)], transBatchB=1)
    case("FusedMatMul", [normal(4, 2, 3, 5), normal(5, 2, 3, 6)], transBatchA=1, transBatchB=1)
    case("FusedMatMul", [normal(5, 2, 3, 4), normal(6, 2, 3, 5)], transBatchA=1, transBatchB=1, transA=1, transB=1)
    for activation in ("Relu", "Tanh", "Sigmoid"):
        case("FusedGemm", [normal(3, 4), normal(5, 4), normal(5)], transB=1, alpha=0.5, activation=activation)


def quantized_products() -> None:
    for kind in (np.int8, np.uint8):
        b, columns, zeros = codes(kind, 12, 7), R.uniform(0.001, 0.01, 7).astype(F), codes(kind, 7)
        zero, bias = np.array(5, dtype=kind), normal(7)
        x = normal(2, 5, 12)
        for b_scale, b_zero in ((scale(0.01), zero), (scale(0.01), None), (columns, zeros)):
            case("DynamicQuantizeMatMul", [x, b, b_scale, b_zero, bias])
            case("DynamicQuantizeMatMul", [x, b, b_scale, b_zero])
            a = codes(np.uint8, 2, 5, 12)
            case("MatMulIntegerToFloat", [a, b, scale(0.05), b_scale, np.uint8(100), b_zero, bias])
            case("MatMulIntegerToFloat", [a, b, scale(0.05), b_scale, None, b_zero])
        case("DynamicQuantizeMatMul", [np.zeros((2, 12), F), b, scale(0.01), zero])
        if kind == np.int8:  # onnxruntime has no product of int8 and uint8
            case("MatMulIntegerToFloat", [codes(kind, 4, 12), b, scale(), columns, np.int8(-3), zeros, bias])
        a = codes(np.uint8, 4, 12)
        head = [a, scale(0.05), np.uint8(100), b, scale(0.01), zero]
        totals = R.integers(-5000, 5000, 7).astype(np.int32)
        case("QGemm", [*head, totals], alpha=1.0)
        case("QGemm", [*head, totals, scale(0.5), np.uint8(128)])
        case("QGemm", [*head, None, scale(0.5), np.uint8(128)])
        case("QGemm", [a, scale(0.05), np.uint8(100), np.ascontiguousarray(b.T), columns, zeros, totals], transB=1)


def quantized_elements() -> None:
    # Scales with few common multiples: ties would fall to either side.
    for kind in (np.uint8, np.int8):
        a, b = codes(kind, 2, 3, 40), codes(kind, 2, 3, 40)
        zero, other, result = (np.array(v, dtype=kind) for v in (10, 100, 60))
        for op in ("QLinearAdd", "QLinearMul"):
            case(op, [a, scale(0.0317), zero, b, scale(0.0213), other, scale(0.0611), result])
            case(op, [a, scale(0.0317), zero, b[0, 0], scale(0.0213), other, scale(0.0611), result])
        case("QLinearSigmoid", [a, scale(0.0317), zero, scale(1 / 255), np.array(0, dtype=kind)])
        case("QLinearLeakyRelu", [a, scale(0.0317), zero, scale(0.0419), result], alpha=0.1)
        for opset, axis in ((13, -1), (12, 2), (11, 1)):
            case("QLinearSoftmax", [a, scale(0.0317), zero, scale(1 / 128), np.array(0, dtype=kind)], opset=opset, axis=axis)
        case("QLinearConcat", [scale(0.0419), result, a, scale(0.0317), zero, b, scale(0.0213), other], axis=1)
        where = R.random((2, 3, 40)) < 0.5
        case("QLinearWhere", [where, a, scale(0.0317), zero, b, scale(0.0213), other, scale(0.0419), result])


def blocks() -> None:
    for bits in (4, 8):
        for k, n, block in ((32, 5, 16), (72, 8, 32), (128, 16, 64)):
            count = -(-k // block)
            b, scales = codes(np.uint8, n, count, block * bits // 8), normal(n, count, spread=0.02)
            packed = codes(np.uint8, n, -(-count * bits // 8))
            settings = {"K": k, "N": n, "bits": bits, "block_size": block}
            x = normal(2, 3, k)
            case("MatMulNBits", [x, b, scales], **settings)
            case("MatMulNBits", [x, b, scales, packed], **settings)
            case("MatMulNBits", [x, b, scales, None, None, normal(n)], **settings)
            if bits == 4:
                case("MatMulNBits", [x, b, scales, R.uniform(0, 15, (n, count)).astype(F)], **settings)
    for quant_type in (0, 1):
        for k, n, block in ((32, 5, 16), (64, 8, 64), (96, 3, 32)):
            b, absmax = codes(np.uint8, (k * n + 1) // 2), R.uniform(0.1, 1, -(-k * n // block)).astype(F)
            case("MatMulBnb4", [normal(2, 3, k), b, absmax], K=k, N=n, block_size=block, quant_type=quant_type)
    indices = ints([[0, 3, 9], [2, 2, 1]], np.int64)
    for bits, width in ((4, 32), (8, 64)):
        table, scales = codes(np.uint8, 10, width), normal(10, 64 // 16, spread=0.02)
        zeros = codes(np.uint8, 10, 4 * bits // 8)
        case("GatherBlockQuantized", [table, indices, scales, zeros], bits=bits, block_size=16)
        case("GatherBlockQuantized", [table, indices, scales], bits=bits, block_size=16)


def make_model(index: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray], list[str]]:
    domain, op, attributes, inputs, outputs = CASES[index]
    values = {f"x{i}": np.asarray(value) for i, value in enumerate(inputs) if value is not None}
    names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
    node = helper.make_node(op, names, [name or "" for name in outputs], domain=domain, **attributes)
    # Weights are initialisers where a kernel wants constants: everything of 8 bits but the first input.
    constant = {n for n, v in values.items() if n != "x0" and op in ("MatMulNBits", "MatMulBnb4", "QAttention", "GatherBlockQuantized")}
    constant -= {"x5"} if op == "QAttention" else {"x1"} if op == "GatherBlockQuantized" else set()
    constant |= {"x0"} if op == "GatherBlockQuantized" else set()
    graph = helper.make_graph(
        [node],
        "case",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in values.items() if n not in constant],
        [onnx.ValueInfoProto(name=name) for name in outputs if name],
        [numpy_helper.from_array(values[n], n) for n in sorted(constant)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    feeds = {n: v for n, v in values.items() if n not in constant}
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), feeds, [name for name in outputs if name]


def difference(got: np.ndarray, wanted: np.ndarray) -> str:
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return f"{got.dtype}{got.shape} instead of {wanted.dtype}{wanted.shape}"
    if wanted.dtype.kind == "f":
        error = float(np.abs(got - wanted).max() / max(1.0, float(np.abs(wanted).max())))
        return "" if error <= 1e-5 else f"relative error {error:.1e}"
    steps = np.abs(got.astype(np.int64) - wanted.astype(np.int64))
    ties = int(np.count_nonzero(steps))
    if wanted.dtype.itemsize == 1 and steps.max(initial=0) <= 1 and ties * 1000 <= steps.size:
        return ""
    return f"{ties} of {steps.size} differ, by {steps.max()}" if ties else ""


def compare(runner: str, index: int, folder: pathlib.Path) -> str:
    model, feeds, names = make_model(index)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnx.save(model, folder / "model.onnx")
    try:
        session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        wanted = session.run(names, feeds)
    except Exception as error:  # what onnxruntime itself has no kernel for proves nothing
        return f"onnxruntime: {str(error)[:200]}"
    save_file({n: np.ascontiguousarray(v) for n, v in feeds.items()}, folder / "in.safetensors")
    command = [runner, folder / "model.onnx", folder / "in.safetensors", folder / "out.safetensors"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return run.stderr
    outputs = load_file(folder / "out.safetensors")
    problems = [f"{n}: {difference(outputs[n], value)}" for n, value in zip(names, wanted) if difference(outputs[n], value)]
    return "; ".join(problems)


def main() -> int:
    for family in (activations, norms, embeddings, attention, multi_head_attention, rotary, products):
        family()
    for family in (quantized_products, quantized_elements, blocks):
        family()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for index, (_, op, attributes, inputs, _) in enumerate(CASES):
            problem = compare(sys.argv[1], index, pathlib.Path(folder))
            if problem:
                failed += 1
                shapes = ", ".join("-" if v is None else f"{np.asarray(v).dtype}{list(np.shape(v))}" for v in inputs)
                print(f"FAILED {op}({shapes}) {attributes}: {problem}")
    operators = {entry[1] for entry in CASES}
    print(f"{len(CASES) - failed} of {len(CASES)} calls of {len(operators)} operators agree with onnxruntime")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
