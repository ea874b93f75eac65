"""Files as onnxruntime's tools write them, through octavo, against onnxruntime:

    compare_quantized.py [--verbose] [--all] [MODEL.onnx ...]

every model as exported, as onnxruntime optimises it (extended level) and with the fusions of its transformers
tools; each of them in float32, quantised dynamically (int8 and uint8 weights, per tensor and per channel) and
statically (operators and QDQ, three pairs of types), and with weights in blocks of 4 and 8 bits. Of the models
that are taken when none is named, WHOLE is written in every way, the others in every third, another third for
each model and each of its three graphs, so that together they have all; --all writes all of all.

Three things are held for every file:
- `octavo run --reference` gives what onnxruntime gives without further optimisation. A value on the border of
  two steps of 8 bits falls to either side, and what follows drifts; how far is printed by kind of file.
- `octavo run` packs the file: nothing is left that only runs node by node.
- Its result, with the file's weights and without rounded activations, is no further from the float model than
  onnxruntime's, by more than the rounding of the weights explains (cosine).
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization import QuantFormat, QuantType
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
LENGTHS = (11, 24, 7, 16)
OPTIONS = "-q --no-plan-cache --threads 1".split()
VERBOSE = "--verbose" in sys.argv
WHOLE = "bert-classifier-eager-legacy-opset17"  # it has products of every kind that is fused or quantised alone
SHARE = 3
# Relative error (of the largest value) and cosine of a row of --reference against onnxruntime, by kind.
LIMITS = {"float": (2e-5, 0.9999999), "blocks": (2e-5, 0.9999999), "dynamic": (0.05, 0.999), "static": (0.1, 0.998)}


def make_inputs(names, seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    mask = np.array([[int(i < n) for i in range(max(LENGTHS))] for n in LENGTHS], dtype=np.int64)
    given = {
        "input_ids": random.integers(5, 60, mask.shape) * mask + (1 - mask),
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }
    return {name: values.astype(np.int64) for name, values in given.items() if name in names}


def input_names(session) -> list[str]:
    return [i.name for i in session.get_inputs()]


def open_session(path: pathlib.Path, level="ORT_DISABLE_ALL", saved: pathlib.Path | None = None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    onnxruntime.set_default_logger_severity(4)
    if saved is not None:
        options.optimized_model_filepath = str(saved)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Texts(quantization.CalibrationDataReader):
    """One text at a time, as long as it is."""

    def __init__(self, path):
        inputs = make_inputs([i.name for i in onnx.load(path).graph.input], seed=2)
        self.batches = iter([{k: v[i : i + 1, :n] for k, v in inputs.items()} for i, n in enumerate(LENGTHS)])

    def get_next(self):
        return next(self.batches, None)


def fused(path: pathlib.Path, to: pathlib.Path) -> None:
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.enable_shape_inference = False  # it needs packages that nothing else here does
    optimize_model(str(path), model_type="bert", opt_level=0, optimization_options=options).save_model_to_file(str(to))


def in_blocks(path: pathlib.Path, to: pathlib.Path, bits: int, asymmetric: bool) -> None:
    """Every product with a constant matrix as MatMulNBits, blocks of 32."""
    model = onnx.load(path)
    weights = {i.name: i for i in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type != "MatMul" or node.input[1] not in weights:
            continue
        w = numpy_helper.to_array(weights[node.input[1]]).T
        n, k = w.shape
        blocks = -(-k // 32)
        w = np.pad(w, ((0, 0), (0, blocks * 32 - k))).reshape(n, blocks, 32)
        low, high = np.minimum(w.min(2), 0), np.maximum(w.max(2), 0)
        if asymmetric:
            scales = (high - low) / (2**bits - 1) + 1e-12
            zeros = np.rint(-low / scales)
        else:
            scales = np.abs(w).max(2) / (2 ** (bits - 1) - 1) + 1e-12
            zeros = np.full_like(scales, 2 ** (bits - 1))
        codes = np.clip(np.rint(w / scales[..., None]) + zeros[..., None], 0, 2**bits - 1).astype(np.uint8)
        packed, packed_zeros = codes, zeros.astype(np.uint8)
        if bits == 4:
            packed = codes[..., ::2] | codes[..., 1::2] << 4
            padded = np.pad(packed_zeros, ((0, 0), (0, blocks % 2)))
            packed_zeros = padded[:, ::2] | padded[:, 1::2] << 4
        name = node.output[0]
        parts = [("codes", packed), ("scales", scales.astype(np.float32))] + [("zeros", packed_zeros)] * asymmetric
        model.graph.initializer.extend(numpy_helper.from_array(value, f"{name}_{part}") for part, value in parts)
        attributes = {"K": k, "N": n, "bits": bits, "block_size": 32}
        inputs = [node.input[0], *(f"{name}_{part}" for part, _ in parts)]
        new = helper.make_node("MatMulNBits", inputs, [name], node.name, domain="com.microsoft", **attributes)
        node.CopyFrom(new)
    if not any(o.domain == "com.microsoft" for o in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, to)


def recipes():
    """(kind, label, write(float model, path))"""
    for weight in (QuantType.QInt8, QuantType.QUInt8):
        for per_channel in (False, True):
            label = f"dynamic {weight.name}{' per channel' if per_channel else ''}"

            def dynamic(path, to, weight=weight, per_channel=per_channel):
                extra = {"DefaultTensorType": TensorProto.FLOAT}
                quantization.quantize_dynamic(path, to, per_channel=per_channel, weight_type=weight, extra_options=extra)

            yield "dynamic", label, dynamic
    for form in (QuantFormat.QOperator, QuantFormat.QDQ):
        for activation, weight in ((QuantType.QUInt8, QuantType.QInt8), (QuantType.QInt8, QuantType.QInt8), (QuantType.QUInt8, QuantType.QUInt8)):
            for per_channel in (False, True):
                label = f"static {form.name} {activation.name} {weight.name}{' per channel' if per_channel else ''}"

                def static(path, to, form=form, activation=activation, weight=weight, per_channel=per_channel):
                    quantization.quantize_static(
                        path,
                        to,
                        Texts(path),
                        quant_format=form,
                        activation_type=activation,
                        weight_type=weight,
                        per_channel=per_channel,
                        op_types_to_quantize=["MatMul", "Gemm", "Gather", "EmbedLayerNormalization", "Transpose", "Reshape"],
                        extra_options={"DefaultTensorType": TensorProto.FLOAT},
                    )

                yield "static", label, static
    for bits in (4, 8):
        for asymmetric in (False, True):
            label = f"blocks of {bits} bits{' asymmetric' if asymmetric else ''}"
            yield "blocks", label, lambda path, to, bits=bits, asymmetric=asymmetric: in_blocks(path, to, bits, asymmetric)


def kept(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if values.shape[:2] == mask.shape and values.ndim == 3:
        return values[mask == 1].astype(np.float64)
    return values.reshape(-1, values.shape[-1]).astype(np.float64)


def distance(got: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Largest error as a share of the largest value, lowest cosine of a row."""
    error = float(np.abs(got - wanted).max() / np.abs(wanted).max())
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(wanted, axis=1)
    return error, float(((got * wanted).sum(1) / norms).min())


