"""Writes the malformed files of tests/data/malformed and what each must give (expected.tsv: path, error code, a phrase
of the message). Run it from the repository root, with the onnx package installed:

    python tests/tools/make_malformed.py

The code "ok" means that the file reader accepts the file; its graph is wrong, which the importer has to find.
"""

import json
import pathlib
import shutil
import struct

import onnx
from onnx import TensorProto, helper

ROOT = pathlib.Path("tests/data/malformed")
EXPECTED = []


def put(path, data, code=None, phrase=""):
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data if isinstance(data, bytes) else data.encode())
    if code:
        EXPECTED.append((path, code, phrase))


# safetensors


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def packed(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def safetensors():
    def bad(name, data, phrase, code="invalid_file"):
        put(f"safetensors/{name}.safetensors", data, code, phrase)

    good = {"a": tensor("F32", [2], 0, 8)}
    eight = bytes(8)
    bad("empty", b"", "the file ends too early")
    bad("seven_bytes", bytes(7), "the file ends too early")
    bad("header_length_zero", packed(""), "does not start with '{'")
    bad("header_past_end", packed(good, length=1000), "past the end")
    bad("header_past_end_by_one", packed("{}", length=3), "past the end")
    bad("header_too_large", packed("{}", length=100_000_001), "too large")
    bad("header_length_2_63", packed("{}", length=1 << 63), "too large")
    bad("header_length_max", packed("{}", length=(1 << 64) - 1), "too large")
    bad("header_is_array", packed("[]"), "does not start with '{'")
    bad("header_leading_space", packed(' {"a":1}'), "does not start with '{'")
    bad("header_not_json", packed("{tensors}"), "not valid JSON")
    bad("header_cut", packed('{"a": {"dtype": "F32"'), "not valid JSON")
    bad("header_trailing_bytes", packed("{} x"), "not valid JSON")
    bad("header_not_utf8", packed(b'{"\xff": 1}'), "not UTF-8")
    bad("header_nul_padding", packed(b"{}\0\0"), "not valid JSON")
    bad("duplicate_tensor", packed('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"\0"), "same key twice")
    bad("duplicate_dtype", packed('{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', b"\0"), "same key twice")
    bad("duplicate_metadata", packed('{"__metadata__":{"k":"1","k":"2"}}'), "same key twice")
    bad("metadata_not_string", packed({"__metadata__": {"k": 1}}), "wrong type")
    bad("metadata_not_object", packed({"__metadata__": ["k"]}), "wrong type")
    bad("tensor_not_object", packed({"a": 1}), "not an object")
    bad("dtype_missing", packed({"a": {"shape": [2], "data_offsets": [0, 8]}}, eight), "a key is missing")
    bad("dtype_unknown", packed({"a": tensor("F33", [2], 0, 8)}, eight), "unknown")
    bad("dtype_number", packed({"a": tensor(5, [2], 0, 8)}, eight), "wrong type")
    bad("dtype_unsupported", packed({"a": tensor("F8_E4M3", [8], 0, 8)}, eight), "does not read", "unsupported")
    bad("dtype_wrong_width", packed({"a": tensor("F64", [2], 0, 8)}, eight), "does not match the length")
    bad("shape_missing", packed({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, eight), "a key is missing")
    bad("shape_negative", packed({"a": tensor("F32", [-2], 0, 8)}, eight), "not possible")
    bad("shape_two_negatives", packed({"a": tensor("F32", [-1, -2], 0, 8)}, eight), "not possible")
    bad("shape_float", packed({"a": tensor("F32", [2.0], 0, 8)}, eight), "not possible")
    bad("shape_string", packed({"a": tensor("F32", ["2"], 0, 8)}, eight), "not possible")
    bad("shape_not_array", packed({"a": tensor("F32", 2, 0, 8)}, eight), "not an array")
    bad("shape_overflows", packed({"a": tensor("F32", [1 << 32, 1 << 32], 0, 0)}), "does not match the length")
    bad("shape_overflows_to_fit", packed({"a": tensor("U8", [(1 << 32) + 1, (1 << 32), 8], 0, 8)}, eight), "does not match the length")
    bad("shape_bytes_overflow", packed({"a": tensor("F64", [1 << 57, 16], 0, 0)}), "does not match the length")
    bad("shape_huge_number", packed({"a": tensor("U8", [10**30], 0, 8)}, eight), "not possible")
    bad("rank_1000", packed({"a": tensor("F32", [1] * 1000, 0, 4)}, bytes(4)), "too many dimensions")
    bad("offsets_missing", packed({"a": {"dtype": "F32", "shape": [2]}}, eight), "a key is missing")
    bad("offsets_one", packed({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8]}}, eight), "data_offsets are broken")
    bad("offsets_three", packed({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]}}, eight), "data_offsets are broken")
    bad("offsets_negative", packed({"a": tensor("F32", [2], -8, 0)}, eight), "not possible")
    bad("offsets_backwards", packed({"a": tensor("F32", [2], 8, 0)}, eight), "outside the data")
    bad("offsets_past_end", packed({"a": tensor("F32", [4], 0, 16)}, eight), "outside the data")
    bad("offsets_2_64", packed({"a": tensor("F32", [2], 1 << 64, 8)}, eight), "not possible")
    bad("length_too_long", packed({"a": tensor("F32", [1], 0, 8)}, eight), "does not match the length")
    bad("overlap", packed({"a": tensor("F32", [2], 0, 8), "b": tensor("F32", [1], 4, 8)}, eight), "overlap")
    bad("same_data_twice", packed({"a": tensor("F32", [2], 0, 8), "b": tensor("F32", [2], 0, 8)}, eight), "overlap")
    bad("hole", packed({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [4], 4, 8)}, eight), "hole")
    bad("hole_at_start", packed({"a": tensor("U8", [4], 4, 8)}, eight), "hole")
    bad("data_not_covered", packed(good, bytes(12)), "do not cover")
    bad("no_tensors_but_data", packed("{}", eight), "do not cover")
    bad("data_missing", packed(good, bytes(4)), "outside the data")
    bad("nested_deep", packed('{"a":' + "[" * 500 + "]" * 500 + "}"), "nested too deeply")


