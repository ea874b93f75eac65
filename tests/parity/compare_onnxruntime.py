"""Published ONNX models, run op by op with octavo's reference implementations, against onnxruntime.

    compare_onnxruntime.py RUN_ONNX_REFERENCE [MODEL.onnx ...]

Without models: every onnx/*/model.onnx of $OCTAVO_MODELS (default ~/.cache/octavo/models). The batch
is padded on the right; only what attention_mask keeps is compared. onnxruntime runs without graph
optimisations, so that quantized models round where the file says. A value on the border of two steps
of 8 bits falls to either side all the same, and what follows drifts apart; so a quantized model runs
twice: once freely, within a wide limit, and once from onnxruntime's quantized values, within the
limit of float models.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file

LENGTHS = (7, 24, 16)
# Largest difference, as a share of the largest value, and lowest cosine of a row.
FLOAT_LIMIT = (1e-5, 0.9999999999)
FREE_QUANTIZED_LIMIT = (0.2, 0.97)


def make_inputs(session) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    mask = np.array([[int(i < n) for i in range(max(LENGTHS))] for n in LENGTHS], dtype=np.int64)
    given = {
        "input_ids": random.integers(1000, 28000, mask.shape) * mask,
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }
    return {i.name: given[i.name].astype(np.int64) for i in session.get_inputs()}


def kept(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Rows that are no padding."""
    if values.shape[:2] == mask.shape and values.ndim == 3:
        return values[mask == 1]
    return values.reshape(-1, values.shape[-1])


def open_session(model: onnx.ModelProto, folder: pathlib.Path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    onnx.save(model, folder / "model.onnx")
    return onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])


def run_octavo(runner: str, values: dict[str, np.ndarray], folder: pathlib.Path) -> dict[str, np.ndarray]:
    save_file(values, folder / "in.safetensors")
    subprocess.run(
        [runner, str(folder / "model.onnx"), str(folder / "in.safetensors"), str(folder / "out.safetensors")],
        check=True,
    )
    return load_file(folder / "out.safetensors")


def check(label: str, got: np.ndarray, wanted: np.ndarray, mask: np.ndarray, limits: tuple[float, float]) -> bool:
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        print(f"{label}: {got.dtype}{got.shape} instead of {wanted.dtype}{wanted.shape} FAILED")
        return False
    if wanted.dtype.kind != "f":
        same = bool((got == wanted).all())
        print(f"{label}: {'equal' if same else 'different FAILED'}")
        return same
    a, b = kept(got, mask).astype(np.float64), kept(wanted, mask).astype(np.float64)
    error = float(np.abs(a - b).max() / np.abs(b).max())
    cosine = float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
    passed = error <= limits[0] and cosine >= limits[1]
    print(f"{label}: relative error {error:.1e}, cosine {cosine:.10f}{'' if passed else ' FAILED'}")
    return passed


def compare(runner: str, path: pathlib.Path, folder: pathlib.Path) -> bool:
    model = onnx.load(path)
    names = [output.name for output in model.graph.output]
    quantized = [o for n in model.graph.node if n.op_type == "DynamicQuantizeLinear" for o in n.output]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in quantized)
    session = open_session(model, folder)
    inputs = make_inputs(session)
    wanted = dict(zip(names + quantized, session.run(None, inputs)))
    del model.graph.output[len(names) :]
    onnx.save(model, folder / "model.onnx")
    runs = [("", inputs, FLOAT_LIMIT)]
    if quantized:
        given = inputs | {name: wanted[name] for name in quantized}
        runs = [(" free", inputs, FREE_QUANTIZED_LIMIT), (" from the same bytes", given, FLOAT_LIMIT)]
    good = True
    for label, values, limits in runs:
        outputs = run_octavo(runner, values, folder)
        for name in names:
            full = f"{path.parent.name}{label}, {name}"
            good &= check(full, outputs[name], wanted[name], inputs["attention_mask"], limits)
    return good


def main() -> int:
    runner = sys.argv[1]
    models = [pathlib.Path(p) for p in sys.argv[2:]]
    if not models:
        folder = pathlib.Path(os.environ.get("OCTAVO_MODELS", "~/.cache/octavo/models")).expanduser() / "onnx"
        models = sorted(folder.glob("*/model.onnx"))
        if not models:
            print(f"left out: {folder} is absent")
            return 1 if os.environ.get("CI") else 0
    with tempfile.TemporaryDirectory() as scratch:
        results = [compare(runner, model, pathlib.Path(scratch)) for model in models]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
