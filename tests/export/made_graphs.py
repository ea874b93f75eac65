"""Small graphs of forms that no golden file has: attention with a bias by distance (as in MPNet) or with a local window but
no rotary positions, and RMS norms with QuickGelu."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS = 16, 2
LOWEST = np.finfo(np.float32).min


class Graph:
    def __init__(self):
        self.random = np.random.default_rng(0)
        self.nodes, self.constants = [], []

    def constant(self, value, dtype=np.float32):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def int(self, value):
        return self.constant(value, np.int64)

    def weight(self, *shape):
        return self.constant(self.random.standard_normal(shape) * 0.4)

    def node(self, op, *inputs, **attributes):
        name = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"node_{len(self.nodes)}", **attributes))
        return name

    def save(self, path, result, inputs):
        self.nodes.append(helper.make_node("Identity", [result], ["last_hidden_state"]))
        shape = ["batch", "sequence"]
        graph = helper.make_graph(
            self.nodes, "made", [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
            [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, WIDTH])], self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def biased_attention(path, relative, window, with_biases=True):
    g = Graph()
    x = g.node("Gather", g.weight(80, WIDTH), "input_ids")
    length = g.node("Gather", g.node("Shape", "input_ids"), g.int(1))
    positions = g.node("Range", g.int(0), length, g.int(1))
    distance = g.node("Sub", g.node("Unsqueeze", positions, g.ints(0)), g.node("Unsqueeze", positions, g.ints(1)))
    kept = g.node("Cast", g.node("Unsqueeze", "attention_mask", g.ints(1, 2)), to=TensorProto.FLOAT)
    bias = g.node("Mul", g.node("Sub", g.constant(1), kept), g.constant(LOWEST))
    if relative:
        entry = g.node("Add", g.node("Clip", distance, g.int(-3), g.int(3)), g.int(3))
        by_head = g.node("Transpose", g.node("Gather", g.weight(7, HEADS), entry), perm=[2, 0, 1])
        bias = g.node("Add", g.node("Unsqueeze", by_head, g.ints(0)), bias)
    if window:
        far = g.node("Greater", g.node("Abs", distance), g.int(window))
        bias = g.node("Where", far, g.constant(LOWEST), bias)

    def heads(perm):
        value = g.node("MatMul", x, g.weight(WIDTH, WIDTH))
        value = g.node("Add", value, g.weight(WIDTH)) if with_biases else value
        return g.node("Transpose", g.node("Reshape", value, g.ints(0, 0, HEADS, WIDTH // HEADS)), perm=perm)

    scores = g.node("MatMul", heads([0, 2, 1, 3]), heads([0, 2, 3, 1]))
    scores = g.node("Add", g.node("Div", scores, g.constant((WIDTH / HEADS) ** 0.5)), bias)
    context = g.node("MatMul", g.node("Softmax", scores, axis=-1), heads([0, 2, 1, 3]))
    g.save(path, g.node("Reshape", g.node("Transpose", context, perm=[0, 2, 1, 3]), g.ints(0, 0, WIDTH)),
           ["input_ids", "attention_mask"])


def rms_norms(path):
    g = Graph()

    def norm(x):
        mean = g.node("ReduceMean", g.node("Pow", x, g.constant(2)), axes=[-1])
        root = g.node("Sqrt", g.node("Add", mean, g.constant(1e-6)))
        return g.node("Mul", g.weight(WIDTH), g.node("Mul", x, g.node("Reciprocal", root)))

    x = g.node("Gather", g.weight(80, WIDTH), "input_ids")
    for _ in range(2):
        y = g.node("MatMul", norm(x), g.weight(WIDTH, WIDTH))
        x = g.node("Add", x, g.node("Mul", y, g.node("Sigmoid", g.node("Mul", y, g.constant(1.702)))))
    g.save(path, norm(x), ["input_ids"])
