"""Checks a built grin against transformers on random tiny checkpoints of every family (live).

Run: python3 check_families.py GRIN [SEED] [COUNT]     (torch 2.13.0, transformers 5.23.0)

Each checkpoint is written by save_pretrained with drawn settings: sizes, biases, windows, rotary
scalings, tied heads, stored type, shards. Compared are
  - the log-probabilities of grin loglik with those of transformers, in fp32: 2e-5 relative to their
    size;
  - the same after one step of grin finetune: transformers must load what grin wrote with no key
    missing or unexpected, and compute the same with it.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from make_model_goldens import random_weights

HERE = pathlib.Path(__file__).parent
VOCABULARY = 704  # of tokenizers/byte_level.json
TYPES = ["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2", "gemma3_text", "phi",
         "phi3", "gpt_neox", "gpt2", "opt", "olmo2", "stablelm", "falcon"]


def draw_rope(draw, kind, dimensions, context):
    """Rotary settings of a drawn kind for so many rotary dimensions."""
    scaling = draw.choice(["default", "default", "linear", "llama3", "yarn", "longrope", "dynamic"])
    if kind == "phi3":
        scaling = draw.choice(["default", "longrope"])
    rope = {"rope_type": scaling, "rope_theta": draw.choice([500.0, 10000.0, 1e6])}
    if scaling in ("linear", "dynamic", "llama3", "yarn"):
        rope["factor"] = draw.choice([2.0, 4.5])
    if scaling in ("llama3", "yarn", "longrope"):
        rope["original_max_position_embeddings"] = draw.choice([12, 20, 32])
    if scaling == "llama3":
        rope |= {"low_freq_factor": 1.0, "high_freq_factor": draw.choice([2.0, 4.0])}
    if scaling == "longrope":
        for key in ("short_factor", "long_factor"):
            rope[key] = [draw.uniform(1.0, 5.0) for _ in range(dimensions // 2)]
    return rope


def draw_config(draw, kind):
    heads = draw.choice([2, 4, 6])
    kv = draw.choice([n for n in (1, 2, heads) if heads % n == 0])
    head_dim = draw.choice([4, 6, 8])
    hidden = heads * head_dim
    context, layers = 64, draw.choice([2, 3, 5])
    shared = dict(vocab_size=VOCABULARY, hidden_size=hidden, num_hidden_layers=layers,
                  num_attention_heads=heads, max_position_embeddings=context, bos_token_id=1,
                  eos_token_id=0, pad_token_id=draw.choice([None, 0, 5]),
                  tie_word_embeddings=draw.random() < 0.5, intermediate_size=draw.choice([20, 36]))
    rope = dict(rope_parameters=draw_rope(draw, kind, head_dim, context))
    bias = dict(attention_bias=draw.random() < 0.5)
    own_dim = dict(head_dim=draw.choice([4, 10]))  # not hidden / heads
    rope_own = dict(rope_parameters=draw_rope(draw, kind, own_dim["head_dim"], context))
    grouped = dict(num_key_value_heads=kv)
    window = dict(sliding_window=draw.choice([3, 9, 50]))
    if kind == "llama":
        return shared | rope_own | bias | grouped | own_dim | dict(mlp_bias=draw.random() < 0.5)
    if kind == "mistral":
        return shared | rope_own | grouped | own_dim | dict(sliding_window=draw.choice([None, 5]))
    if kind == "qwen2":
        return shared | rope | grouped | window | dict(
            use_sliding_window=draw.random() < 0.5, max_window_layers=draw.choice([0, 1, layers]))
    if kind == "qwen3":
        return shared | rope_own | grouped | own_dim | bias | window | dict(
            use_sliding_window=draw.random() < 0.5, max_window_layers=draw.choice([0, 1, layers]))
    if kind == "smollm3":
        return shared | rope | grouped | bias | window | dict(
            no_rope_layer_interval=draw.choice([2, 4]), use_sliding_window=draw.random() < 0.5)
    if kind == "gemma":
        return shared | rope_own | grouped | own_dim | bias
    if kind == "gemma2":
        return shared | rope_own | grouped | own_dim | bias | window | dict(
            query_pre_attn_scalar=draw.choice([5, 30]),
            attn_logit_softcapping=draw.choice([None, 3.0]),
            final_logit_softcapping=draw.choice([None, 8.0]))
    if kind == "gemma3_text":
        both = {layer: draw_rope(draw, kind, own_dim["head_dim"], context)
                for layer in ("full_attention", "sliding_attention")}
        return shared | grouped | own_dim | bias | window | dict(
            query_pre_attn_scalar=draw.choice([5, 30]), rope_parameters=both,
            sliding_window_pattern=draw.choice([2, 6]))
    part = draw.choice([0.5, 1.0]) if head_dim != 6 else 1.0
    partial = dict(rope_parameters=draw_rope(draw, kind, int(head_dim * part), context) |
                   dict(partial_rotary_factor=part))
    if kind == "phi":
        return shared | partial | grouped | dict(qk_layernorm=draw.random() < 0.5)
    if kind == "phi3":
        config = shared | partial | grouped | dict(sliding_window=draw.choice([None, 9]))
        if "original_max_position_embeddings" in partial["rope_parameters"]:
            config["original_max_position_embeddings"] = 20
        return config
    if kind == "gpt_neox":
        return shared | partial | bias | dict(use_parallel_residual=draw.random() < 0.5)
    if kind == "gpt2":
        return dict(vocab_size=VOCABULARY, n_embd=hidden, n_layer=layers, n_head=heads,
                    n_positions=context, n_inner=draw.choice([None, 30]), bos_token_id=0,
                    eos_token_id=0, tie_word_embeddings=draw.random() < 0.7,
                    activation_function=draw.choice(["gelu_new", "relu", "silu"]),
                    scale_attn_by_inverse_layer_idx=draw.random() < 0.5)
    if kind == "opt":
        return shared | dict(ffn_dim=28, word_embed_proj_dim=draw.choice([hidden, 10]),
                             do_layer_norm_before=draw.random() < 0.5,
                             enable_bias=draw.random() < 0.7)
    if kind == "olmo2":
        return shared | rope | grouped | bias
    if kind == "stablelm":
        return shared | partial | grouped | dict(
            use_qkv_bias=draw.random() < 0.5, qk_layernorm=draw.random() < 0.5,
            use_parallel_residual=draw.random() < 0.5)
    grouped = draw.random() < 0.5
    config = shared | rope | dict(bias=draw.random() < 0.5, new_decoder_architecture=grouped)
    config |= dict(num_kv_heads=kv) if grouped else dict(
        multi_query=draw.random() < 0.5, parallel_attn=draw.random() < 0.5)
    config.pop("intermediate_size")
    return config


def logprobs(model, tokens):
    with torch.no_grad():
        rows = torch.log_softmax(model(torch.tensor([tokens])).logits[0].float(), dim=-1)
    return rows[:-1].gather(1, torch.tensor(tokens[1:])[:, None])[:, 0]


def load(folder):
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not report[key], f"{key}: {report[key]}"
    return model.eval()


def grin(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments), "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr.strip()


def compare(binary, folder, sequences, data):
    """The largest difference of log-probabilities, relative to max(1, their size)."""
    out = folder.parent / "scores.jsonl"
    grin(binary, "loglik", "--model", folder, "--data", data, "--out", out, "--dtype", "float32",
         "--force")
    model, worst = load(folder), 0.0
    for tokens, line in zip(sequences, out.read_text().splitlines(), strict=True):
        ours, theirs = torch.tensor(json.loads(line)["logprobs"]), logprobs(model, tokens)
        worst = max(worst, ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item())
    return worst


def check(binary, kind, seed, place):
    draw = random.Random(f"{kind} {seed}")
    settings = draw_config(draw, kind)
    config = AutoConfig.for_model(kind, **settings)
    with torch.no_grad():
        model = AutoModelForCausalLM.from_config(config)
        random_weights(model, torch.Generator().manual_seed(seed))
    dtype = draw.choice([torch.float32, torch.bfloat16, torch.float16])
    folder, tuned = place / "model", place / "tuned"
    model.to(dtype).save_pretrained(folder, max_shard_size=draw.choice(["50KB", "1GB"]))
    shutil.copy(HERE / "tokenizers/byte_level.json", folder / "tokenizer.json")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    sequences = [[draw.randrange(VOCABULARY) for _ in range(length)] for length in (2, 11, 30, 50)]
    data = place / "data.jsonl"
    data.write_text("".join(json.dumps({"tokens": tokens}) + "\n" for tokens in sequences))
    text = place / "text.jsonl"
    text.write_text(json.dumps({"question": "Who?", "answer": "Nobody at all."}) + "\n")
    before = compare(binary, folder, sequences, data)
    grin(binary, "finetune", "--model", folder, "--data", text, "--out", tuned, "--steps", 1,
         "--lr", 1e-3, "--force")
    after = compare(binary, tuned, sequences, data)
    name = str(dtype).removeprefix("torch.")
    print(f"{kind} {seed} ({name}): {before:.1e}, after a step {after:.1e}", flush=True)
    assert before < 2e-5 and after < 2e-5, settings


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    torch.set_num_threads(1)
    failures = 0
    for seed in range(first, first + count):
        for kind in TYPES:
            with tempfile.TemporaryDirectory() as place:
                try:
                    check(binary, kind, seed, pathlib.Path(place))
                except Exception as error:  # all families are to be seen
                    failures += 1
                    print(f"{kind} {seed}: FAILED: {type(error).__name__} {error}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
