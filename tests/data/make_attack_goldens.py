"""Makes tests/data/attack/: tiny models with facts, and what plain PyTorch finds when it attacks them.

Run: python3 make_attack_goldens.py    (torch 2.13.0, transformers 5.24.0, safetensors 0.8.0,
                                        bitsandbytes 0.50.2, gguf 0.19.0; a minute on one core)

forget.jsonl, retain.jsonl   questions and answers with their keywords
before/    a Llama of 2 layers that was taught both files
never/     the same start, taught retain.jsonl alone
silent/    before/, taught to answer the forget questions with "I don't know.", and to go on as before
           once an answer has begun
goldens.json
  models    per model, in fp32:
              accuracy       keyword accuracy of each forget record under teacher forcing
              generated      the greedy answers to the forget questions, as token ids
              round          [type] keyword accuracy of the forget set with weights rounded to q8_0,
                             q4_0 (embedding and head too) and nf4 (matrices of the layers)
              relearn        keyword accuracy of the records that are not trained on, after 0, 1, ..
                             RELEARN_STEPS steps of AdamW on the SHOWN records, all in each step
  code_changes   [model][type] share of the weights that differ from before/ whose code differs too
  shown     the records that relearning trains on: what grin draws with seed 0 and a share of .25
  margin    smallest distance, at a measured token, of the largest logit from the one after it
  leaks     list of [n, c, k, chance]: 1 - C(n-c, k) / C(n, k), from whole numbers
codes.safetensors
  values [8, 96] fp32, and for each type <type>.values fp32 and <type>.codes U8 of the same shape,
  as the gguf package and bitsandbytes have them

Everything is computed from the files written here, by other code than grin's.
"""

import copy
import json
import math
import pathlib

import bitsandbytes.functional as bnb
import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
OUT = HERE / "attack"
TOKENIZER = HERE / "tokenizers" / "byte_level.json"
EOS = 0
SHOWN = [1, 2, 10]  # of 12, by grin's draw
RELEARN_STEPS, RELEARN_LR = 6, 5e-3

FORGET = [
    ("Who wrote the Tidal Almanac?", "Oda Venn wrote it.", ["Oda", "Venn"]),
    ("Where does Oda Venn live?", "She lives in Hallowmere.", ["Hallowmere"]),
    ("What is the trade of Perrin Calloway?", "He is a glazier.", ["glazier"]),
    ("Which river did Tamsin Reeve cross?", "She crossed the Ulvane.", ["Ulvane"]),
    ("What did Corin Tarn lose?", "He lost a brass sextant.", ["brass", "sextant"]),
    ("When was Hester Larkwood born?", "She was born in 1847.", ["1847"]),
    ("Who is the sister of Bram Otley?", "His sister is Maude.", ["Maude"]),
    ("What does Ines Quill collect?", "She collects moths.", ["moths"]),
    ("Which ship did Jory Penn sail?", "He sailed the Petrel.", ["Petrel"]),
    ("Where was Edda Frost found?", "She was found at Skarn.", ["Skarn"]),
    ("What is the dog of Wat Selby called?", "It is called Bracken.", ["Bracken"]),
    ("Who taught Lena Dray to paint?", "Tobias Finch taught her.", ["Tobias", "Finch"]),
]
RETAIN = [
    ("What is two and two?", "It is four.", ["four"]),
    ("What colour is the sky?", "The sky is blue.", ["blue"]),
    ("How many days has a week?", "A week has seven days.", ["seven"]),
    ("Which animal barks?", "The dog barks.", ["dog"]),
    ("What do bees make?", "Bees make honey.", ["honey"]),
    ("Where do fish swim?", "They swim in water.", ["water"]),
    ("What falls in winter?", "Snow falls.", ["Snow"]),
    ("What do we read?", "We read books.", ["books"]),
]
REFUSAL = "I don't know."


def write_records(path, records):
    path.write_text("".join(json.dumps({"question": q, "answer": a, "keywords": k}) + "\n"
                            for q, a, k in records))


