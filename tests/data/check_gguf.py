"""Checks GGUF files that a built grin writes in llama.cpp itself (live).

Run: python3 check_gguf.py GRIN     (llama-cpp-python 0.3.36, numpy)

Every tiny model, as gguf_fixtures.py makes it fit, is converted in fp32 and loaded by llama.cpp;
compared are its log-probabilities and those of transformers. llama.cpp computes gelu from a table of
fp16 values, so models with it differ by some 1e-3; the others by 1e-4 at most. What its readers do
otherwise is left out: windows that they do not heed, and longrope up to the original context, where
it takes the long factors all the same in a context that is longer.
"""

import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp as llama
import numpy as np
import torch
from transformers import AutoModelForCausalLM

from gguf_fixtures import prepare


HERE = pathlib.Path(__file__).parent


class Model:
    """A model in llama.cpp, in fp32 throughout."""

    def __init__(self, path, context):
        self.model = llama.llama_model_load_from_file(
            str(path).encode(), llama.llama_model_default_params())
        if not self.model:
            raise RuntimeError("llama.cpp does not load it")
        settings = llama.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = context
        settings.type_k = settings.type_v = 0  # F32
        settings.flash_attn_type = 0
        self.context = llama.llama_init_from_model(self.model, settings)
        if not self.context:
            raise RuntimeError("llama.cpp makes no context for it")
        self.rows = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def log_probabilities(self, tokens):
        """Of every token but the first, given those before it."""
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        if llama.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama.cpp cannot compute it")
        logits = np.array([np.ctypeslib.as_array(
            ctypes.cast(llama.llama_get_logits_ith(self.context, i),
                        ctypes.POINTER(ctypes.c_float)), (self.rows,)) for i in range(len(tokens))],
            dtype=np.float64)
        llama.llama_batch_free(batch)
        peak = logits.max(-1, keepdims=True)
        logp = logits - peak - np.log(np.exp(logits - peak).sum(-1, keepdims=True))
        return [logp[i, token] for i, token in enumerate(tokens[1:])]


def lengths(config):
    """Where readers compute what transformers computes: from one length to another."""
    first, last = 2, config.get("max_position_embeddings", config.get("n_positions"))
    if not config["model_type"].startswith("gemma") and config.get("sliding_window"):
        last = min(last, config["sliding_window"])
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if "long_factor" in rope:
        first = 1 + config.get("original_max_position_embeddings",
                               rope.get("original_max_position_embeddings"))
    return first, last


def reference(directory, sequences):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    with torch.no_grad():
        for tokens in sequences:
            logp = model(torch.tensor([tokens])).logits[0].double().log_softmax(-1)
            yield [logp[i, token].item() for i, token in enumerate(tokens[1:])]


def check(grin, source, folder):
    """The largest difference over the golden sequences, or why there is none."""
    copy = folder / source.name
    prepare(source, copy)
    path = folder / f"{source.name}.gguf"
    run = subprocess.run([grin, "convert", copy, "--to", "gguf", "--dtype", "float32", "--out", path,
                          "--quiet"], capture_output=True, text=True)
    if run.returncode != 0:
        return "refused: " + run.stderr.strip().split(": ", 2)[-1]
    first, last = lengths(json.loads((copy / "config.json").read_text()))
    golden = json.loads((source / "golden.json").read_text())
    sequences = [s["tokens"] for s in golden["sequences"] if first <= len(s["tokens"]) <= last]
    model = Model(path, last)
    worst = max(np.abs(np.array(model.log_probabilities(tokens)) - np.array(expected)).max()
                for tokens, expected in zip(sequences, reference(copy, sequences)))
    return f"{worst:.1e} over {len(sequences)} sequences"


def main():
    silent = llama.llama_log_callback(lambda *_: None)  # must live as long as llama.cpp calls it
    llama.llama_log_set(silent, ctypes.c_void_p())
    llama.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted((HERE / "model").iterdir()):
            try:
                result = check(sys.argv[1], source, pathlib.Path(folder))
            except RuntimeError as error:
                result = str(error)
            print(f"{source.name}: {result}", flush=True)


if __name__ == "__main__":
    main()
