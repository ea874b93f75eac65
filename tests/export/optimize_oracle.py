#!/usr/bin/env python3
"""Files of `octavo optimize` against what they are made from, in onnxruntime.

    optimize_oracle.py         the ONNX files of goldens/onnx in $OCTAVO_SHARED (or ../shared), those of tests/data/onnx, and
                               the directories of tests/data/models beside what the reference implementation gives
    optimize_oracle.py models  real models of $OCTAVO_MODELS (or ~/.cache/octavo/models)

Each file is optimised at every level. The result passes the full check of the onnx package, and gives the outputs of the
source within 1e-5 at kept tokens: alone, right-padded and left-padded. At level 2 it has the nodes that its structure needs
and no more: what those are is the table below.
"""
import collections, json, os, pathlib, re, subprocess, sys, tempfile

import numpy as np
import onnx
import onnxruntime as ort
from safetensors.numpy import load_file

import made_graphs

OCTAVO = os.environ.get("OCTAVO_BINARY", "build/release/octavo")
SHARED = pathlib.Path(os.environ.get("OCTAVO_SHARED", "../shared"))
MODELS = pathlib.Path(os.environ.get("OCTAVO_MODELS", pathlib.Path.home() / ".cache/octavo/models"))
LOCAL = pathlib.Path("tests/data/onnx")
DIRECTORIES = pathlib.Path("tests/data/models")
BOUND = 1e-5

# Nodes at level 2, by what a name begins with: layers, nodes beside them, nodes of a layer.
# BERT: 3 Casts, EmbedLayerNormalization; a layer is Attention, MatMul, SkipLayerNormalization, MatMul, BiasGelu, MatMul,
# SkipLayerNormalization. DistilBERT has no segments, RoBERTa counts positions (Equal, Where, CumSum, Mul), a classifier or
# pooler reads the first token (Gather, Gemm, Tanh, Gemm). ModernBERT has tables of positions and of the local window, and
# its layers rotate query and key, and gate; its heads pool, by the mask where they take the mean. MPNet counts positions as
# RoBERTa does and has a bias by distance.
BUDGET = {
    "bert-classifier": (3, 8, 7), "bert": (3, 4, 7), "distilbert": (3, 3, 7), "roberta": (3, 7, 7), "modernbert": (4, 20, 13),
    "xlm-roberta-classifier": (3, 11, 7), "mpnet": (2, 16, 7), "modernbert-classifier-cls": (3, 26, 13),
    "modernbert-classifier-mean": (3, 32, 13),
    "bge-small": (12, 4, 7), "e5-small": (12, 4, 7), "all-minilm": (6, 7, 7), "minilm-opset17": (6, 4, 7),
    "paraphrase-MiniLM-L3": (3, 14, 7),
}