def run_octavo(model: pathlib.Path, folder: pathlib.Path, *flags: str) -> dict[str, np.ndarray]:
    out = folder / f"out{''.join(flags)}.safetensors"
    command = [os.environ["OCTAVO_BINARY"], "run", model, "--inputs", folder / "in.safetensors", "-o", out]
    done = subprocess.run([*command, *OPTIONS, *flags], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return load_file(out)


def packed(model: pathlib.Path) -> str:
    """Why the file has no plan; empty when it has one."""
    command = [os.environ["OCTAVO_BINARY"], "inspect", model, "--json", "--no-plan-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return done.stderr.strip()
    summary = json.loads(done.stdout)
    return "" if summary["packed"] else summary["plan_note"][:1500]


class Spread:
    def __init__(self):
        self.files, self.error, self.cosine, self.wide = 0, 0.0, 1.0, 1.0

    def add(self, error: float, cosine: float, wide: float) -> None:
        self.files += 1
        self.error, self.cosine, self.wide = max(self.error, error), min(self.cosine, cosine), min(self.wide, wide)


def check(kind: str, label: str, path: pathlib.Path, truth: dict, folder: pathlib.Path, spread: dict) -> bool:
    session = open_session(path)
    inputs = make_inputs(input_names(session))
    mask = inputs["attention_mask"]
    names = [o.name for o in session.get_outputs()]
    save_file(inputs, folder / "in.safetensors")
    with ThreadPoolExecutor() as pool:
        runs = pool.submit(run_octavo, path, folder, "--reference"), pool.submit(run_octavo, path, folder)
        note = pool.submit(packed, path)
        wanted = dict(zip(names, session.run(None, inputs)))
    try:
        reference, wide = (run.result() for run in runs)
    except RuntimeError as error:
        print(f"FAILED {label}: {error}")
        return False
    reason = note.result()
    good = not reason
    if reason:
        print(f"FAILED {label}: it has no plan: {reason}")
    for name in names:
        a, b, c, t = (kept(values[name], mask) for values in (reference, wide, wanted, truth))
        error, cosine = distance(a, c)
        near, theirs = distance(b, t)[1], distance(c, t)[1]
        spread.setdefault(kind, Spread()).add(error, cosine, near)
        limits = LIMITS[kind]
        passed = error <= limits[0] and cosine >= limits[1] and near >= theirs - 0.02
        good &= passed
        if VERBOSE or not passed:
            text = f"reference: error {error:.1e}, cosine {cosine:.6f}; from the float model: {1 - near:.1e}, onnxruntime {1 - theirs:.1e}"
            print(f"{'' if passed else 'FAILED '}{label}, {name}: {text}", flush=True)
    return good


def check_model(model: pathlib.Path, folder: pathlib.Path, spread: dict, third: int | None) -> tuple[int, int]:
    """`third`: which of the ways to quantise are taken; None: all."""
    session = open_session(model)
    truth = dict(zip([o.name for o in session.get_outputs()], session.run(None, make_inputs(input_names(session)))))
    plain, optimised, with_fusions = (folder / f"{n}.onnx" for n in ("plain", "optimised", "fused"))
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(model)), plain)
    open_session(model, "ORT_ENABLE_EXTENDED", optimised)
    fused(model, with_fusions)
    done = failed = 0
    for graph, (name, path) in enumerate((("plain", plain), ("optimised", optimised), ("fused", with_fusions))):
        results = [check("float", f"{model.stem} {name}", path, truth, folder, spread)]
        for way, (kind, label, write) in enumerate(recipes()):
            if third is not None and (way + graph + third) % SHARE != 0:
                continue
            to = folder / "quantized.onnx"
            to.unlink(missing_ok=True)
            try:
                write(path, to)
            except Exception as error:  # a file that onnxruntime's tools cannot write proves nothing
                if VERBOSE:
                    print(f"not written: {model.stem} {name} {label}: {type(error).__name__} {error}"[:200])
                continue
            results.append(check(kind, f"{model.stem} {name} {label}", to, truth, folder, spread))
        done += len(results)
        failed += results.count(False)
    return done, failed


