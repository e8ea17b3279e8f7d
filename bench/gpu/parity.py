"""Whether the device computes what transformers and the CPU compute."""

import json
import math
import pathlib
import random
import shutil
import sys
import time

import made

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEST_DATA = ROOT / "tests/data"
VOCABULARY = 704  # of tests/data/tokenizers/byte_level.json

# In fp32 a log-probability is a sum of some hundred terms, each rounded to 6e-8 of its size,
# through some ten matrices: 2e-5 of its size (at least of 1) is what the project's tests allow on
# the CPU.
FP32_BOUND = 2e-5
# In bf16 two right computations differ. The root of grin's mean square error, against fp32 with the
# same weights, is at most so many times transformers' own in bf16; over 500 numbers each of those
# two is known to a tenth.
BF16_BOUND = 1.5

LENGTHS = (2, 17, 64, 130, 301)  # below and above the windows, no multiple of a tile

COMMON = dict(vocab_size=VOCABULARY, hidden_size=256, intermediate_size=352, num_hidden_layers=3,
              num_attention_heads=4, max_position_embeddings=512, bos_token_id=1, eos_token_id=0,
              pad_token_id=0)
GROUPED = COMMON | dict(num_key_value_heads=2, head_dim=64)
# Family by family with heads as wide as real ones, so that the kernels of real models run.
FAMILIES = {
    "llama": ("llama", GROUPED | dict(tie_word_embeddings=False)),
    "llama tied, llama3 rope": ("llama", GROUPED | dict(
        tie_word_embeddings=True,
        rope_parameters=dict(
            rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
            high_freq_factor=4.0, original_max_position_embeddings=64))),
    "llama, heads of 128": ("llama", GROUPED | dict(head_dim=128)),
    "mistral, window": ("mistral", GROUPED | dict(sliding_window=32)),
    "qwen2, biases": ("qwen2", COMMON | dict(num_key_value_heads=2, tie_word_embeddings=True)),
    "qwen3, norms of q and k": ("qwen3", GROUPED | dict(head_dim=128)),
    "gemma, heads of 256": ("gemma", GROUPED | dict(head_dim=256, num_key_value_heads=1)),
    "gemma2, soft-caps and windows": ("gemma2", GROUPED | dict(
        sliding_window=32, attn_logit_softcapping=20.0, final_logit_softcapping=12.0,
        query_pre_attn_scalar=64)),
    "gemma3, windows": ("gemma3_text", GROUPED | dict(sliding_window=32, query_pre_attn_scalar=64)),
    "phi": ("phi", COMMON | dict(num_key_value_heads=4)),
    "phi3, heads of 96": ("phi3", COMMON | dict(hidden_size=384, num_key_value_heads=2,
                                                sliding_window=None)),
    "gpt2": ("gpt2", dict(vocab_size=VOCABULARY, n_embd=256, n_layer=3, n_head=4, n_positions=512,
                          bos_token_id=0, eos_token_id=0)),
    "gpt_neox": ("gpt_neox", COMMON),
    "opt": ("opt", COMMON | dict(ffn_dim=352, word_embed_proj_dim=256)),
    "olmo2": ("olmo2", COMMON | dict(num_key_value_heads=2)),
    "stablelm": ("stablelm", COMMON | dict(num_key_value_heads=2)),
    "falcon": ("falcon", {key: COMMON[key] for key in COMMON if key != "intermediate_size"} | dict(
        new_decoder_architecture=True, num_kv_heads=2, parallel_attn=True, bias=False)),
}


def log_probabilities(torch, model, sequences, device):
    """Of every next token of each sequence."""
    values = []
    with torch.no_grad():
        for tokens in sequences:
            rows = torch.log_softmax(
                model(torch.tensor([tokens], device=device)).logits[0].float(), dim=-1)
            picked = rows[:-1].gather(1, torch.tensor(tokens[1:], device=device)[:, None])[:, 0]
            values.append(picked.cpu().tolist())
    return values