# JSON documents, sentence-transformers directories, sharded weights


def documents():
    def bad(name, data, phrase):
        put(f"json/{name}.json", data, "invalid_file", phrase)

    bad("empty", "", "not valid JSON")
    bad("cut", '{"a": [1, 2', "not valid JSON")
    bad("nested_1000", "[" * 1000, "nested too deeply")
    bad("nested_objects", '{"a":' * 1000, "nested too deeply")
    bad("duplicate_key", '{"hidden_size": 1, "hidden_size": 2}', "same key twice")
    bad("lone_surrogate", '{"a": "\\ud800"}', "surrogate")
    bad("overlong_utf8", b'{"a": "\xc0\xaf"}', "not UTF-8")
    bad("number_too_large", '{"a": 1e999}', "too large")
    bad("nan", '{"a": NaN}', "not valid JSON")
    bad("comment", '{"a": 1} // note', "not valid JSON")
    bad("single_quotes", "{'a': 1}", "not valid JSON")
    bad("nul", b'{"a": "\0"}', "control character")


POOLING = {"word_embedding_dimension": 4, "pooling_mode_mean_tokens": True}
NAMES = "sentence_transformers.models."


def module(idx, kind, path):
    return {"idx": idx, "name": str(idx), "path": path, "type": NAMES + kind}


