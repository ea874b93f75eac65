"""How much memory quantising takes: the result, three layers and what the program itself needs, not the float weights."""
import array, json, os, random, shutil, struct, subprocess, unittest

from support import BINARY, embedder, main, path, write_texts

LAYERS, WIDTH, INNER = 16, 512, 2048
LAYER = 4 * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)  # bytes of float32
OWN = 40 << 20  # the program, the graph, buffers


def shapes():
    yield from (("embeddings.word_embeddings.weight", (2000, WIDTH)), ("embeddings.position_embeddings.weight", (64, WIDTH)),
                ("embeddings.token_type_embeddings.weight", (2, WIDTH)), ("embeddings.LayerNorm.weight", (WIDTH,)), ("embeddings.LayerNorm.bias", (WIDTH,)))
    for layer in range(LAYERS):
        p = f"encoder.layer.{layer}."
        for name, out, width in (("attention.self.query", WIDTH, WIDTH), ("attention.self.key", WIDTH, WIDTH), ("attention.self.value", WIDTH, WIDTH),
                                 ("attention.output.dense", WIDTH, WIDTH), ("intermediate.dense", INNER, WIDTH), ("output.dense", WIDTH, INNER)):
            yield from ((p + name + ".weight", (out, width)), (p + name + ".bias", (out,)))
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            yield from ((p + name + ".weight", (WIDTH,)), (p + name + ".bias", (WIDTH,)))


def bytes_of(shape):
    size = 4
    for dim in shape:
        size *= dim
    return size


def write_model(folder, half=False):
    """A BERT of random weights, bfloat16 or float32; returns the bytes of its tensors as float32."""
    os.makedirs(folder)
    header, at = {}, 0
    for name, shape in shapes():
        size = bytes_of(shape) // (2 if half else 1)
        header[name] = {"dtype": "BF16" if half else "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = random.Random(5)
    noise = array.array("f", (rng.uniform(-0.05, 0.05) for _ in range(100003))).tobytes()
    if half:
        noise = bytes(byte for i, byte in enumerate(noise) if i % 4 > 1)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        left = at
        while left:
            left -= file.write(noise[:left])
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": WIDTH, "intermediate_size": INNER,
                   "num_attention_heads": 8, "num_hidden_layers": LAYERS, "layer_norm_eps": 1e-12, "max_position_embeddings": 64, "type_vocab_size": 2,
                   "position_embedding_type": "absolute", "vocab_size": 2000, "pad_token_id": 0}, file)
    return at * (2 if half else 1)


class Quantize(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.floats = write_model(path("deep"))

    def peak(self, *args, model="deep"):
        """Bytes of the model that was written, and the most memory the process held."""
        out = path("-".join((model, *args)).replace("/", "_"))
        process = subprocess.Popen([BINARY, *args, path(model), "-o", out, "--quiet"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(sorted(f for f in os.listdir(os.path.dirname(out)) if f.startswith(".octavo")), [], "scratch files stay")
        return os.path.getsize(os.path.join(out, "model.onnx")), usage.ru_maxrss * 1024

    def test_float_weights_are_not_held(self):
        for args in (("--mode", "dynamic", "--per-channel"), ("--mode", "float16"), ("--level", "2"), ("--mode", "int4", "--level", "2")):
            with self.subTest(args=args):
                written, peak = self.peak("quantize", *args)
                bound = written + 3 * LAYER + OWN
                self.assertLess(bound, self.floats, "the test could not see floats that are held")
                self.assertLess(peak, bound)

    def test_calibrating_does_not_hold_float_weights(self):
        for file in os.listdir(embedder()):
            if file.startswith("token"):
                shutil.copyfile(os.path.join(embedder(), file), os.path.join(path("deep"), file))
        texts = write_texts(path("calibration.txt"), 20)
        written, peak = self.peak("quantize", "--mode", "static", "--calibration", texts)
        self.assertLess(peak, written + 3 * LAYER + OWN)

    def test_half_precision_is_not_widened_at_once(self):
        self.assertEqual(write_model(path("half"), half=True), self.floats)
        written, peak = self.peak("quantize", "--level", "1", model="half")
        self.assertLess(peak, written + 3 * LAYER + OWN)

    def test_converting_and_optimising_hold_three_layers(self):
        for args in (("convert",), ("optimize", "--level", "2")):
            with self.subTest(args=args):
                self.assertLess(self.peak(*args)[1], 3 * LAYER + OWN)


if __name__ == "__main__":
    main()