def make_family(torch, place, kind, settings, seed, lengths, device, threads):
    """A checkpoint in bf16, records of tokens, and what transformers computes with it."""
    from make_model_goldens import random_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.set_num_threads(threads)
    draw = random.Random(seed)
    with torch.no_grad():
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings),
                                                 attn_implementation="eager").eval()
        random_weights(model, torch.Generator().manual_seed(seed))
        model.to(torch.bfloat16).save_pretrained(place)
        shutil.copy(TEST_DATA / "tokenizers/byte_level.json", place / "tokenizer.json")
        (place / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
        sequences = [[draw.randrange(VOCABULARY) for _ in range(length)] for length in lengths]
        made.write_lines(place / "data.jsonl", [{"tokens": tokens} for tokens in sequences])
        model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32,
                                                     attn_implementation="eager").eval()
        exact = log_probabilities(torch, model, sequences, "cpu")
        if device == "cpu":  # its products in bf16 may take a hundred times as long
            return {"float32": exact}
        model = (AutoModelForCausalLM.from_pretrained(
            place, dtype=torch.bfloat16, attn_implementation="eager").eval().to(device))
        coarse = log_probabilities(torch, model, sequences, device)
    return {"float32": exact, "bfloat16": coarse}


def make_families(folder, device, threads, drawn, small):
    """Checkpoints of all families in subfolders: name -> what transformers computes."""
    import torch

    sys.path.insert(0, str(TEST_DATA))
    kinds = [(name, kind, settings, LENGTHS) for name, (kind, settings) in FAMILIES.items()]
    if drawn:
        from check_families import TYPES, draw_config

        kinds = [(kind, kind, draw_config(random.Random(f"{kind} 1"), kind), (2, 11, 30, 50))
                 for kind in TYPES]
    if small:
        kinds = [(name, kind, settings, (2, 17, 40)) for name, kind, settings, _ in kinds[::4]]
    answers = {}
    for number, (name, kind, settings, lengths) in enumerate(kinds):
        place = folder / str(number)
        place.mkdir(parents=True)
        begin = time.monotonic()
        try:
            answers[name] = make_family(torch, place, kind, settings, number, lengths, device,
                                        threads)
        except Exception as error:  # a version of transformers without it, say
            answers[name] = {"failed": f"{type(error).__name__}: {error}"[:200]}
        print(f"{name}: made in {time.monotonic() - begin:.2f} s", flush=True)
    return answers


def errors(ours, theirs):
    """(largest error relative to max(1, size), root of the mean square error)"""
    pairs = [(a, b)
             for row, other in zip(ours, theirs, strict=True)
             for a, b in zip(row, other, strict=True)]
    if not all(math.isfinite(a) for a, _ in pairs):
        return math.inf, math.inf
    return (max(abs(a - b) / max(1, abs(b)) for a, b in pairs),
            math.sqrt(sum((a - b)**2 for a, b in pairs) / len(pairs)))


def prepare(bench, rows):
    """Starts what these rows will need."""
    for row in ("parity", "parity-drawn"):
        if row in rows:
            bench.prepare(row, make_families, bench.scratch / row, bench.device,
                          min(4, bench.threads), row == "parity-drawn", bench.small)


def families(bench):
    """grin loglik on the device against transformers, family by family."""
    folder = bench.scratch / bench.row
    expected = bench.wait_for(bench.row)
    commands, keys = [], []
    for number, (name, values) in enumerate(expected.items()):
        place = folder / str(number)
        if "failed" in values:
            bench.fail(name, f"transformers: {values['failed']}")
            continue
        for dtype in ("float32", "bfloat16"):
            if dtype == "bfloat16" and (bench.row == "parity-drawn" or dtype not in values):
                continue
            keys.append((name, dtype, place / f"{dtype}.jsonl"))
            commands.append(([
                "loglik", "--model", place, "--data", place / "data.jsonl", "--dtype", dtype,
                "--out", keys[-1][2]
            ], bench.device))
    runs = bench.grin_together(commands, at_once=max(1, bench.threads // 2), limit=90)
    for (name, dtype, file), run in zip(keys, runs, strict=True):
        if run.process.returncode != 0:
            bench.fail(f"{name}, {dtype}", bench.why(run))
            continue
        ours = [json.loads(line)["logprobs"] for line in file.read_text().splitlines()]
        exact = expected[name]["float32"]
        largest, square = errors(ours, exact)
        if dtype == "float32":
            bench.add(f"{name}, fp32: largest error", largest, goal=FP32_BOUND)
        else:
            _, theirs = errors(expected[name]["bfloat16"], exact)
            bench.add(f"{name}, bf16: error", square, against=theirs, of="transformers'",
                      goal=BF16_BOUND)