def sentence_transformers():
    modules = [module(0, "Transformer", ""), module(1, "Pooling", "1_Pooling")]

    def bad(name, phrase, code="invalid_file", **files):
        base = f"json/sentence/{name}"
        everything = {"modules.json": modules, "1_Pooling/config.json": POOLING}
        everything.update({k.replace("__", "/") + ".json": v for k, v in files.items()})
        for file, value in everything.items():
            if value is not None:
                put(f"{base}/{file}", value if isinstance(value, (str, bytes)) else json.dumps(value))
        EXPECTED.append((base, code, phrase))

    bad("modules_object", "array", modules={})
    bad("modules_empty", "number of modules", modules=[])
    bad("modules_many", "number of modules", modules=[module(i, "Normalize", "") for i in range(100)])
    bad("module_unknown", "does not have this", "unsupported", modules=[modules[0], module(1, "WeightedLayerPooling", "1_Pooling")])
    bad("module_foreign", "does not have this", "unsupported", modules=[modules[0], {"idx": 1, "path": "", "type": "os.system"}])
    bad("module_type_missing", "a key is missing", modules=[{"idx": 0, "path": ""}])
    bad("module_path_parent", "leaves the model's directory", modules=[modules[0], module(1, "Pooling", "../1_Pooling")])
    bad("module_path_hidden_parent", "leaves the model's directory", modules=[modules[0], module(1, "Pooling", "a/../../b")])
    bad("module_path_absolute", "leaves the model's directory", modules=[modules[0], module(1, "Pooling", "/etc")])
    bad("module_path_nul", "leaves the model's directory", modules=[modules[0], module(1, "Pooling", "1_Pooling\0")])
    bad("module_idx_twice", "same idx", modules=[modules[0], module(0, "Pooling", "1_Pooling")])
    bad("module_order", "order", modules=[module(0, "Pooling", "1_Pooling"), module(1, "Transformer", "")])
    bad("pooling_missing", "cannot open", "not_found", **{"1_Pooling__config": None})
    bad("pooling_none", "no pooling mode", **{"1_Pooling__config": {"word_embedding_dimension": 4}})
    bad("pooling_flag_number", "wrong type", **{"1_Pooling__config": {"pooling_mode_cls_token": 1}})
    bad("pooling_dimension_negative", "not possible", **{"1_Pooling__config": dict(POOLING, word_embedding_dimension=-4)})
    bad("pooling_mode_unknown", "unknown", **{"1_Pooling__config": {"pooling_mode": "median"}})
    bad("dense_zero", "not possible", modules=modules + [module(2, "Dense", "2_Dense")], **{"2_Dense__config": {"in_features": 0, "out_features": 4}})
    bad("dense_cut", "not valid JSON", modules=modules + [module(2, "Dense", "2_Dense")], **{"2_Dense__config": '{"in_features": 4'})
    bad("length_negative", "not possible", sentence_bert_config={"max_seq_length": -1})
    bad("length_string", "wrong type", sentence_bert_config={"max_seq_length": "256"})
    bad("length_fraction", "wrong type", sentence_bert_config={"max_seq_length": 1.5})
    bad("prompts_numbers", "wrong type", config_sentence_transformers={"prompts": {"query": 1}})
    bad("prompts_array", "wrong type", config_sentence_transformers={"prompts": ["query: "]})
    bad("prompt_default_unknown", "not among the prompts", config_sentence_transformers={"prompts": {}, "default_prompt_name": "query"})
    bad("similarity_unknown", "unknown", config_sentence_transformers={"similarity_fn_name": "vibes"})
    bad("tokenizer_config_array", "does not hold an object", tokenizer_config=[])


def shards():
    one = packed({"a": tensor("U8", [4], 0, 4)}, bytes(4))
    two = packed({"b": tensor("U8", [4], 0, 4)}, bytes(4))
    names = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"

    def bad(name, phrase, weight_map, code="invalid_file", files=(one, two), index=None):
        base = f"safetensors/sharded/{name}"
        put(f"{base}/model.safetensors.index.json", index or json.dumps({"metadata": {}, "weight_map": weight_map}))
        for shard, data in zip(names, files):
            put(f"{base}/{shard}", data)
        EXPECTED.append((base, code, phrase))

    good = {"a": names[0], "b": names[1]}
    bad("no_weight_map", "a key is missing", None, index='{"metadata": {}}')
    bad("weight_map_array", "names no tensors", ["a"])
    bad("weight_map_empty", "names no tensors", {})
    bad("weight_map_number", "wrong type", {"a": 1})
    bad("index_cut", "not valid JSON", None, index=json.dumps({"weight_map": good})[:40])
    bad("index_duplicate", "same key twice", None, index='{"weight_map": {"a": "%s", "a": "%s"}}' % names)
    bad("shard_missing", "cannot open", good, "not_found", files=(one,))
    bad("shard_parent", "not a plain file name", {"a": "../shard_missing/" + names[0]})
    bad("shard_parent_itself", "not a plain file name", {"a": ".."}, files=())
    bad("shard_absolute", "not a plain file name", {"a": "/" + names[0]})
    bad("shard_in_folder", "not a plain file name", {"a": "./" + names[0]}, files=(one,))
    bad("shard_empty_name", "not a plain file name", {"a": ""})
    bad("shard_nul", "not a plain file name", {"a": names[0] + "\0.bin"}, files=(one,))
    bad("shard_lacks_tensor", "lacks a tensor", {"a": names[1], "b": names[1]})
    bad("tensor_in_two_shards", "two shards hold", good, files=(one, packed({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 1, 2)}, bytes(2))))
    bad("shard_cut", "outside the data", good, files=(one, two[:-2]))
    bad("shard_is_directory", "not a regular file", {"a": "."}, files=())
    put("safetensors/sharded/none/config.json", "{}")
    EXPECTED.append(("safetensors/sharded/none", "not_found", "no weights"))


