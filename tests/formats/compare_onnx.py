"""Compares what dump_onnx reads with what the onnx package reads, line by line.

usage: compare_onnx.py DUMP_ONNX REPOSITORY [FILE...]

Without files: the ONNX goldens under $OCTAVO_SHARED (or ../shared beside the repository), the models in the cache, and
the models and tensors of the onnx package's own backend tests.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

SUPPORTED = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16}


class Unsupported(Exception):
    pass


def hexed(text):
    return "x" + (text if isinstance(text, bytes) else text.encode()).hex()


def bits(value):
    return str(int(np.float32(value).view(np.uint32)))


def joined(values):
    return "".join(" " + hexed(v) for v in values)


def tensor(t, kind, directory):
    import hashlib

    if t.data_type not in SUPPORTED:
        raise Unsupported
    array = numpy_helper.to_array(t, base_dir=directory)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    yield f"{kind} {hexed(t.name)} {t.data_type} [{', '.join(map(str, t.dims))}] {digest}"


def value_info(info, kind):
    line = f"{kind} {hexed(info.name)}"
    if info.type.HasField("tensor_type"):
        line += f" {info.type.tensor_type.elem_type}"
        if info.type.tensor_type.HasField("shape"):
            dims = []
            for d in info.type.tensor_type.shape.dim:
                which = d.WhichOneof("value")
                dims.append(str(d.dim_value) if which == "dim_value" else hexed(d.dim_param) if d.dim_param else "?")
            line += " [" + "".join(" " + d for d in dims) + " ]"
    yield line


def attribute(a, directory):
    if a.type in (11, 12, 13, 14):
        raise Unsupported
    yield (
        f"attribute {hexed(a.name)} {a.type} {hexed(a.ref_attr_name)} {bits(a.f)} {a.i} {hexed(a.s)} floats"
        + "".join(" " + bits(v) for v in a.floats)
        + " ints"
        + "".join(f" {v}" for v in a.ints)
        + " strings"
        + joined(a.strings)
    )
    for t in ([a.t] if a.HasField("t") else []) + list(a.tensors):
        yield from tensor(t, "attribute_tensor", directory)
    for g in ([a.g] if a.HasField("g") else []) + list(a.graphs):
        yield from graph(g, directory)


def node(n, directory):
    yield (
        f"node {hexed(n.name)} {hexed(n.op_type)} {hexed(n.domain)} {hexed(n.overload)}"
        f" inputs{joined(n.input)} outputs{joined(n.output)}"
    )
    for a in n.attribute:
        yield from attribute(a, directory)


def graph(g, directory):
    if g.sparse_initializer:
        raise Unsupported
    yield f"graph {hexed(g.name)}"
    for n in g.node:
        yield from node(n, directory)
    for t in g.initializer:
        yield from tensor(t, "initializer", directory)
    for kind, infos in (("input", g.input), ("output", g.output), ("value_info", g.value_info)):
        for info in infos:
            yield from value_info(info, kind)


def opsets(imports):
    for o in imports:
        yield f"opset {hexed(o.domain)} {o.version}"


def function(f, directory):
    yield (
        f"function {hexed(f.name)} {hexed(f.domain)} {hexed(f.overload)} inputs{joined(f.input)}"
        f" outputs{joined(f.output)} attributes{joined(f.attribute)}"
    )
    for a in f.attribute_proto:
        yield from attribute(a, directory)
    for n in f.node:
        yield from node(n, directory)
    yield from opsets(f.opset_import)
    for info in f.value_info:
        yield from value_info(info, "value_info")


def model(m, directory):
    yield (
        f"model {m.ir_version} {hexed(m.producer_name)} {hexed(m.producer_version)} {hexed(m.domain)} {m.model_version}"
    )
    yield from opsets(m.opset_import)
    for p in sorted(m.metadata_props, key=lambda p: p.key.encode()):
        yield f"metadata {hexed(p.key)} {hexed(p.value)}"
    yield from graph(m.graph, directory)
    for f in m.functions:
        yield from function(f, directory)


def expected(path):
    try:
        if path.suffix == ".pb":
            proto = onnx.TensorProto()
            proto.ParseFromString(path.read_bytes())
            return list(tensor(proto, "tensor", ""))
        return list(model(onnx.load(path, load_external_data=False), str(path.parent)))
    except Unsupported:
        return ["error unsupported"]


def is_tensor_file(path):
    return not any("Optional" in p or "sequence" in p or "optional" in p for p in path.parts)


def default_files(repository):
    shared = pathlib.Path(os.environ.get("OCTAVO_SHARED", repository.parent / "shared"))
    goldens = sorted((shared / "goldens/onnx").glob("*.onnx"))
    if not goldens:
        print(f"left out: no ONNX goldens in {shared}")
        if os.environ.get("CI"):
            sys.exit("the goldens must be there in CI")
    cached = sorted(pathlib.Path("~/.cache/octavo/models").expanduser().rglob("*.onnx"))
    data = pathlib.Path(onnx.__file__).parent / "backend/test/data"
    nodes = sorted(data.rglob("*.onnx"))
    tensors = sorted(p for p in data.glob("node/*/test_data_set_0/*.pb") if is_tensor_file(p))
    return goldens + cached + nodes + tensors


def rewritten_differ(dump, files):
    """How many models are another model for the onnx package after octavo has written them."""
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            again = pathlib.Path(folder) / "again.onnx"
            subprocess.run([dump, "--rewrite", str(path), str(again)], check=True)
            if expected(path) != expected(again):
                different += 1
                print(f"{path}: the written file is another model")
    return different


def main():
    dump, repository = sys.argv[1], pathlib.Path(sys.argv[2])
    files = [pathlib.Path(f) for f in sys.argv[3:]] or default_files(repository)
    failed = refused = 0
    for start in range(0, len(files), 200):
        batch = files[start : start + 200]
        run = subprocess.run([dump, *map(str, batch)], capture_output=True, text=True, check=True)
        blocks = run.stdout.split("file ")[1:]
        assert len(blocks) == len(batch)
        for path, block in zip(batch, blocks):
            ours = block.splitlines()[1:]
            reference = expected(path)
            if ours == ["error unsupported"] and reference == ours:
                refused += 1
            elif ours != reference:
                failed += 1
                pair = next(((o, r) for o, r in zip(ours, reference) if o != r), (len(ours), len(reference)))
                print(f"{path}:\n  octavo {str(pair[0])[:300]}\n  onnx   {str(pair[1])[:300]}")
    models = [f for f in files if f.suffix == ".onnx" and f.stat().st_size < 2_000_000 and "error" not in expected(f)[0]]
    written = rewritten_differ(dump, models)
    print(f"{len(files) - failed - refused} files equal, {refused} refused as unsupported, {failed} different")
    print(f"{len(models) - written} models equal after writing, {written} different")
    sys.exit(1 if failed or written or not files else 0)


if __name__ == "__main__":
    main()
