#!/usr/bin/env python3
"""Files of `octavo quantize` in onnxruntime, beside the float model and beside onnxruntime's own quantiser.

    quantize_oracle.py [--verbose] [MODEL ...]

Without MODEL: a tiny BERT (tests/data/onnx). Of a model directory or .onnx: the matrix {dynamic, static} x {QOperator, QDQ} x
{QInt8, QUInt8} x {per tensor, per channel} x {level 0, 2}, octavo's own scheme, weights alone in blocks of 8 and 4 bits,
float16 and bfloat16. Four things are held:

- the file passes the full check of the onnx package, onnxruntime loads it, and (tiny BERT) each kept token's row has at least
  the cosine of BOUNDS with that of the float model; of a MODEL the cosine is printed with --verbose;
- `octavo run --precision fp32` of the file is no further from the float model than onnxruntime's run of it, by more than
  SLACK and a tenth of that distance (1 - cosine): octavo leaves the rounding of activations out, which weights that one
  scale for a whole matrix has made poor need not gain from;
- files in QDQ form that `octavo optimize` is run on keep their integers and their outputs;
- dynamic quantisation at level 0 with one scale a table has the very integers, scales and zero points that
  onnxruntime.quantization.quantize_dynamic writes under the same names; static quantisation has the weights of quantize_static,
  in either format, symmetric or not.
"""

import collections
import itertools
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from safetensors.numpy import load_file, save_file

from oracle import DATA, checked, cosines, octavo, octavo_json, open_session

VERBOSE = "--verbose" in sys.argv
# Lowest cosine of a row with the float model's, by mode; of a model with random weights, whose errors nothing averages.
BOUNDS = {"dynamic": 0.997, "static": 0.98, "octavo": 0.998, "int8": 0.998, "int4": 0.95, "float16": 0.99999, "bfloat16": 0.9995}
SLACK = 2e-3


def matrix():
    for mode, form, kind, channel, level in itertools.product(
        ("dynamic", "static"), ("QOperator", "QDQ"), ("QInt8", "QUInt8"), (False, True), (0, 2)
    ):
        flags = ["--mode", mode, "--format", form, "--weight-type", kind, "--level", str(level)]
        flags += ["--per-channel"] if channel else []
        yield mode, flags + (["--activation-type", "QInt8"] if mode == "static" and kind == "QInt8" else [])
    yield "dynamic", ["--mode", "dynamic", "--activation-type", "QInt8"]
    yield "dynamic", ["--mode", "dynamic", "--level", "2", "--tables", "tensor"]
    yield "dynamic", ["--preset", "avx2", "--level", "2"]
    yield "dynamic", ["--preset", "avx512"]
    yield "static", ["--mode", "static", "--activation-type", "QUInt8", "--level", "2"]
    yield "static", ["--mode", "static", "--format", "QDQ", "--quantize-outputs"]
    yield "octavo", []
    yield "octavo", ["--level", "2"]
    yield "octavo", ["--tables", "float"]
    for block, blocks in ((16, []), (32, ["--asymmetric"]), (64, ["--accuracy-level", "4"])):
        yield "int8", ["--mode", "int8", "--block-size", str(block), *blocks]
        yield "int4", ["--mode", "int4", "--block-size", str(block), *blocks]
        yield "int4", ["--mode", "int4", "--format", "QDQ", "--block-size", str(block), *(b for b in blocks if b == "--asymmetric")]
    yield "int4", ["--mode", "int4", "--format", "QDQ", "--level", "2", "--external-data"]
    yield "int8", ["--mode", "int8", "--format", "QDQ"]
    yield "int8", ["--mode", "int8", "--level", "2"]
    yield "float16", ["--mode", "float16"]
    yield "float16", ["--mode", "float16", "--level", "2"]
    yield "float16", ["--mode", "float16", "--no-keep-io-types"]
    yield "float16", ["--mode", "float16", "--keep-float", "LayerNormalization,Softmax"]
    yield "bfloat16", ["--mode", "bfloat16"]
    yield "bfloat16", ["--mode", "bfloat16", "--level", "2"]


def tiny(folder: pathlib.Path) -> pathlib.Path:
    """A model directory with a tokenizer, which calibration needs."""
    shutil.copytree(DATA / "tiny-embedder", folder)
    shutil.copy(DATA / "onnx/bert-sdpa-dynamo-opset18.onnx", folder / "model.onnx")
    shutil.copy(DATA / "models/bert/config.json", folder / "config.json")
    return folder


