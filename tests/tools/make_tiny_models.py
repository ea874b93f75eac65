#!/usr/bin/env python3
"""Writes the tokenizers and settings of tests/data/tiny-embedder and tests/data/tiny-reranker; their weights are those of
tests/data/models/{bert,bert-classifier}, which the tests put beside them. Needs the `tokenizers` package.

The vocabulary has the 1000 entries that these models know: special tokens, characters, word endings and the commonest
words of samples/passages.jsonl.
"""
import collections, json, os, re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZE = 1000


def vocabulary():
    characters = [chr(c) for c in range(0x21, 0x7F) if not chr(c).isupper()] + list("äéö漢字")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + characters
    tokens += ["##" + c for c in characters if c.isalnum()] + ["##ing", "##ed", "##er", "##s'", "##ly", "##tion"]
    words = collections.Counter()
    with open(f"{ROOT}/samples/passages.jsonl") as lines:
        for line in lines:
            words.update(re.findall(r"[a-z]{2,}", json.loads(line)["text"].lower()))
    ranked = sorted(words, key=lambda w: (-words[w], w))
    return (tokens + [w for w in ranked if w not in tokens])[:SIZE]


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")


def main():
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import TemplateProcessing
    vocab = vocabulary()
    assert len(vocab) == len(set(vocab)) == SIZE
    t = BertWordPieceTokenizer({token: i for i, token in enumerate(vocab)}, lowercase=True)
    t._tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    embedder, reranker = f"{ROOT}/tests/data/tiny-embedder", f"{ROOT}/tests/data/tiny-reranker"
    text = json.dumps(json.loads(t.to_str()), ensure_ascii=False) + "\n"
    for folder in (embedder, reranker):
        write(f"{folder}/tokenizer.json", text)
        write(f"{folder}/tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 128})
    kind = "sentence_transformers.models."
    write(f"{embedder}/modules.json", [{"idx": 0, "name": "0", "path": "", "type": kind + "Transformer"},
                                       {"idx": 1, "name": "1", "path": "1_Pooling", "type": kind + "Pooling"},
                                       {"idx": 2, "name": "2", "path": "2_Normalize", "type": kind + "Normalize"}])
    write(f"{embedder}/1_Pooling/config.json", {"word_embedding_dimension": 64, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
                                                "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    write(f"{embedder}/sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    write(f"{embedder}/config_sentence_transformers.json", {"prompts": {"query": "question: ", "document": ""}, "default_prompt_name": None,
                                                            "similarity_fn_name": "cosine"})


if __name__ == "__main__":
    main()