def session(path):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def batches(padding):
    """(input_ids, attention_mask, token_type_ids) and which rows have no padding."""
    random = np.random.default_rng(1)
    for side, sequence, lengths in (("right", 7, [7]), ("right", 9, [9, 4, 1]), ("left", 9, [9, 4, 1]),
                                    ("right", 40, [17, 40]), ("left", 40, [17, 40])):
        ids = np.full((len(lengths), sequence), padding, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, length in enumerate(lengths):
            kept = slice(0, length) if side == "right" else slice(sequence - length, sequence)
            ids[row, kept] = random.integers(5, 64, length)
            mask[row, kept] = 1
            types[row, kept] = random.integers(0, 2, length)
        yield side, ids, mask, types


def difference(before, after, mask, side):
    """Largest difference at kept tokens; a value for the whole row counts where the row's first token is kept."""
    assert before.shape == after.shape, (before.shape, after.shape)
    error = np.abs(before.astype(np.float64) - after)
    if before.shape[:2] == mask.shape and before.ndim == 3:
        error = error[mask == 1]
    elif side == "left":
        error = error[mask[:, 0] == 1]
    return float(np.max(error)) if error.size else 0.0


def optimize(source, directory, level, more=()):
    command = [OCTAVO, "optimize", str(source), "-o", str(directory), "--level", str(level), "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def compare(source, written, name):
    a, b = session(source), session(written)
    names = [i.name for i in a.get_inputs()]
    assert names == [i.name for i in b.get_inputs()], "the inputs changed"
    assert [o.name for o in a.get_outputs()] == [o.name for o in b.get_outputs()], "the outputs changed"
    worst = 0.0
    padding = 1 if re.search("roberta|mpnet", name) else 0
    for side, ids, mask, types in batches(padding):
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        feed = {name: given[name.split(":")[0]] for name in names}
        for before, after in zip(a.run(None, feed), b.run(None, feed)):
            worst = max(worst, difference(before, after, mask, side))
    return worst


def check_file(path, report):
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.load(path, load_external_data=False).graph
    ops = collections.Counter(f"{n.domain}.{n.op_type}".lstrip(".") for n in graph.node)
    assert dict(ops) == report["ops_after"] and sum(ops.values()) == report["nodes_after"], "the report is wrong"
    return ops


def check_budget(name, ops):
    layers, beside, each = BUDGET[max((n for n in BUDGET if name.startswith(n)), key=len)]
    attention = ops["com.microsoft.Attention"] + ops["com.microsoft.MultiHeadAttention"]
    assert attention == layers, f"{attention} attention nodes for {layers} layers: {dict(ops)}"
    assert sum(ops.values()) <= beside + each * layers, f"{sum(ops.values())} nodes: {dict(ops)}"


def check_onnx(name, source, directory):
    line = []
    for level in (0, 1, 2, 99):
        report = optimize(source, directory / f"{name}-{level}", level)
        ops = check_file(report["path"], report)
        if level >= 2:
            check_budget(name, ops)
        worst = compare(source, report["path"], name)
        assert worst <= BOUND, f"level {level}: outputs differ by {worst:.2g}"
        line.append(f"{level}: {report['nodes_after']} ({worst:.1g})")
    print(f"{name}: {report['nodes_before']} nodes; " + ", ".join(line), flush=True)


def check_directory(name, source, directory):
    """A checkpoint: against what its reference implementation gave."""
    expected = load_file(source / "expected.safetensors")
    mask = expected["attention_mask"]
    line = []
    for level in (0, 2):
        report = optimize(source, directory / f"{name}-directory-{level}", level)
        ops = check_file(report["path"], report)
        if level == 2:
            check_budget(name, ops)
        model = session(report["path"])
        outputs = model.run(None, {i.name: expected[i.name].astype(np.int64) for i in model.get_inputs()})
        found = {o.name: value for o, value in zip(model.get_outputs(), outputs)}
        key = "logits" if "logits" in expected else "last_hidden_state"
        worst = difference(expected[key], found[key], mask, "right")
        assert worst <= 1e-4, f"level {level}: outputs differ from the reference by {worst:.2g}"
        line.append(f"{level}: {report['nodes_after']} ({worst:.1g})")
    print(f"{name} (checkpoint): " + ", ".join(line), flush=True)


def check_names(source, directory):
    command = [OCTAVO, "optimize", str(source), "-o", str(directory / "names"), "--disable", "fuse_atention"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "fuse_attention" in done.stderr, "no suggestion for a pass that does not exist"
    assert not (directory / "names").exists(), "a refused command left something behind"
    report = optimize(source, directory / "without", 2, ["--disable", "fuse_attention,fuse_bias_gelu"])
    assert not any("Attention" in op or "Gelu" in op for op in report["ops_after"]), report["ops_after"]
    check_file(report["path"], report)
    assert compare(source, report["path"], source.name) <= BOUND
    print("--disable: as it says", flush=True)


def loaded_ops(path, directory):
    """The operators that onnxruntime runs after the optimisations that it makes itself."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(directory / "loaded.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return collections.Counter(node.op_type for node in onnx.load(directory / "loaded.onnx").graph.node)


def check_made(name, make, wanted, directory, loaded=None):
    """A graph of a form of its own: the operators that it must get, and those that onnxruntime makes of the rest."""
    source = directory / f"{name}.onnx"
    make(source)
    report = optimize(source, directory / "out", 2)
    ops = check_file(report["path"], report)
    for op, count in wanted.items():
        assert ops[f"com.microsoft.{op}"] == count, f"{op}: {dict(ops)}"
    for op, count in (loaded or {}).items():
        found = loaded_ops(report["path"], directory)
        assert found[op] == count, f"{op} after loading: {dict(found)}"
    worst = compare(source, report["path"], name)
    assert worst <= BOUND, f"outputs differ by {worst:.2g}"
    print(f"{name}: {report['nodes_before']} nodes; 2: {report['nodes_after']} ({worst:.1g})", flush=True)


MADE = {
    "bias by distance": (lambda path: made_graphs.biased_attention(path, True, 0), {"Attention": 1}),
    # onnxruntime's Attention without the input for biases ends the process.
    "products without biases": (lambda path: made_graphs.biased_attention(path, False, 0, False), {"Attention": 1}),
    "local window": (lambda path: made_graphs.biased_attention(path, False, 2), {"Attention": 1}),
    # The norm without a skip has no name that a checker knows; written out, it is what onnxruntime fuses at load.
    "RMS norms": (made_graphs.rms_norms, {"SkipSimplifiedLayerNormalization": 2, "QuickGelu": 2},
                  {"SimplifiedLayerNormalization": 1, "Pow": 0, "ReduceMean": 0}),
}


def main():
    cases = []
    if sys.argv[1:] == ["models"]:
        for name in ("bge-small-en-v1.5", "e5-small-v2", "all-minilm-l6-v2", "minilm-opset17", "paraphrase-MiniLM-L3-v2"):
            source = MODELS / "onnx" / name / "model.onnx"
            if source.exists():
                cases.append((check_onnx, name, source))
            elif os.environ.get("CI"):
                sys.exit(f"{source} is absent")
            else:
                print(f"left out: {source} is absent")
    else:
        local = sorted(LOCAL.glob("*.onnx"))
        shared = sorted((SHARED / "goldens/onnx").glob("*.onnx"))
        if not shared:
            if os.environ.get("CI"):
                sys.exit(f"{SHARED}/goldens/onnx is absent")
            print(f"left out: {SHARED}/goldens/onnx is absent")
        cases += [(check_onnx, path.stem, path) for path in {p.name: p for p in local + shared}.values()]
        cases += [(check_directory, path.name, path) for path in sorted(DIRECTORIES.iterdir())]
        cases += [(lambda name, made, directory: check_made(name, *made[:2], directory, *made[2:]), name, made) for name, made in MADE.items()]
        cases.append((lambda name, source, directory: check_names(source, directory), "names", local[0]))
    failures = 0
    for run, name, source in cases:
        with tempfile.TemporaryDirectory() as directory:
            try:
                run(name, source, pathlib.Path(directory))
            except Exception as error:  # the others are worth knowing, too
                failures += 1
                print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(cases)} cases, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