def make_inputs(session) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    lengths = (17, 24, 5)
    mask = np.array([[int(i < n) for i in range(max(lengths))] for n in lengths], dtype=np.int64)
    given = {"input_ids": random.integers(5, 900, mask.shape) * mask, "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
    return {i.name: given[i.name] for i in session.get_inputs()}


def rows(output: np.ndarray, mask: np.ndarray) -> np.ndarray:
    output = output.astype(np.float64)
    return output[mask == 1] if output.ndim == 3 else output.reshape(len(output), -1)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(cosines(a, b).min())


def quantize(source, out, *flags) -> dict:
    return octavo_json("quantize", source, "-o", out, *flags)


def run_octavo(model, inputs, folder) -> list[np.ndarray]:
    save_file(inputs, folder / "in.safetensors")
    octavo("run", model, "--inputs", folder / "in.safetensors", "-o", folder / "out.safetensors", "-q", "--precision", "fp32", "--no-plan-cache")
    return load_file(folder / "out.safetensors")


def check_four_bits(model: onnx.ModelProto, flags: list[str]) -> None:
    """QDQ with 4 bits: every DequantizeLinear of a product reads int4, or uint4 with --asymmetric."""
    wanted = TensorProto.UINT4 if "--asymmetric" in flags else TensorProto.INT4
    types = {t.name: t.data_type for t in model.graph.initializer}
    read = [types[n.input[0]] for n in model.graph.node if n.op_type == "DequantizeLinear" and any(a.name == "block_size" for a in n.attribute)]
    assert read and set(read) == {wanted}, (flags, read)


def check_matrix(source: pathlib.Path, texts: pathlib.Path, folder: pathlib.Path, held: bool) -> int:
    reference = open_session(source / "model.onnx" if source.is_dir() else source)
    inputs = make_inputs(reference)
    mask = inputs["attention_mask"]
    name = reference.get_outputs()[0].name
    wanted = rows(reference.run([name], inputs)[0], mask)
    failures = 0
    for number, (mode, flags) in enumerate(matrix()):
        out = folder / str(number)
        report = quantize(source, out, *flags, *(["--calibration", str(texts)] if mode == "static" else []))
        model = checked(report["path"])
        if mode == "int4" and "QDQ" in flags:
            check_four_bits(model, flags)
        session = open_session(report["path"])
        found = rows(session.run([name], inputs)[0], mask)
        near = cosine(found, wanted)
        kept = dict(inputs)
        if any(i.type == "tensor(float16)" for i in session.get_inputs()):
            raise SystemExit("token ids became floats")
        own = cosine(rows(run_octavo(report["path"], kept, folder)[name], mask), wanted)
        if mode.endswith("float16"):
            assert octavo_json("inspect", report["path"], "--no-plan-cache")["packed_weight_bytes"] > 0, (flags, "not packed")
        bad = own < near - SLACK - (1 - near) / 10 or report["quantized"] == 0 or (held and near < BOUNDS[mode])
        # Rounding must be there: a file that is the float model under another name proves nothing.
        bad = bad or near > 1 - 1e-12
        failures += bad
        if bad or VERBOSE:
            ops = collections.Counter(node.op_type for node in model.graph.node)
            shown = {op: n for op, n in ops.items() if "Quant" in op or "Integer" in op or op in ("QLinearMatMul", "QAttention", "MatMulNBits", "MatMul", "Attention", "MultiHeadAttention")}
            print(f"{'FAILED ' if bad else ''}{' '.join(flags) or 'octavo'}: cosine {near:.6f}, octavo's own run {own:.6f}, {report['bytes'] / report['source_bytes']:.2f} of the size, {shown}")
        shutil.rmtree(out)
    print(f"{number + 1} files, {failures} failures")
    return failures


def check_optimized(source: pathlib.Path, texts: pathlib.Path, folder: pathlib.Path) -> int:
    """Files in QDQ form that are optimised afterwards: they keep their integers and give the same."""
    failures = 0
    for flags in (["--mode", "static", "--calibration", str(texts)], ["--mode", "int4"], ["--mode", "int8"]):
        first = quantize(source, folder / "first", *flags, "--format", "QDQ", "--force")
        before = open_session(first["path"], fused=False)
        inputs = make_inputs(before)
        name = before.get_outputs()[0].name
        wanted = rows(before.run([name], inputs)[0], inputs["attention_mask"])
        for level in (1, 2):
            second = octavo_json("optimize", folder / "first", "-o", folder / "second", "--level", level, "--force")
            checked(second["path"])
            found = rows(open_session(second["path"], fused=False).run([name], inputs)[0], inputs["attention_mask"])
            near = cosine(found, wanted)
            bad = near < 0.9999 or second["bytes"] > 1.05 * first["bytes"]
            failures += bad
            if bad or VERBOSE:
                print(f"{'FAILED ' if bad else ''}{flags[1]}, then level {level}: cosine {near:.6f}, {first['bytes']} bytes became {second['bytes']}")
    return failures


def initializers(path) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def differing(theirs: dict, ours: dict, wanted: list[str], flags: list[str]) -> int:
    failures = 0
    for name in wanted:
        same = name in ours and ours[name].dtype == theirs[name].dtype and ours[name].shape == theirs[name].shape
        same = same and ours[name].tobytes() == theirs[name].tobytes()
        failures += not same
        if not same:
            print(f"FAILED {' '.join(flags)}: {name} differs")
    if VERBOSE:
        print(f"{' '.join(flags)}: {len(wanted)} initialisers, {failures} differ from onnxruntime's")
    return failures


def check_integers(source: pathlib.Path, texts: pathlib.Path, folder: pathlib.Path) -> int:
    """Initialisers against onnxruntime's quantiser, bit for bit."""
    model = source / "model.onnx" if source.is_dir() else source
    theirs_path, out = folder / "theirs.onnx", folder / "ours"
    failures = 0
    kinds, yes_or_no = ("QInt8", "QUInt8"), (False, True)
    for kind, channel, reduced, symmetric in itertools.product(kinds, yes_or_no, yes_or_no, (None, True, False)):
        options = {} if symmetric is None else {"WeightSymmetric": symmetric}
        quantize_dynamic(model, theirs_path, weight_type=getattr(QuantType, kind), per_channel=channel, reduce_range=reduced, extra_options=options)
        flags = ["--mode", "dynamic", "--weight-type", kind, "--tables", "tensor", *symmetry(symmetric)]
        flags += ["--per-channel"] * channel + ["--reduce-range"] * reduced
        report = quantize(source, out, *flags, "--force")
        theirs, ours = initializers(theirs_path), initializers(report["path"])
        wanted = [n for n in theirs if n.endswith(("_quantized", "_zero_point")) or n.removesuffix("_scale") + "_quantized" in theirs]
        assert len(wanted) >= 3 * 18, wanted
        failures += differing(theirs, ours, wanted, flags)
    for form, kind, channel, symmetric in itertools.product(("QOperator", "QDQ"), kinds, yes_or_no, (None, True, False)):
        options = {"QDQOpTypePerChannelSupportToAxis": {"MatMul": 1}}
        options.update({} if symmetric is None else {"WeightSymmetric": symmetric})
        quantize_static(
            model, theirs_path, OneInput(model), quant_format=getattr(QuantFormat, form), op_types_to_quantize=["MatMul"],
            per_channel=channel, weight_type=getattr(QuantType, kind), activation_type=QuantType.QUInt8, extra_options=options
        )
        flags = ["--mode", "static", "--format", form, "--weight-type", kind, "--tables", "float", "--calibration", str(texts)]
        flags += ["--per-channel"] * channel + symmetry(symmetric)
        report = quantize(source, out, *flags, "--force")
        theirs, ours = initializers(theirs_path), initializers(report["path"])
        weights = [n.removesuffix("_quantized") for n in theirs if n.endswith("_quantized")]
        assert len(weights) >= 12, weights
        failures += differing(theirs, ours, [n + s for n in weights for s in ("_quantized", "_scale", "_zero_point")], flags)
    return failures


def symmetry(symmetric: bool | None) -> list[str]:
    return [] if symmetric is None else ["--symmetric" if symmetric else "--asymmetric"]


class OneInput(CalibrationDataReader):
    """Weights do not depend on what activations are calibrated with."""

    def __init__(self, model):
        self.left = [make_inputs(open_session(model))]

    def get_next(self):
        return self.left.pop() if self.left else None


def main() -> int:
    models = [pathlib.Path(a) for a in sys.argv[1:] if not a.startswith("-")]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        texts = folder / "texts.txt"
        words = json.loads((DATA / "embeddings/texts.json").read_text(encoding="utf-8"))
        texts.write_text("\n".join(" ".join(text.split()) for text in words if text.strip()) + "\n", encoding="utf-8")
        failures = 0
        for source in models or [tiny(folder / "model")]:
            failures += check_integers(source, texts, folder)
            failures += check_optimized(source, texts, folder)
            failures += check_matrix(source, texts, folder, held=not models)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