def main() -> int:
    warnings.simplefilter("ignore")
    import logging

    logging.disable(logging.WARNING)
    models = [pathlib.Path(p) for p in sys.argv[1:] if not p.startswith("--")]
    every = "--all" in sys.argv or bool(models)
    if not models:
        models = sorted((ROOT / "tests/data/onnx").glob("*.onnx"))
        shared = pathlib.Path(os.environ.get("OCTAVO_SHARED", ROOT / "../shared")) / "goldens/onnx"
        names = (WHOLE, "distilbert-eager-legacy-opset14", "roberta-sdpa-legacy-opset14")
        models += [shared / f"{name}.onnx" for name in names if (shared / f"{name}.onnx").exists()]
        if not shared.exists():
            print(f"left out: the models of {shared}, which is absent")
            if os.environ.get("CI"):
                return 1
    spread: dict[str, Spread] = {}
    total = failures = 0
    parts = itertools.count()
    for model in models:
        third = None if every or model.stem == WHOLE else next(parts)
        with tempfile.TemporaryDirectory() as folder:
            done, failed = check_model(model, pathlib.Path(folder), spread, third)
        total, failures = total + done, failures + failed
    for kind, s in spread.items():
        print(
            f"{kind}: {s.files} outputs, --reference within {s.error:.1e} of onnxruntime, cosine {s.cosine:.6f} and up; "
            f"packed, cosine {s.wide:.6f} and up to the float model"
        )
    print(f"{total - failures} of {total} files agree")
    return 1 if failures or not total else 0


if __name__ == "__main__":
    sys.exit(main())
