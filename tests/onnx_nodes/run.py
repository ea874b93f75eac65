"""The backend node tests of the `onnx` package through octavo's reference implementations.

Writes the package's test cases (model, inputs, expected outputs) below FOLDER, once a version of the
package, and runs the given runner over them:

    run.py RUNNER FOLDER
"""

import pathlib
import subprocess
import sys
import warnings

import onnx
from onnx import TensorProto, numpy_helper


def as_bytes(value, name: str) -> bytes:
    if isinstance(value, TensorProto):
        return value.SerializeToString()
    return numpy_helper.from_array(value, name).SerializeToString()


def write_case(case, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    (folder / "tolerance.txt").write_text(f"{case.rtol} {case.atol}\n")
    graph = case.model.graph
    for index, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{index}"
        data.mkdir()
        for kind, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for i, (value, info) in enumerate(zip(values, infos)):
                # Sequences, maps and optionals: the runner refuses the model before it looks for them.
                if info.type.HasField("tensor_type"):
                    (data / f"{kind}_{i}.pb").write_bytes(as_bytes(value, info.name))


def write_cases(folder: pathlib.Path) -> None:
    from onnx.backend.test.case.node import collect_testcases

    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        subprocess.run(["rm", "-r", str(partial)], check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        write_case(case, partial / case.name)
    partial.rename(folder)


def main() -> int:
    runner, base = sys.argv[1], pathlib.Path(sys.argv[2])
    folder = base / f"onnx-{onnx.__version__}"
    if not folder.exists():
        write_cases(folder)
    ignored = pathlib.Path(__file__).with_name("ignored.txt")
    return subprocess.run([runner, str(folder), str(ignored)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
