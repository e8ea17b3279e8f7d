"""Makes the GGUF fixtures of this folder and what reading them must give.

Needs numpy 2.4, gguf 0.19, safetensors 0.8, tokenizers 0.23, sentencepiece 0.2.3; run as
`python3 make_gguf.py` in any folder.

quants.gguf       random blocks of every quantised type
quants.safetensors  the same, decoded by the gguf package
bpe.gguf          a tiny llama with random weights and a byte-level tokenizer
bpe.safetensors   its weights under their checkpoint names; bpe.tokenizer.json its tokenizer
spm.gguf          a tiny llama (window, tied, llama-3 rope) with a SentencePiece tokenizer
spm.tokenizer.json  what that must become; checked here against the sentencepiece package
"""

import io
import json
from pathlib import Path

import gguf
import numpy as np
import sentencepiece
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
RANDOM = np.random.default_rng(20240817)
TEXT = (
    "The lighthouse keeper counted 1234 ships, and wrote their names down.\n"
    "Names of ships are like names of cats: short, loud, and easily forgotten.\n"
    "In the year 1902 the lighthouse was painted red; nobody remembers why.\n"
    "Der Leuchtturm wurde rot gestrichen, und niemand weiß, warum.\n"
    "The keeper's daughter said: \"It's because the cats like the colour of the ships.\"\n"
)

# Offsets of the 16-bit scales inside a block.
SCALES = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}


