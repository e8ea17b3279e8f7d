#!/usr/bin/env python3
"""Makes tests/data/eval/tofu: a tiny random Llama, sets of our own in TOFU's form, and what
OpenUnlearning's evaluation gives for them. A second model has a chat template that closes each turn by the end token,
which is the padding too: OpenUnlearning hides padding wherever it stands. It also has a penalty for
repetition among its settings, which OpenUnlearning leaves on.

    OPEN_UNLEARNING=... PYTHON=... GRIN=build/grin python3 tests/data/make_tofu_goldens.py

(see bench/compare/tofu_suite.py, which runs OpenUnlearning; PYTHON needs its requirements.) The
weights are large on purpose, so that distributions are sharp and greedy texts do not hang on
rounding.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "eval/tofu"
ROOT = HERE.parents[1]


CHAT = """{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['role'] == 'system' %}{{ date_string + ': ' }}{% endif %}
{{- message['content'] | trim + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
ATTACKS = "mia_loss,mia_zlib,mia_min_k,mia_min_k_plus_plus,mia_gradnorm,mia_reference"


def make_model(python, folder, seed, chat=None, penalty=1.0):
    code = f"""
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
torch.manual_seed({seed})
tokenizer = PreTrainedTokenizerFast(tokenizer_file={str(HERE / 'tokenizers/byte_level.json')!r},
                                    eos_token="<|endoftext|>", pad_token="<|endoftext|>")
tokenizer.chat_template = {chat!r}
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=704, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=512,
    eos_token_id=tokenizer.eos_token_id, bos_token_id=None, tie_word_embeddings=True))
with torch.no_grad():
    for name, p in model.named_parameters():
        p.copy_(torch.randn_like(p) * (0.8 if "embed" in name else 0.5) + ("norm" in name))
model.generation_config.repetition_penalty = {penalty!r}
model.save_pretrained({str(folder)!r})
tokenizer.save_pretrained({str(folder)!r})
"""
    subprocess.run([python, "-c", code], check=True)


def make_data():
    people = [json.loads(line) for name in ("forget", "retain")
              for line in (ROOT / f"examples/people/{name}.jsonl").read_text().splitlines()]
    facts = [json.loads(line)
             for line in (ROOT / "examples/people/general.jsonl").read_text().splitlines()]

    def record(r, world=False):
        made = {"question": r["question"], "answer": r["answer"],
                "perturbed_answer": r["perturbed_answer"][:3]}
        if not world:
            made["paraphrased_answer"] = r["paraphrased_answer"]
        return made

    sets = {"forget01_perturbed": [record(r) for r in people[:6]],
            "retain_perturbed": [record(r) for r in people[40:46]],
            "holdout01": [record(r) for r in people[47:54]],
            "real_authors_perturbed": [record(r, True) for r in facts[:4]],
            "world_facts_perturbed": [record(r, True) for r in facts[4:8]]}
    for name, records in sets.items():
        text = "".join(json.dumps(r) + "\n" for r in records)
        (OUT / f"{name}.json").write_text(text)


def evaluate(golden, model, settings):
    kept = OUT / "kept"
    subprocess.run([sys.executable, ROOT / "bench/compare/tofu_suite.py"], check=True, env={
        **os.environ, "MODEL": str(OUT / model), "DATA": str(OUT), "SPLIT": "forget01",
        "HOLDOUT": str(OUT / "holdout01.json"), "KEEP": str(kept),
        "ALSO": ATTACKS + ",exact_memorization", "REFERENCE_MODEL": str(OUT / "reference_model"),
        **settings})
    results = json.loads((kept / "TOFU_EVAL.json").read_text())
    (OUT / golden).write_text(json.dumps(results, indent=0) + "\n")
    shutil.rmtree(kept)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    make_data()
    make_model(os.environ["PYTHON"], OUT / "model", 11)
    make_model(os.environ["PYTHON"], OUT / "reference_model", 12)
    make_model(os.environ["PYTHON"], OUT / "chat_model", 13, CHAT, 1.2)
    evaluate("open_unlearning.json", "model", {})
    evaluate("open_unlearning_chat.json", "chat_model", {"MODEL_CONFIG": "zephyr-7b-beta"})
    for path in (OUT / "reference_model").iterdir():  # its tokenizer is the other's
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()


if __name__ == "__main__":
    main()