# ONNX: a few bytes at a time, because no library would write these


def varint(value):
    out = b""
    while True:
        out += bytes([value & 127 | (128 if value > 127 else 0)])
        value >>= 7
        if not value:
            return out


def number(field, value):
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def sub(field, *parts):
    data = b"".join(p if isinstance(p, bytes) else p.encode() for p in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def model(graph, ir=8, opset=sub(8, number(2, 17))):
    return number(1, ir) + opset + sub(7, graph)


def proto(*parts, dims=(2,), dtype=1, name="t"):
    return b"".join(number(1, d) for d in dims) + number(2, dtype) + sub(8, name) + b"".join(parts)


def external(*pairs):
    return b"".join(sub(13, sub(1, k), sub(2, v)) for k, v in pairs) + number(14, 1)


def onnx_files():
    def bad(name, data, phrase, code="invalid_file"):
        put(f"onnx/{name}.onnx", data, code, phrase)

    def bad_tensor(name, data, phrase, code="invalid_file"):
        bad(name, model(sub(5, data)), phrase, code)

    def bad_attribute(name, data, phrase, code="invalid_file"):
        bad(name, model(sub(1, sub(4, "Op"), sub(5, data))), phrase, code)

    eight = bytes(8)
    bad("empty", b"", "not an ONNX model")
    bad("text", "not an onnx file\n", "")
    bad("no_graph", number(1, 8), "not an ONNX model")
    bad("two_graphs", model(b"") + sub(7, b""), "not an ONNX model")
    bad("graph_is_number", number(1, 8) + number(7, 1), "wrong wire type")
    bad("no_ir_version", sub(7, b""), "not an ONNX model")
    bad("ir_version_2", model(b"", ir=2), "IR version")
    bad("int4_too_short", model(sub(5, proto(sub(9, b"12"), dims=(5,), dtype=22))), "raw_data does not match")
    bad("uint4_list_too_long", model(sub(5, proto(sub(5, b"123"), dims=(4,), dtype=21))), "int32_data does not match")
    bad("uint4_list_out_of_range", model(sub(5, proto(sub(5, varint(300)), dims=(2,), dtype=21))), "does not fit the element type")
    bad("ir_version_negative", model(b"", ir=-1), "IR version")
    bad("varint_too_long", number(1, 8) + b"\x3a" + b"\x80" * 10 + b"\x01", "too long")
    bad("varint_65_bits", b"\x08" + b"\xff" * 9 + b"\x02" + sub(7, b""), "too long")
    bad("varint_cut", number(1, 8) + b"\x3a\x80", "ends too early")
    bad("length_past_end", number(1, 8) + b"\x3a\x64" + bytes(10), "ends too early")
    bad("length_2_63", number(1, 8) + b"\x3a" + varint(1 << 63), "ends too early")
    bad("length_max", number(1, 8) + b"\x3a" + varint((1 << 64) - 1), "ends too early")
    bad("field_zero", number(1, 8) + b"\x02\x00", "field number")
    bad("field_too_large", number(1, 8) + varint(1 << 40), "field number")
    bad("group", number(1, 8) + varint(7 << 3 | 3) + varint(7 << 3 | 4), "groups")
    bad("group_end", number(1, 8) + varint(7 << 3 | 4), "groups")
    bad("wire_type_6", number(1, 8) + varint(7 << 3 | 6), "wire type")
    bad("wire_type_7", number(1, 8) + varint(30 << 3 | 7), "wire type")
    bad("fixed32_cut", number(1, 8) + varint(30 << 3 | 5) + b"\0\0", "ends too early")
    bad("name_not_utf8", model(sub(2, b"\xff\xfe")), "not UTF-8")
    bad("node_name_number", model(sub(1, number(3, 5))), "wrong wire type")
    graph = b""
    for _ in range(1000):
        graph = sub(1, sub(5, sub(1, "then"), number(20, 5), sub(6, graph)))
    bad("nested_1000", model(graph), "nested too deeply")
    bad("sparse_initializer", model(sub(15, b"")), "sparse", "unsupported")
    bad("metadata_twice", model(b"") + sub(14, sub(1, "k"), sub(2, "1")) * 2, "same key twice")

    bad_tensor("dtype_missing", sub(8, "t") + sub(9, eight), "no known element type")
    bad_tensor("dtype_99", proto(sub(9, eight), dtype=99), "no known element type")
    bad_tensor("dtype_negative", proto(sub(9, eight), dtype=-1), "no known element type")
    bad_tensor("dtype_string", proto(sub(6, "a"), sub(6, "b"), dtype=8), "does not read", "unsupported")
    bad_tensor("dtype_complex", proto(sub(9, bytes(16)), dtype=14), "does not read", "unsupported")
    bad_tensor("dtype_int2", proto(sub(9, b"\0"), dtype=26), "does not read", "unsupported")
    bad_tensor("dims_negative", proto(sub(9, eight), dims=(-2,)), "not possible")
    bad_tensor("dims_negative_pair", proto(sub(9, eight), dims=(-1, -2)), "not possible")
    bad_tensor("dims_overflow", proto(sub(9, b""), dims=(1 << 32, 1 << 32)), "not possible")
    bad_tensor("dims_bytes_overflow", proto(sub(9, b""), dims=(1 << 62,)), "not possible")
    bad_tensor("dims_1000", proto(sub(9, bytes(4)), dims=(1,) * 1000), "too many dimensions")
    bad_tensor("dims_lie", proto(sub(9, eight), dims=(1 << 40,)), "does not match the shape")
    bad_tensor("raw_short", proto(sub(9, bytes(7))), "does not match the shape")
    bad_tensor("raw_long", proto(sub(9, bytes(9))), "does not match the shape")
    bad_tensor("raw_and_list", proto(sub(9, eight), sub(4, eight)), "twice")
    bad_tensor("data_missing", proto(), "does not match the shape")
    bad_tensor("data_missing_huge", proto(dims=(1 << 40,)), "does not match the shape")
    bad_tensor("list_short", proto(sub(4, bytes(4))), "does not match the shape")
    bad_tensor("list_long", proto(sub(4, bytes(12))), "does not match the shape")
    bad_tensor("list_cut", proto(sub(4, bytes(7))), "ends too early")
    bad_tensor("list_wrong_field", proto(sub(7, b"\1\2")), "wrong field")
    bad_tensor("list_wrong_wire", proto(number(4, 1), number(4, 1)), "wrong wire type")
    bad_tensor("list_int8_range", proto(sub(5, varint(128), varint(1)), dtype=3), "does not fit")
    bad_tensor("list_half_range", proto(sub(5, varint(65536), varint(1)), dtype=10), "does not fit")
    bad_tensor("list_uint32_range", proto(sub(11, varint(1 << 32), varint(1)), dtype=12), "does not fit")
    bad_tensor("segment", proto(sub(9, eight), sub(3, number(1, 0))), "segments")

    put("onnx/weights.bin", bytes(range(8)))
    bad_tensor("external_parent", proto(external(("location", "../onnx/weights.bin"))), "outside its own folder")
    bad_tensor("external_inner_parent", proto(external(("location", "a/../weights.bin"))), "outside its own folder")
    bad_tensor("external_absolute", proto(external(("location", "/etc/hostname"))), "outside its own folder")
    bad_tensor("external_nul", proto(external(("location", b"weights.bin\0.onnx"))), "outside its own folder")
    bad_tensor("external_directory", proto(external(("location", "graph"))), "not a regular file")
    bad_tensor("external_missing", proto(external(("location", "missing.bin"))), "cannot open", "not_found")
    bad_tensor("external_no_location", proto(external(("offset", "0"))), "no location")
    bad_tensor("external_short", proto(external(("location", "weights.bin")), dims=(3,)), "past the end")
    bad_tensor("external_offset_past_end", proto(external(("location", "weights.bin"), ("offset", "9")), dims=(0,)), "past the end")
    bad_tensor("external_offset_max", proto(external(("location", "weights.bin"), ("offset", str((1 << 64) - 1)))), "past the end")
    bad_tensor("external_offset_2_64", proto(external(("location", "weights.bin"), ("offset", str(1 << 64)))), "no count of bytes")
    bad_tensor("external_offset_negative", proto(external(("location", "weights.bin"), ("offset", "-4"))), "no count of bytes")
    bad_tensor("external_offset_text", proto(external(("location", "weights.bin"), ("offset", "0x4"))), "no count of bytes")
    bad_tensor("external_length_lie", proto(external(("location", "weights.bin"), ("length", "4"))), "does not match the shape")
    bad_tensor("external_unknown_key", proto(external(("location", "weights.bin"), ("command", "rm"))), "unknown key")
    bad_tensor("external_and_raw", proto(external(("location", "weights.bin")), sub(9, eight)), "twice")

    bad_attribute("attribute_no_value", sub(1, "a"), "type is not given")
    bad_attribute("attribute_two_values", sub(1, "a") + number(3, 1) + sub(4, "s"), "type is not given")
    bad_attribute("attribute_type_99", sub(1, "a") + number(20, 99), "type is unknown")
    bad_attribute("attribute_wrong_value", sub(1, "a") + number(20, 1) + number(3, 1), "not of its type")
    bad_attribute("attribute_no_tensor", sub(1, "a") + number(20, 4), "one tensor")
    bad_attribute("attribute_two_graphs", sub(1, "a") + number(20, 5) + sub(6, b"") * 2, "one graph")
    bad_attribute("attribute_sparse", sub(1, "a") + number(20, 11) + sub(22, b""), "sparse", "unsupported")
    bad_attribute("attribute_floats_cut", sub(1, "a") + number(20, 6) + sub(7, bytes(6)), "ends too early")


def graphs():
    """Sound files with unsound graphs."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])
    node = helper.make_node

    def bad(name, nodes, initializers=(), inputs=(x,), outputs=(y,), opset=17):
        graph = helper.make_graph(nodes, name, list(inputs), list(outputs), list(initializers))
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        put(f"onnx/graph/{name}.onnx", made.SerializeToString(), "ok", "")

    ones = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0] * 4)
    bad("cycle", [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])])
    bad("self_cycle", [node("Add", ["x", "y"], ["y"])])
    bad("duplicate_output", [node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])])
    bad("duplicate_initializer", [node("Add", ["x", "w"], ["y"])], [ones, ones])
    bad("output_shadows_input", [node("Relu", ["x"], ["x"]), node("Relu", ["x"], ["y"])])
    bad("undefined_input", [node("Add", ["x", "nowhere"], ["y"])])
    bad("undefined_output", [node("Relu", ["x"], ["z"])])
    bad("unknown_op", [node("Frobnicate", ["x"], ["y"])])
    bad("unknown_domain", [node("Relu", ["x"], ["y"], domain="com.example")])
    bad("shapes_do_not_match", [node("MatMul", ["x", "m"], ["y"])], [helper.make_tensor("m", TensorProto.FLOAT, [5, 4], [0.0] * 20)])
    bad("wrong_dtype", [node("Add", ["x", "i"], ["y"])], [helper.make_tensor("i", TensorProto.INT64, [4], [1] * 4)])
    bad("too_few_inputs", [node("MatMul", ["x"], ["y"])])
    bad("wrong_attribute", [node("Softmax", ["x"], ["y"], axis="last")])
    bad("axis_out_of_range", [node("Softmax", ["x"], ["y"], axis=7)])
    bad("opset_future", [node("Relu", ["x"], ["y"])], opset=99)


if __name__ == "__main__":
    for folder in ("safetensors", "json", "onnx"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    safetensors()
    documents()
    sentence_transformers()
    shards()
    onnx_files()
    graphs()
    EXPECTED.sort()
    put("expected.tsv", "".join("\t".join(row) + "\n" for row in EXPECTED))
    print(len(EXPECTED), "cases")
