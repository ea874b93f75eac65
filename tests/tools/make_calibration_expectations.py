#!/usr/bin/env python3
"""Writes tests/data/calibration/observers.json: streams of samples and the ranges that onnxruntime.quantization.calibrate
finds for them, which src/quant/observer_test.cc holds octavo's observers to. Needs the packages of tests/requirements.txt.

Samples are made by the generator below, which the test has too; the file has their seeds and the expected ranges alone.
"""
import json, os, sys, tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization import calibrate

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZE = 4096


def samples(kind, seed, count):
    """As in observer_test.cc: a 32-bit congruential generator, sums of four draws, and a shape by kind."""
    state = seed
    out = []
    for n in range(count):
        values = np.zeros(SIZE, np.float32)
        for i in range(1, SIZE):  # a zero first: magnitudes are counted from it
            total = 0
            for _ in range(4):
                state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
                total += state >> 8
            x = total / float(1 << 24) - 2.0
            if kind == "skewed":
                x = x * x * 3.0 - 0.25
            elif kind == "outliers" and i % 509 == 0:
                x *= 8.0
            elif kind == "growing":
                x *= 1.0 + 0.1 * n
            values[i] = np.float32(x)
        out.append(values)
    return out


class Reader(calibrate.CalibrationDataReader):
    def __init__(self, arrays):
        self.arrays = iter(arrays)

    def get_next(self):
        array = next(self.arrays, None)
        return None if array is None else {"x": array}


def min_max(arrays, moving, symmetric):
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIZE])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.onnx")
        onnx.save(model, path)
        calibrator = calibrate.MinMaxCalibrater(path, augmented_model_path=os.path.join(folder, "a.onnx"),
                                                symmetric=symmetric, moving_average=moving)
        calibrator.augment_graph()
        calibrator.create_inference_session()
        calibrator.collect_data(Reader(arrays))  # one call, as quantize_static makes it: the average is the mean
        found = calibrator.compute_data()["x"].range_value
    return [float(np.squeeze(found[0])), float(np.squeeze(found[1]))]


def histogram(arrays, method, symmetric, bins, levels, percentile):
    collector = calibrate.HistogramCollector(method, symmetric, bins, levels, percentile, "same")
    for array in arrays:
        collector.collect({"x": [array] if symmetric and method == "percentile" else array})
    low, high = collector.compute_collection_result()["x"][:2]
    return [float(low), float(high)]


def main():
    cases = []
    for kind in ("bell", "skewed", "outliers", "growing"):
        arrays = samples(kind, 12345, 6)
        for symmetric in (False, True):
            for method in ("minmax", "moving_average"):
                cases.append({"kind": kind, "method": method, "symmetric": symmetric,
                              "range": min_max(arrays, method == "moving_average", symmetric)})
            for percentile in (99.0, 99.999):
                cases.append({"kind": kind, "method": "percentile", "symmetric": symmetric, "percentile": percentile,
                              "range": histogram(arrays, "percentile", symmetric, 2048, 128, percentile)})
        for bins, levels in ((2048, 128), (512, 256)):
            cases.append({"kind": kind, "method": "entropy", "symmetric": False, "bins": bins, "quantized_levels": levels,
                          "range": histogram(arrays, "entropy", False, bins, levels, 99.999)})
    path = os.path.join(ROOT, "tests/data/calibration/observers.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        lines = ",\n".join(json.dumps(case) for case in cases)
        out.write('{"seed": 12345, "samples": 6, "size": %d, "cases": [\n%s\n]}\n' % (SIZE, lines))


if __name__ == "__main__":
    sys.exit(main())