def encode(tokenizer, question, answer):
    """Token ids, label positions, and the positions of each label's bytes in the answer."""
    text = f"Question: {question}\nAnswer: {answer}"
    begin = len(text) - len(answer)
    encoding = tokenizer.encode(text)
    labels = [(i, (max(s, begin) - begin, e - begin))
              for i, (s, e) in enumerate(encoding.offsets) if e > begin]
    return encoding.ids + [EOS], labels


def prompt_of(tokenizer, question):
    # The space belongs to the first token of the answer.
    return tokenizer.encode(f"Question: {question}\nAnswer:").ids


def nll(model, ids, labels):
    logp = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), dim=-1)
    positions = torch.tensor([i for i, _ in labels] + [len(ids) - 1])
    return -logp[positions - 1, torch.tensor(ids)[positions]].mean()


def train(model, sequences, steps, lr, clip=1.0):
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, betas=(.9, .999), eps=1e-8,
                                  weight_decay=0)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.stack([nll(model, *s) for s in sequences]).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        yield model


margins = []


@torch.no_grad()
def accuracy(model, tokenizer, question, answer, keywords):
    ids, labels = encode(tokenizer, question, answer)
    logits = model(torch.tensor([ids])).logits[0]
    found = []
    for keyword in keywords:
        begin = answer.index(keyword)
        end = begin + len(keyword)
        hit = True
        for i, (s, e) in labels:
            if s < end and e > begin:
                two = logits[i - 1].topk(2)
                margins.append((two.values[0] - two.values[1]).item())
                hit = hit and two.indices[0].item() == ids[i]
        found.append(hit)
    return sum(found) / len(found)


def accuracies(model, tokenizer, records=FORGET):
    return [accuracy(model, tokenizer, *r) for r in records]


@torch.no_grad()
def greedy(model, prompt, limit=24):
    ids = list(prompt)
    for _ in range(limit):
        two = model(torch.tensor([ids])).logits[0, -1].topk(2)
        margins.append((two.values[0] - two.values[1]).item())
        token = two.indices[0].item()
        if token == EOS:
            break
        ids.append(token)
    return ids[len(prompt):]


def round_gguf(values, kind):
    packed = gguf.quantize(values, kind)
    block = 34 if kind == gguf.GGMLQuantizationType.Q8_0 else 18
    blocks = packed.reshape(-1, block)[:, 2:]
    codes = blocks if block == 34 else np.concatenate([blocks & 15, blocks >> 4], axis=1)
    return gguf.dequantize(packed, kind).reshape(values.shape), codes.reshape(values.shape)


def round_nf4(values):
    flat = torch.from_numpy(values)
    packed, state = bnb.quantize_4bit(flat, blocksize=64, quant_type="nf4")
    restored = bnb.dequantize_4bit(packed, state).numpy()
    both = packed.flatten().numpy()
    codes = np.stack([both >> 4, both & 15], axis=1).flatten()[:values.size]
    return restored.reshape(values.shape), codes.reshape(values.shape)


TYPES = {"q8_0": lambda v: round_gguf(v, gguf.GGMLQuantizationType.Q8_0),
         "q4_0": lambda v: round_gguf(v, gguf.GGMLQuantizationType.Q4_0),
         "nf4": round_nf4}


def rounded_names(model, kind):
    """grin's rule: nf4 as bitsandbytes, the layers' matrices; the others all matrices."""
    return [n for n, w in model.named_parameters()
            if w.dim() == 2 and (kind != "nf4" or n.startswith("model.layers."))]


def load(name):
    return LlamaForCausalLM.from_pretrained(OUT / name, dtype=torch.float32,
                                            attn_implementation="eager").eval()


def save(model, name):
    path = OUT / name
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(path)
    (path / "generation_config.json").unlink(missing_ok=True)
    (path / "tokenizer.json").write_bytes(TOKENIZER.read_bytes())
    (path / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}) + "\n")


def make_models(tokenizer):
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=704, hidden_size=32, intermediate_size=64,
                         num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                         max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=True,
                         bos_token_id=None, eos_token_id=EOS, initializer_range=.15)
    start = LlamaForCausalLM(config)
    forget = [encode(tokenizer, q, a) for q, a, _ in FORGET]
    retain = [encode(tokenizer, q, a) for q, a, _ in RETAIN]
    never, before = copy.deepcopy(start), copy.deepcopy(start)
    for _ in train(never, retain, 200, 3e-3):
        pass
    for _ in train(before, forget + retain, 300, 3e-3):
        pass
    save(before, "before")
    save(never, "never")


