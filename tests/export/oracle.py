"""What the oracles of this folder have in common: where things are, running octavo, onnxruntime's sessions, counting
failures, the golden embeddings of all-MiniLM-L6-v2."""

import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("OCTAVO_BINARY", str(ROOT / "build/release/octavo"))
SHARED = pathlib.Path(os.environ.get("OCTAVO_SHARED", ROOT.parent / "shared"))
CACHE = pathlib.Path(os.environ.get("OCTAVO_MODELS", "~/.cache/octavo/models")).expanduser()
DATA = ROOT / "tests/data"
MODELS = DATA / "models"
FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}

failures = 0


def report(label: str, good: bool, text: str) -> None:
    global failures
    failures += not good
    print(f"{label}: {text}{'' if good else ' FAILED'}", flush=True)


def exit_code() -> int:
    return 1 if failures else 0


def absent(*paths: pathlib.Path) -> bool:
    """Whether something is not there, which is told; with CI set it is a failure."""
    for path in paths:
        if not path.exists():
            print(f"left out: {path} is absent")
            if os.environ.get("CI"):
                report(path.name, False, "absent")
            return True
    return False


def octavo(*args) -> str:
    """What the command printed; it must succeed."""
    command = [BINARY, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def octavo_json(*args) -> dict:
    return json.loads(octavo(*args, "--json"))


def open_session(path: pathlib.Path, fused: bool = True) -> onnxruntime.InferenceSession:
    """`fused`: with all of onnxruntime's own optimisations, or with none."""
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fused else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def checked(path: pathlib.Path) -> onnx.ModelProto:
    """The model, which passes the full check, without its external data."""
    onnx.checker.check_model(str(path), full_check=True)
    return onnx.load(path, load_external_data=False)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def minilm():
    """The directory of all-MiniLM-L6-v2, texts, and what sentence-transformers makes of them; None where one is absent."""
    source, goldens = CACHE / "all-MiniLM-L6-v2", SHARED / "goldens/embeddings"
    if absent(source, goldens):
        return None
    texts = json.loads((goldens / "texts.json").read_text())
    return source, texts, load_file(goldens / "expected.safetensors")["all-MiniLM-L6-v2"]


def encoded(session: onnxruntime.InferenceSession, encodings) -> dict[str, np.ndarray]:
    """The session's inputs for encodings of the `tokenizers` package that have one length."""
    return {i.name: np.array([getattr(e, FIELDS[i.name]) for e in encodings], dtype=np.int64) for i in session.get_inputs()}
