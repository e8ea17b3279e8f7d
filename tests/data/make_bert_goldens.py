"""Makes tests/data/bert/<name>/: tiny BERT classifiers with random weights, and what transformers
computes with them.

Needs `pip install torch==2.13.0 transformers==5.23.0 safetensors==0.8.0`. Run as
`python3 make_bert_goldens.py` behind make_wordpiece_goldens.py, whose vocabulary is used.

Each folder is a checkpoint directory and golden.json: {"texts", "logits" (fp32, each text alone, cut
at the model's context), "scores": probability of the label "label"}.
"""

import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertTokenizer

import make_tokenizer_goldens as base

HERE = pathlib.Path(__file__).parent
OUT = HERE / "bert"

JIGSAW = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
FIXTURES = {
    # The layout of toxic-bert.
    "six_labels": dict(
        config=dict(hidden_size=24, num_attention_heads=3, num_hidden_layers=3, intermediate_size=44,
                    max_position_embeddings=64, type_vocab_size=2, hidden_act="gelu",
                    layer_norm_eps=1e-12, problem_type="multi_label_classification"),
        labels=JIGSAW, label="toxic", tokenizer_json=True),
    # Two labels, vocab.txt only, another activation, a large epsilon, shards, norms named as of old.
    "two_labels": dict(
        config=dict(hidden_size=20, num_attention_heads=5, num_hidden_layers=2, intermediate_size=33,
                    max_position_embeddings=40, type_vocab_size=3, hidden_act="gelu_new",
                    layer_norm_eps=7e-3),
        labels=["nothate", "HATE"], label="HATE", shards=2, old_norms=True),
    # Half precision on disk, three labels of which only one can hold.
    "three_labels": dict(
        config=dict(hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=16,
                    max_position_embeddings=48, type_vocab_size=2, hidden_act="relu",
                    layer_norm_eps=1e-5, problem_type="single_label_classification"),
        labels=["neutral", "Toxicity", "other"], label="Toxicity", dtype=torch.float16),
}


def vocabulary():
    all_tokens = json.load(open(HERE / "wordpiece" / "uncased.json", encoding="utf-8"))["model"]["vocab"]
    return sorted(all_tokens, key=all_tokens.get)[:320]


def random_weights(model, generator):
    for name, weight in model.named_parameters():
        value = torch.randn(weight.shape, generator=generator)
        if "LayerNorm.weight" in name:
            value = 1 + 0.4 * value
        elif name.endswith("bias"):
            value *= 0.3
        elif "embeddings" not in name:
            value *= 1.5 / weight.shape[1] ** 0.5
        weight.copy_(value)


def old_name(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias",
                                                                       "LayerNorm.beta")


def save_weights(folder, tensors, shards):
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    where = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: tensors[name] for name in sorted(tensors)[shard::shards]}
        where.update(dict.fromkeys(part, file))
        save_file(part, folder / file, metadata={"format": "pt"})
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    with open(folder / "model.safetensors.index.json", "w", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": size}, "weight_map": where}, file, indent=1)


def texts():
    generator = base.Generator(5)
    words = "the size of a token is not an error this file has no name return values".split()
    random_texts = [" ".join(words[generator.below(len(words))] for _ in range(1 + generator.below(90)))
                    for _ in range(16)]
    return ["", "x", "You are HORRIBLE!", "tokens [MASK] of a naïve 日本 file"] + base.TEXTS[6:12] + [
        "the " * 700] + random_texts


def make(name, fixture, seed):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokens = vocabulary()
    config = BertConfig(vocab_size=len(tokens) + seed, architectures=["BertForSequenceClassification"],
                        id2label=dict(enumerate(fixture["labels"])),
                        label2id={label: i for i, label in enumerate(fixture["labels"])},
                        **fixture["config"])
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        random_weights(model, torch.Generator().manual_seed(seed))
    model = model.to(fixture.get("dtype", torch.float32)).eval()
    tensors = {n: t.contiguous() for n, t in model.state_dict().items()}
    if fixture.get("old_norms"):
        tensors = {old_name(n): t for n, t in tensors.items()}
    config.save_pretrained(folder)
    save_weights(folder, tensors, fixture.get("shards", 1))
    if fixture.get("tokenizer_json"):
        BertTokenizer(vocab={token: i for i, token in enumerate(tokens)},
                      model_max_length=512).save_pretrained(folder)
    else:
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}\n', encoding="utf-8")

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    golden = {"texts": texts(), "logits": [], "scores": [], "label": fixture["label"]}
    chosen = fixture["labels"].index(fixture["label"])
    for text in golden["texts"]:
        inputs = tokenizer(text, return_tensors="pt", truncation=True,
                           max_length=min(512, config.max_position_embeddings))
        with torch.no_grad():
            logits = model(**inputs).logits[0].double()
        several = config.problem_type == "multi_label_classification"
        scores = torch.sigmoid(logits) if several else torch.softmax(logits, -1)
        golden["logits"].append([round(x, 7) for x in logits.tolist()])
        golden["scores"].append(round(float(scores[chosen]), 7))
    with open(folder / "golden.json", "w", encoding="utf-8") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")
    print(name, max(golden["scores"]), min(golden["scores"]))


def main():
    for seed, (name, fixture) in enumerate(FIXTURES.items()):
        make(name, fixture, seed)


if __name__ == "__main__":
    main()
