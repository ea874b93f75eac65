#!/usr/bin/env python3
"""Tiny models with random weights and their outputs by transformers in torch float32, for families that had none.

usage: make_torch_goldens.py OUT [--onnx]        (needs torch and transformers; --onnx exports the graphs too)

Every folder gets config.json, model.safetensors and expected.safetensors: input_ids and attention_mask [4, L] (lengths 1,
7, 24 and L, right-padded), last_hidden_state or logits. Compare only where attention_mask is 1. tests/data/models holds
what this made.
"""
import argparse
import pathlib

import torch
import transformers
from safetensors.torch import save_file

MPNET = dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
             max_position_embeddings=200, relative_attention_num_buckets=32)
MODERNBERT = dict(vocab_size=100, hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=48,
                  max_position_embeddings=256, local_attention=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                  cls_token_id=1, sep_token_id=2, num_labels=3, attn_implementation="eager", reference_compile=False)


def models():
    # Long enough for distances in the last bucket of the relative positions.
    yield "mpnet", transformers.MPNetModel(transformers.MPNetConfig(**MPNET), add_pooling_layer=False), 1, 160
    # One by the old keys, the other by what transformers 5 says a layer at a time.
    for pooling, more in (("cls", dict(global_attn_every_n_layers=2)),
                          ("mean", dict(layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                        classifier_bias=True, norm_bias=True))):
        config = transformers.ModernBertConfig(**MODERNBERT, classifier_pooling=pooling, **more)
        yield f"modernbert-classifier-{pooling}", transformers.ModernBertForSequenceClassification(config), 0, 60


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--onnx", action="store_true")
    a = parser.parse_args()
    for name, model, pad, width in models():
        torch.manual_seed(7)
        model = model.float().eval()
        with torch.no_grad():  # the usual initialisation is too small to show a mistake
            for key, p in model.named_parameters():
                p.copy_(1 + 0.1 * torch.randn_like(p) if "norm" in key.lower() and p.dim() == 1 and "bias" not in key
                        else 0.5 * torch.randn_like(p) if "relative_attention_bias" in key
                        else torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.12))
        lengths = (1, 7, 24, width)
        ids = torch.full((len(lengths), width), pad)
        mask = torch.zeros_like(ids)
        for row, length in enumerate(lengths):
            ids[row, :length] = torch.randint(5, 100, (length,))
            mask[row, :length] = 1
        with torch.no_grad():
            found = model(input_ids=ids, attention_mask=mask)
        output = "logits" if hasattr(found, "logits") else "last_hidden_state"
        folder = a.out / name
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder)
        save_file({"input_ids": ids, "attention_mask": mask, output: found[output].contiguous()},
                  folder / "expected.safetensors")
        print(name, tuple(found[output].shape), float(found[output].abs().max()))
        if a.onnx:
            axes = {0: "batch", 1: "sequence"}
            torch.onnx.export(model, (), str(folder / "model.onnx"), kwargs=dict(input_ids=ids, attention_mask=mask),
                              input_names=["input_ids", "attention_mask"], output_names=[output], opset_version=17,
                              dynamic_axes={"input_ids": axes, "attention_mask": axes, output: {0: "batch"} if output == "logits" else axes},
                              dynamo=False)


if __name__ == "__main__":
    main()
