"""Compares the ranges that calibrate_model finds for every float value of a small model with those that
onnxruntime.quantization's calibrators find, value by value: min-max and percentile, on samples of one length (the
calibrators of onnxruntime need that).

usage: compare_ranges.py CALIBRATE_MODEL
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnxruntime.quantization import calibrate

MODEL = pathlib.Path("tests/data/onnx/bert-sdpa-dynamo-opset18.onnx")
LENGTH, COUNT = 12, 10


class Reader(calibrate.CalibrationDataReader):
    def __init__(self, inputs, samples):
        self.feeds = iter([{name: {"input_ids": ids, "attention_mask": np.ones_like(ids),
                                   "token_type_ids": np.zeros_like(ids)}[name] for name in inputs} for ids in samples])

    def get_next(self):
        return next(self.feeds, None)


def main():
    tool = sys.argv[1]
    model = onnx.load(MODEL)
    inputs = [i.name for i in model.graph.input]
    draw = random.Random(5)
    ids = [[2] + [draw.randrange(5, 900) for _ in range(LENGTH - 2)] + [3] for _ in range(COUNT)]
    samples = [np.array([row], np.int64) for row in ids]
    # Values that float sums of another order make differ a little; histograms by a bin.
    failures = compared = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lines = folder / "ids.txt"
        lines.write_text("".join(" ".join(map(str, row)) + "\n" for row in ids))
        methods = {
            "minmax": lambda path: calibrate.MinMaxCalibrater(path, augmented_model_path=str(folder / "a.onnx")),
            "percentile": lambda path: calibrate.PercentileCalibrater(path, augmented_model_path=str(folder / "a.onnx"),
                                                                      symmetric=False, num_bins=2048, percentile=99.999),
        }
        for method, make in methods.items():
            calibrator = make(str(MODEL))
            calibrator.augment_graph()
            calibrator.create_inference_session()
            for sample in samples:  # histograms grow sample by sample, as octavo's do
                calibrator.collect_data(Reader(inputs, [sample]))
            expected = {name: [float(np.squeeze(x)) for x in data.range_value]
                        for name, data in calibrator.compute_data().items()}
            done = subprocess.run([tool, str(MODEL), method, str(lines)], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"calibrate_model {method}: {done.stderr}")
            found = json.loads(done.stdout)
            names = sorted(set(found) & set(expected))
            assert len(names) >= 30, f"{method}: only {len(names)} values in common"
            for name in names:
                most = max(map(abs, expected[name]))
                bound = 1e-5 * most + 1e-6 + (most * 2.1 / 2048 if method == "percentile" else 0)
                compared += 1
                if any(abs(a - b) > bound for a, b in zip(found[name], expected[name])):
                    failures += 1
                    print(f"{method} {name}: {found[name]} but onnxruntime {expected[name]}")
    print(f"{compared} ranges compared, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
