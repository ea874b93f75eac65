"""Operators in the forms of every opset that changed them, through octavo's importer and reference
implementations, against onnxruntime.

    compare_opsets.py RUN_ONNX_REFERENCE
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

X = np.random.default_rng(3).standard_normal((2, 3, 4)).astype(np.float32)
REDUCE = ["ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"]


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


# (opsets, operator, attributes, further inputs, outputs)
CASES = [
    *(((7, 11, 13, 17), op, {"axes": [1]}, [], 1) for op in REDUCE),
    *(((7, 11, 13, 17), op, {"axes": [0, 2], "keepdims": 0}, [], 1) for op in REDUCE),
    *(((18, 21), op, {"keepdims": 0}, [ints(-1)], 1) for op in REDUCE),
    *(((11, 13, 18), op, {}, [], 1) for op in REDUCE),
    ((7, 11), "ReduceSum", {"axes": [2]}, [], 1),
    ((13, 18), "ReduceSum", {}, [ints(-1)], 1),
    ((13, 18), "ReduceSum", {"noop_with_empty_axes": 1}, [], 1),
    *(((7, 9, 11), op, {"axis": a}, [], 1) for op in ("Softmax", "LogSoftmax", "Hardmax") for a in (0, 1, 2)),
    *(((7, 11, 13, 17), op, {}, [], 1) for op in ("Softmax", "LogSoftmax", "Hardmax")),
    *(((11, 13), op, {"axis": a}, [], 1) for op in ("Softmax", "LogSoftmax", "Hardmax") for a in (-1, -2)),
    ((7, 11), "Squeeze", {"axes": [0]}, [], 1),
    ((7, 11, 13), "Squeeze", {}, [], 1),
    ((13, 21), "Squeeze", {}, [ints(-3)], 1),
    ((7, 11), "Unsqueeze", {"axes": [0, 4]}, [], 1),
    ((11,), "Unsqueeze", {"axes": [-1]}, [], 1),
    ((13, 21), "Unsqueeze", {}, [ints(1, -1)], 1),
    ((7, 11), "Split", {"axis": 2}, [], 2),
    ((7, 11), "Split", {"axis": 2, "split": [1, 3]}, [], 2),
    ((13, 18), "Split", {"axis": 2}, [ints(3, 1)], 2),
    ((18, 21), "Split", {"axis": 1, "num_outputs": 2}, [], 2),
    ((7, 9), "Slice", {"starts": [1, -3], "ends": [2, 100], "axes": [0, 2]}, [], 1),
    ((7, 9), "Slice", {"starts": [0, 1], "ends": [2, -1]}, [], 1),
    ((10, 11, 13), "Slice", {}, [ints(3), ints(-100), ints(2), ints(-2)], 1),
    ((7, 10), "Clip", {"min": -0.5, "max": 0.5}, [], 1),
    ((7, 10), "Clip", {"max": 0.25}, [], 1),
    ((7, 10), "Clip", {}, [], 1),
    ((11, 12, 13), "Clip", {}, [np.float32(-0.5)], 1),
    ((7, 9), "TopK", {"axis": 2, "k": 2}, [], 2),
    ((10, 11), "TopK", {"axis": 1}, [ints(2)], 2),
    ((7, 10), "Pad", {"pads": [0, 1, 2, 0, 0, 1], "value": 1.5}, [], 1),
    ((7, 10), "Pad", {"pads": [0, 1, 2, 0, 0, 1], "mode": "reflect"}, [], 1),
    ((11, 13, 18), "Pad", {"mode": "edge"}, [ints(0, 1, 2, 0, 0, 1)], 1),
    ((18, 19), "Pad", {}, [ints(1, 2), np.float32(3), ints(-1)], 1),
    ((7, 10), "Dropout", {"ratio": 0.3}, [], 1),
    ((12, 13), "Dropout", {}, [np.float32(0.3)], 1),
    ((9, 10), "Scatter", {"axis": 1}, [np.zeros((2, 1, 4), np.int64), np.ones((2, 1, 4), np.float32)], 1),
    ((11, 13), "ScatterElements", {"axis": 1}, [np.zeros((2, 1, 4), np.int64), np.ones((2, 1, 4), np.float32)], 1),
    ((7, 9, 11, 13), "Flatten", {"axis": 2}, [], 1),
    ((7, 13, 14), "Reshape", {}, [ints(0, -1)], 1),
    ((7, 9, 13), "Cast", {"to": int(TensorProto.INT64)}, [], 1),
    ((7, 12, 13, 15), "Pow", {}, [np.float32(2)], 1),
    ((7, 10, 15, 19), "Shape", {}, [], 1),
    ((7, 9), "Gemm", {"transB": 1}, [np.ones((5, 4), np.float32), np.ones(5, np.float32)], 1),
    ((11, 14), "CumSum", {"exclusive": 1, "reverse": 1}, [ints(1)], 1),
    ((8, 13), "Expand", {}, [ints(2, 1, 3, 4)], 1),
    ((7, 11, 13), "ArgMax", {"axis": 2}, [], 1),
    ((7, 11), "Gather", {"axis": 1}, [ints(2, 0)], 1),
]


def compare(runner: str, case, opset: int, folder: pathlib.Path) -> bool:
    _, op, attributes, more, outputs = case
    x = {"Gemm": X[0], "Squeeze": X[:1]}.get(op, X)
    names = [f"i{i}" for i in range(len(more))]
    results = [f"y{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], results, **attributes)],
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [onnx.ValueInfoProto(name=name) for name in results],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in zip(names, more)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4 if opset < 11 else 8)
    path = folder / "model.onnx"
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    wanted = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    save_file({"x": x}, folder / "in.safetensors")
    run = subprocess.run([runner, path, folder / "in.safetensors", folder / "out.safetensors"], capture_output=True, text=True)
    label = f"{op} {attributes} opset {opset}"
    if run.returncode != 0:
        print(f"FAILED {label}: {run.stderr}")
        return False
    got = load_file(folder / "out.safetensors")
    for name, value in zip(results, wanted):
        same = got[name].shape == value.shape and got[name].dtype == value.dtype
        if not same or not np.allclose(got[name], value, rtol=1e-5, atol=1e-6):
            print(f"FAILED {label}, {name}: {got[name]} instead of {value}")
            return False
    return True


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(sys.argv[1], case, opset, pathlib.Path(folder)) for case in CASES for opset in case[0]]
    print(f"{sum(results)} of {len(results)} agree with onnxruntime")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
