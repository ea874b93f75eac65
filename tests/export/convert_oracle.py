"""Models that `octavo convert` writes, under onnx.checker and in onnxruntime.

    convert_oracle.py tiny     every tiny model and golden ONNX file at opsets 11 to 21, against what
                               the reference implementation computed; left-padded rows and sentence
                               embeddings too
    convert_oracle.py models   all-MiniLM-L6-v2 ($OCTAVO_MODELS), against the golden embeddings

The binary is $OCTAVO_BINARY. Exit code 1 when anything is off.
"""

import pathlib
import sys
import tempfile

import numpy as np
import onnx
from safetensors.numpy import load_file

from oracle import DATA, MODELS, SHARED, absent, checked, cosines, encoded, exit_code, minilm, octavo_json, open_session, report

OPSETS = range(11, 22)
LIMIT = 2e-5  # aimed at; the promise is 1e-4
COSINE = 0.999999


def convert(model: pathlib.Path, out: pathlib.Path, *flags: str) -> pathlib.Path:
    said = octavo_json("convert", model, "-o", out, *flags)
    assert (out / "octavo.json").exists()
    return pathlib.Path(said["path"])


def check_file(path: pathlib.Path, opset: int) -> None:
    model = checked(path)
    versions = {i.domain: i.version for i in model.opset_import}
    assert versions[""] == opset, versions
    for node in model.graph.node:
        if node.domain == "":
            onnx.defs.get_schema(node.op_type, opset, "")


def run(path: pathlib.Path, feeds: dict[str, np.ndarray], fused: bool = False) -> dict[str, np.ndarray]:
    session = open_session(path, fused)
    names = [o.name for o in session.get_outputs()]
    given = {i.name: feeds[i.name].astype(np.int64) for i in session.get_inputs()}
    return dict(zip(names, session.run(None, given)))


def worst(outputs: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Largest difference at kept tokens."""
    name = "logits" if "logits" in expected else "last_hidden_state"
    got, wanted = outputs[name], expected[name]
    assert got.shape == wanted.shape, (got.shape, wanted.shape)
    difference = np.abs(got.astype(np.float64) - wanted)
    if wanted.ndim == 3:
        difference = difference[expected["attention_mask"] == 1]
    return float(np.where(np.isnan(difference), np.inf, difference).max())


def moved_left(expected: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same rows, padded on the left; what was kept is still in its order."""
    mask = expected["attention_mask"]
    out = dict(expected)
    for name, values in expected.items():
        if values.shape[:2] != mask.shape:
            continue
        rows = [np.roll(row, mask.shape[1] - int(kept.sum()), axis=0) for row, kept in zip(values, mask)]
        out[name] = np.stack(rows)
    return out


def family_of(file: str) -> str:
    return max((m.name for m in MODELS.iterdir() if file.startswith(m.name + "-")), key=len)


def check_model(label: str, source: pathlib.Path, expected: dict[str, np.ndarray], scratch: pathlib.Path) -> None:
    errors = [0.0]
    for opset in OPSETS:
        path = convert(source, scratch / f"{label}-{opset}", "--opset", str(opset))
        check_file(path, opset)
        errors.append(worst(run(path, expected), expected))
        if opset in (11, 17):
            errors.append(worst(run(path, expected, fused=True), expected))
    report(label, max(errors) <= LIMIT, f"opsets {OPSETS[0]} to {OPSETS[-1]}, largest difference {max(errors):.1e}")


def check_directories(scratch: pathlib.Path) -> None:
    for model in sorted(MODELS.iterdir()):
        expected = load_file(model / "expected.safetensors")
        check_model(model.name, model, expected, scratch)
        # Absolute positions number every token, as in the checkpoint's implementation: there the same rows padded on
        # the left are others.
        path = scratch / f"{model.name}-17" / "model.onnx"
        if "logits" not in expected and model.name not in ("bert", "distilbert"):
            left = moved_left(expected)
            error = worst(run(path, left), left)
            report(f"{model.name}, padded left", error <= LIMIT, f"{error:.1e}")
        path = convert(model, scratch / f"{model.name}-external", "--external-data")
        same = worst(run(path, expected), expected)
        report(f"{model.name}, external data", same <= LIMIT and (path.parent / "model.onnx_data").exists(), f"{same:.1e}")


def check_goldens(scratch: pathlib.Path) -> None:
    folder = SHARED / "goldens/onnx"
    files = sorted((DATA / "onnx" if absent(folder) else folder).glob("*.onnx"))
    for file in files:
        expected = load_file(MODELS / family_of(file.name) / "expected.safetensors")
        check_model(file.stem, file, expected, scratch)


def pooled(rows: np.ndarray, kind: str) -> np.ndarray:
    n = len(rows)
    weights = np.arange(1, n + 1)[:, None]
    return {
        "cls": lambda: rows[0],
        "mean": lambda: rows.mean(0),
        "max": lambda: rows.max(0),
        "last_token": lambda: rows[-1],
        "mean_sqrt_len": lambda: rows.sum(0) / np.sqrt(n),
        "weighted_mean": lambda: (rows * weights).sum(0) / weights.sum(),
    }[kind]()


def check_sentence_embeddings(scratch: pathlib.Path) -> None:
    source = MODELS / "roberta"  # positions from ids: the same on either side of padding
    plain = load_file(source / "expected.safetensors")
    for kind in ("cls", "mean", "max", "last_token", "mean_sqrt_len", "weighted_mean"):
        for normalize in (False, True):
            flags = ("--pooling", kind, "--normalize" if normalize else "--no-normalize")
            for opset in (11, 17, 21):
                path = convert(source, scratch / f"{kind}-{normalize}-{opset}", *flags, "--opset", str(opset))
                check_file(path, opset)
                error = 0.0
                for expected in (plain, moved_left(plain)):
                    got = run(path, expected)
                    assert list(got) == ["token_embeddings", "sentence_embedding"], list(got)
                    rows = zip(expected["last_hidden_state"].astype(np.float64), expected["attention_mask"])
                    wanted = np.stack([pooled(tokens[kept == 1], kind) for tokens, kept in rows])
                    if normalize:
                        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
                    error = max(error, float(np.abs(got["sentence_embedding"] - wanted).max()))
                report(f"{kind}, {'' if normalize else 'not '}normalized, opset {opset}", error <= LIMIT, f"{error:.1e}")


def check_minilm(scratch: pathlib.Path) -> None:
    found = minilm()
    if found is None:
        return
    import tokenizers

    source, texts, wanted = found
    plain = convert(source, scratch / "minilm")
    baked = convert(source, scratch / "minilm-sentence", "--sentence-embedding")
    tokenizer = tokenizers.Tokenizer.from_file(str(scratch / "minilm" / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    for path in (plain, baked):
        check_file(path, 17)
        session = open_session(path)
        alone = []
        for text in texts:
            outputs = session.run(None, encoded(session, [tokenizer.encode(text)]))
            alone.append(outputs[1][0] if path == baked else outputs[0][0].mean(0))
        got = np.stack(alone)
        value = float(cosines(got, wanted).min())
        lengths = np.linalg.norm(got, axis=1)
        unit = path == plain or bool(np.abs(lengths - 1).max() < 1e-6)
        report(f"all-MiniLM-L6-v2, {path.parent.name}", value >= COSINE and unit, f"lowest cosine {value:.9f}")


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        if sys.argv[1:] == ["models"]:
            check_minilm(folder)
        else:
            check_directories(folder)
            check_goldens(folder)
            check_sentence_embeddings(folder)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
