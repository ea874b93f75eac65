"""The three files that `octavo convert --publish` writes, in onnxruntime.

    publish_oracle.py tiny     tiny models: rows alone, padded on the right, on the left or inside give the same in the optimised
                               file, and nearly the same in the quantised one
    publish_oracle.py models   all-MiniLM-L6-v2 ($OCTAVO_MODELS), loaded as sentence-transformers loads such a directory,
                               against the golden embeddings

The binary is $OCTAVO_BINARY. Exit code 1 when anything is off.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

from oracle import MODELS, checked, cosines, encoded, exit_code, minilm, octavo, open_session, report

NAMES = ("onnx/model.onnx", "onnx/model_O2.onnx", "onnx/model_quantized.onnx")
# Of the optimised file; of the quantised one on random weights: cosine of rows, 1 - relative error of logits.
ERROR, COSINE, LOGITS = 1e-5, 0.97, 0.9


def publish(model: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    octavo("convert", model, "-o", out, "--publish", "-q")
    for name in NAMES:
        checked(out / name)
    return out


def padded(mask: np.ndarray, values: np.ndarray, fill: int) -> np.ndarray:
    """The kept values of every row at its end, the others before them."""
    out = np.full_like(values, fill)
    for row, kept, source in zip(out, mask, values):
        row[len(row) - int(kept.sum()) :] = source[kept == 1]
    return out


def check_tiny(scratch: pathlib.Path) -> None:
    for model in sorted(MODELS.iterdir()):
        expected = load_file(model / "expected.safetensors")
        folder = publish(model, scratch / model.name)
        sessions = [open_session(folder / name) for name in NAMES]
        names = {i.name for i in sessions[0].get_inputs()}
        right = {name: expected[name].astype(np.int64) for name in names & set(expected)}
        mask = right["attention_mask"]
        config = json.loads((model / "config.json").read_text())
        pad = config["pad_token_id"]
        left = {name: padded(mask, values, pad if name == "input_ids" else 0) for name, values in right.items()}
        hole = {name: values.copy() for name, values in right.items()}
        hole["attention_mask"][:, 2] = 0
        last = {name: values[-1:, : int(mask[-1].sum())] for name, values in right.items()}
        for side, feeds in (("alone", last), ("padded right", right), ("padded left", left), ("a hole", hole)):
            plain, optimized, quantized = (session.run(None, feeds)[0] for session in sessions)
            if plain.ndim == 3:
                kept = feeds["attention_mask"] == 1
                plain, optimized, quantized = plain[kept], optimized[kept], quantized[kept]
            elif config.get("classifier_pooling") == "cls":
                # A padded first token sees nothing in a local window: what it becomes is nobody's promise.
                kept = feeds["attention_mask"][:, 0] == 1
                plain, optimized, quantized = plain[kept], optimized[kept], quantized[kept]
            error = float(np.abs(plain - optimized).max())
            logits = "logits" in expected
            close = float(1 - np.abs(plain - quantized).max() / np.abs(plain).max() if logits else cosines(plain, quantized).min())
            text = f"optimised differs by {error:.1e}, quantised agrees to {close:.4f}"
            report(f"{model.name}, {side}", error <= ERROR and close >= (LOGITS if logits else COSINE), text)


def check_minilm(scratch: pathlib.Path) -> None:
    found = minilm()
    if found is None:
        return
    import tokenizers

    source, texts, wanted = found
    folder = publish(source, scratch / "minilm")
    modules = json.loads((folder / "modules.json").read_text())
    assert [m["type"].split(".")[-1] for m in modules] == ["Transformer", "Pooling", "Normalize"], modules
    pooling = json.loads((folder / modules[1]["path"] / "config.json").read_text())
    assert pooling["pooling_mode_mean_tokens"], pooling
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"])
    for name, limit in zip(NAMES, (0.999999, 0.999999, 0.97)):
        session = open_session(folder / name)
        rows = []
        for begin in range(0, len(texts), 8):
            tokenizer.enable_padding()
            batch = tokenizer.encode_batch(texts[begin : begin + 8])
            feeds = encoded(session, batch)
            kept = feeds["attention_mask"][..., None]
            rows.append((session.run(None, feeds)[0] * kept).sum(1) / kept.sum(1))
        values = cosines(np.concatenate(rows), wanted)
        text = f"cosine {values.min():.6f} at least, {values.mean():.6f} on average"
        report(f"all-MiniLM-L6-v2, {name}", bool(values.min() >= limit), text)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        (check_minilm if sys.argv[1:] == ["models"] else check_tiny)(pathlib.Path(folder))
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
