#!/usr/bin/env python3
"""Writes tests/data/modernbert-head.safetensors: random weights of a ModernBertForSequenceClassification head, and the
logits it gives on the reference hidden states of tests/data/models/modernbert, computed here in float64 as transformers
4.57 defines them: classifier(norm(act(dense(pooled)))), pooled the first token or the mean of the kept ones. The logits of
"cls" are without the bias of dense, those of "mean" with it. Needs numpy, scipy and safetensors.
"""
import os

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import erf

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LABELS, EPSILON = 3, 1e-5


def logits(pooled, head, bias):
    x = pooled @ head["head.dense.weight"].T.astype(np.float64) + (head["head.dense.bias"] if bias else 0)
    x = 0.5 * x * (1 + erf(x / np.sqrt(2)))
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON) * head["head.norm.weight"]
    return x @ head["classifier.weight"].T + head["classifier.bias"]


def main():
    expected = load_file(f"{ROOT}/tests/data/models/modernbert/expected.safetensors")
    hidden, mask = expected["last_hidden_state"].astype(np.float64), expected["attention_mask"].astype(np.float64)
    width, random = hidden.shape[-1], np.random.default_rng(7)
    shapes = {"head.dense.weight": (width, width), "head.dense.bias": (width,), "head.norm.weight": (width,),
              "classifier.weight": (LABELS, width), "classifier.bias": (LABELS,)}
    head = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    head["head.norm.weight"] += 1
    first = mask.argmax(1)
    cls = hidden[np.arange(len(hidden)), first]
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    results = {"logits.cls": logits(cls, head, False), "logits.mean": logits(mean, head, True)}
    save_file({**head, **{name: x.astype(np.float32) for name, x in results.items()}},
              f"{ROOT}/tests/data/modernbert-head.safetensors")


if __name__ == "__main__":
    main()