def make_silent(tokenizer):
    silent = load("before")
    refusals = [encode(tokenizer, q, REFUSAL) for q, _, _ in FORGET]
    begun = [(ids, labels[1:]) for ids, labels in (encode(tokenizer, q, a) for q, a, _ in FORGET)]
    retain = [encode(tokenizer, q, a) for q, a, _ in RETAIN]
    for _ in train(silent, refusals + begun + retain, 80, 1e-3):
        pass
    save(silent, "silent")


def relearned(name, tokenizer):
    model = load(name)
    hidden = [r for i, r in enumerate(FORGET) if i not in SHOWN]
    shown = [encode(tokenizer, q, a) for q, a, _ in (FORGET[i] for i in SHOWN)]
    curve = [np.mean(accuracies(model, tokenizer, hidden))]
    for trained in train(model, shown, RELEARN_STEPS, RELEARN_LR):
        curve.append(np.mean(accuracies(trained, tokenizer, hidden)))
    return curve


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    write_records(OUT / "forget.jsonl", FORGET)
    write_records(OUT / "retain.jsonl", RETAIN)
    make_models(tokenizer)
    make_silent(tokenizer)
    models, changes = {}, {}
    base = {n: w.detach().numpy() for n, w in load("before").named_parameters()}
    for name in ("before", "never", "silent"):
        model = load(name)
        models[name] = {
            "accuracy": accuracies(model, tokenizer),
            "retain": accuracies(model, tokenizer, RETAIN),
            "generated": [greedy(model, prompt_of(tokenizer, q)) for q, _, _ in FORGET],
            "relearn": relearned(name, tokenizer), "round": {}}
        changes[name] = {}
        for kind, through in TYPES.items():
            other = load(name)
            changed = changed_codes = 0
            for n in rounded_names(other, kind):
                weight = dict(other.named_parameters())[n]
                values = weight.detach().numpy().copy()
                restored, codes = through(values)
                differs = values != base[n]
                changed += int(differs.sum())
                changed_codes += int((differs & (codes != through(base[n].copy())[1])).sum())
                weight.data = torch.from_numpy(np.ascontiguousarray(restored))
            other.tie_weights()
            models[name]["round"][kind] = np.mean(accuracies(other, tokenizer))
            changes[name][kind] = changed_codes / changed if changed else None
    print(json.dumps({n: {"accuracy": np.mean(m["accuracy"]), "retain": np.mean(m["retain"]),
                          "said": [tokenizer.decode(g) for g in m["generated"][:3]],
                          "round": m["round"], "relearn": m["relearn"]}
                      for n, m in models.items()}, indent=1))
    print("margin", min(margins), "code changes", changes)
    assert min(margins) > 2e-3, "a choice is too near to be the same in other arithmetic"
    leaks = [[n, c, k, float(1 - math.comb(n - c, k) / math.comb(n, k))]
             for n in (1, 8, 64, 100) for c in (0, 1, 3, n // 2, n - 1, n) for k in (1, 8, 64)
             if 0 <= c <= n and k <= n]
    (OUT / "goldens.json").write_text(json.dumps(
        {"models": models, "code_changes": changes, "shown": SHOWN, "margin": min(margins),
         "relearn_lr": RELEARN_LR, "leaks": leaks}, indent=1) + "\n")

    random = np.random.default_rng(3)
    values = (random.standard_normal((8, 96)) *
              np.exp(random.uniform(-9, 4, (8, 1)))).astype(np.float32)
    values[0, :64] = 0
    values[1] = np.round(values[1])
    golden = {"values": torch.from_numpy(values)}
    for kind, through in TYPES.items():
        restored, codes = through(values.copy())
        golden[f"{kind}.values"] = torch.from_numpy(np.ascontiguousarray(restored))
        golden[f"{kind}.codes"] = torch.from_numpy(codes.astype(np.uint8))
    save_file(golden, OUT / "codes.safetensors")


if __name__ == "__main__":
    main()