def make_quants():
    writer = gguf.GGUFWriter(HERE / "quants.gguf", "fixture")
    golden = {}
    for kind, offsets in SCALES.items():
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        rows, blocks = 3, 512 // elements
        data = RANDOM.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
        for offset in offsets:
            scale = (RANDOM.standard_normal((rows, blocks)) * 10.0 ** RANDOM.uniform(-8, 3)).astype(np.float16)
            data[:, :, offset : offset + 2] = scale[..., None].view(np.uint8)
        data = data.reshape(rows, blocks * size)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        golden[kind.name] = gguf.dequantize(data, kind)
    half = RANDOM.standard_normal((3, 5)).astype(np.float16)
    writer.add_tensor("F16", half)
    golden["F16"] = half.astype(np.float32)
    brain = gguf.quantize(RANDOM.standard_normal((3, 6)).astype(np.float32), T.BF16)
    writer.add_tensor("BF16", brain, raw_dtype=T.BF16)
    golden["BF16"] = gguf.dequantize(brain, T.BF16)
    full = RANDOM.standard_normal((2, 3)).astype(np.float32)
    writer.add_tensor("F32", full)
    golden["F32"] = full
    finish(writer)
    save_file(golden, HERE / "quants.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def pairwise(weight, heads):
    """Rows of each head from halves to pairs, as llama.cpp's converter stores q and k."""
    rows, rest = weight.shape[0], weight.shape[1:]
    return weight.reshape(heads, 2, rows // heads // 2, *rest).swapaxes(1, 2).reshape(weight.shape)


def add_llama(writer, vocabulary, kinds, tied, biases=False):
    """Random weights; returns them under their checkpoint names."""
    d, ffn, layers, heads, kv_heads, head_dim = 32, 64, 2, 4, 2, 16
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(500000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary)
    golden = {}

    def add(gguf_name, name, shape, kind, rotary_heads=0):
        weight = (RANDOM.standard_normal(shape) * 0.1).astype(np.float32)
        stored = pairwise(weight, rotary_heads) if rotary_heads else weight
        stored = gguf.quantize(stored, kind)
        writer.add_tensor(gguf_name, stored, raw_dtype=kind)
        # What the file can still tell of the weight, back in its own order.
        read = gguf.dequantize(stored, kind).reshape(shape)
        if rotary_heads:
            inverse = np.argsort(pairwise(np.arange(shape[0]), rotary_heads))
            read = read[inverse]
        golden[name] = read.astype(np.float16) if kind == T.F16 else read

    add("token_embd.weight", "model.embed_tokens.weight", (vocabulary, d), kinds[0])
    for i in range(layers):
        blk, layer = f"blk.{i}.", f"model.layers.{i}."
        add(blk + "attn_norm.weight", layer + "input_layernorm.weight", (d,), T.F32)
        add(blk + "ffn_norm.weight", layer + "post_attention_layernorm.weight", (d,), T.F32)
        for part, name, out, inner, rotary in [
            ("attn_q", "self_attn.q_proj", heads * head_dim, d, heads),
            ("attn_k", "self_attn.k_proj", kv_heads * head_dim, d, kv_heads),
            ("attn_v", "self_attn.v_proj", kv_heads * head_dim, d, 0),
            ("attn_output", "self_attn.o_proj", d, heads * head_dim, 0),
            ("ffn_gate", "mlp.gate_proj", ffn, d, 0),
            ("ffn_up", "mlp.up_proj", ffn, d, 0),
            ("ffn_down", "mlp.down_proj", d, ffn, 0),
        ]:
            kind = kinds[1 + (len(golden) + i) % (len(kinds) - 1)]
            add(f"{blk}{part}.weight", f"{layer}{name}.weight", (out, inner), kind, rotary)
            if biases:
                add(f"{blk}{part}.bias", f"{layer}{name}.bias", (out,), T.F32, rotary)
    add("output_norm.weight", "model.norm.weight", (d,), T.F32)
    if not tied:
        add("output.weight", "lm_head.weight", (vocabulary, d), T.F16)
    return golden


def make_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [TEXT],
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=["<|begin|>", "<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1", special_tokens=[("<|begin|>", 0)]
    )
    written = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab()
    size = len(vocabulary)
    added = {t["id"]: t for t in written["added_tokens"]}
    (HERE / "bpe.tokenizer.json").write_text(json.dumps(written, ensure_ascii=False) + "\n")

    writer = gguf.GGUFWriter(HERE / "bpe.gguf", "llama")
    golden = add_llama(writer, size + 1, [T.F16, T.F32, T.Q8_0, T.Q4_0, T.Q5_1], tied=False, biases=True)
    tokens = [token for token, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
    types = [(3 if added[i]["special"] else 4) if i in added else 1 for i in range(size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens + ["[PAD]"])
    writer.add_token_types(types + [5])
    writer.add_token_merges([" ".join(pair) for pair in written["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_eot_token_id(size - 1)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{{ messages[0]['content'] }}")
    finish(writer)
    save_file(golden, HERE / "bpe.safetensors")


def rope_divisors(theta, dims, factor, low, high, context):
    divisors = []
    for frequency in theta ** -(np.arange(0, dims, 2) / dims):
        length = 2 * np.pi / frequency
        smooth = (context / length - low) / (high - low)
        if length < context / high:
            divisors.append(1.0)
        elif length > context / low:
            divisors.append(factor)
        else:
            divisors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, dtype=np.float32)


def make_spm():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter((TEXT * 3).splitlines()),
        model_writer=model,
        model_type="bpe",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    size = sp.get_piece_size()
    pieces = [sp.id_to_piece(i) for i in range(size)]
    scores = [sp.get_score(i) for i in range(size)]
    types = [
        2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else 1 for i in range(size)
    ]
    ids = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for i, piece in enumerate(pieces):
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if types[i] == 1 and ids.get(left) is not None and ids.get(right) is not None:
                merges.append((-scores[i], ids[left], ids[right], left, right))
    merges.sort()

    def special(i):
        return {"id": i, "content": pieces[i], "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}

    def symbol(type_id):
        return {"SpecialToken": {"id": "<s>", "type_id": type_id}}

    def text(name, type_id):
        return {"Sequence": {"id": name, "type_id": type_id}}

    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(i) for i in range(size) if types[i] in (2, 3)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [symbol(0), text("A", 0)],
            "pair": [symbol(0), text("A", 0), symbol(1), text("B", 1)],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": ids, "merges": [f"{m[3]} {m[4]}" for m in merges]},
    }
    golden = json.dumps(tokenizer, ensure_ascii=False)
    fast = Tokenizer.from_str(golden)
    for line in TEXT.splitlines() + ["Katzen und Schiffe 42", "ünïcödé 😀 text", "a", "two  spaces"]:
        assert fast.encode(line).ids == [1] + sp.encode(line), line
        assert fast.decode(fast.encode(line).ids) == line, line
    (HERE / "spm.tokenizer.json").write_text(golden + "\n")

    writer = gguf.GGUFWriter(HERE / "spm.gguf", "llama")
    add_llama(writer, size, [T.Q8_0, T.Q4_0], tied=True)
    writer.add_sliding_window(1024)
    writer.add_tensor("rope_freqs.weight", rope_divisors(500000.0, 16, 8.0, 1.0, 4.0, 8192))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    finish(writer)


if __name__ == "__main__":
    make_quants()
    make_bpe()
    make_spm()
