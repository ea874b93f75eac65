"""Runs the octavo binary ($OCTAVO_BINARY) and reads what it writes; builds the tiny models from tests/data."""
import atexit, json, os, random, shutil, struct, subprocess, tempfile, unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("OCTAVO_BINARY", os.path.join(ROOT, "build/release/octavo"))
WORK = tempfile.mkdtemp(prefix="octavo-cli-")
atexit.register(shutil.rmtree, WORK, True)


def octavo(*args, text="", env=None):
    """The finished process; `text` goes to its standard input."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OCTAVO_")}
    environment.update({"XDG_CACHE_HOME": os.path.join(WORK, "cache"), **(env or {})})
    data = text if isinstance(text, bytes) else text.encode()
    done = subprocess.run([BINARY, *args], input=data, capture_output=True, env=environment, timeout=120)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def tiny_model(name, weights):
    """tests/data/<name> with the weights and the config of tests/data/models/<weights>."""
    path = os.path.join(WORK, name)
    if not os.path.exists(path):
        shutil.copytree(os.path.join(ROOT, "tests/data", name), path)
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(ROOT, "tests/data/models", weights, file), os.path.join(path, file))
    return path


def embedder():
    return tiny_model("tiny-embedder", "bert")


def reranker():
    return tiny_model("tiny-reranker", "bert-classifier")


def write_texts(path, count):
    """`count` lines of a few words each, to calibrate with."""
    words = "stone cat dog moon sun".split()
    with open(path, "w") as out:
        out.writelines(f"the {words[i % len(words)]} of the river number {i}\n" for i in range(count))
    return path


def dataset():
    """A BEIR directory of random words."""
    folder = os.path.join(WORK, "beir")
    if os.path.isdir(folder):
        return folder
    os.makedirs(os.path.join(folder, "qrels"))
    words = random.Random(7)
    text = lambda n: " ".join(words.choice("red green blue cat dog sun moon river stone".split()) for _ in range(n))
    with open(os.path.join(folder, "corpus.jsonl"), "w") as out:
        for i in range(40):
            out.write(json.dumps({"_id": f"d{i}", "title": text(2), "text": text(12)}) + "\n")
    with open(os.path.join(folder, "queries.jsonl"), "w") as out:
        for i in range(12):
            out.write(json.dumps({"_id": f"q{i}", "text": text(5)}) + "\n")
    with open(os.path.join(folder, "qrels", "test.tsv"), "w") as out:
        out.write("query-id\tcorpus-id\tscore\n")
        for i in range(12):
            for j in words.sample(range(40), 4):
                out.write(f"q{i}\td{j}\t{words.randint(1, 3)}\n")
    return folder


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    (size,) = struct.unpack("<H", data[8:10])
    assert (10 + size) % 64 == 0
    header = eval(data[10 : 10 + size], {"__builtins__": {}}, {})
    rows, columns = header["shape"]
    code = {"<f4": "f", "|i1": "b", "|u1": "B"}[header["descr"]]
    values = struct.unpack(f"<{rows * columns}{code}", data[10 + size :])
    return [list(values[r * columns : (r + 1) * columns]) for r in range(rows)]


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<Q", data[:8])
    out = {}
    for name, info in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in info["data_offsets"])
        code = {"F32": "f", "I8": "b", "U8": "B", "I64": "q", "I32": "i"}[info["dtype"]]
        out[name] = (info["shape"], struct.unpack(f"<{(end - begin) // struct.calcsize('<' + code)}{code}", data[begin:end]))
    return out


def write_safetensors(path, tensors):
    """tensors: name -> (shape, int64 values)."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        blob = struct.pack(f"<{len(values)}q", *values)
        header[name] = {"dtype": "I64", "shape": shape, "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def path(name):
    return os.path.join(WORK, name)


def main():
    unittest.main(verbosity=2)
