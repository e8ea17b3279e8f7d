"""Text, a tokenizer and checkpoints of real shapes, made from nothing but a seed.

The text has the number of records and the lengths of TOFU (Maini et al. 2024), in tokens of Llama
3's tokenizer, as measured on its files; words are invented. The weights are drawn, so they know
nothing and never say the end token: greedy answers run to their longest, which is the worst case
for a suite.
"""

import json
import mmap
import os
import random
import zlib
from concurrent.futures import ThreadPoolExecutor

BEGIN, END, TURN = "<|begin|>", "<|end|>", "<|turn|>"

# Shapes of models, as their public configs say.
LLAMA_1B = dict(vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
                num_attention_heads=32, num_key_value_heads=8, head_dim=64,
                tie_word_embeddings=True)
LLAMA_8B = dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
                num_attention_heads=32, num_key_value_heads=8, head_dim=128,
                tie_word_embeddings=False)
SMALL_1B = dict(vocab_size=1600, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True)
SMALL_8B = dict(vocab_size=1600, hidden_size=64, intermediate_size=160, num_hidden_layers=3,
                num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                tie_word_embeddings=False)

# Tokens of a set's texts: mean, standard deviation, least, most. TOFU's, by Llama 3's tokenizer.
QUESTION, ANSWER, PARAPHRASE = (16, 4.5, 6, 48), (35, 12, 8, 90), (38.5, 13.5, 10, 90)
SHORT_QUESTION, SHORT_ANSWER = (13, 3.5, 7, 28), (3.3, 1.6, 1, 9)


def syllables(draw):
    onset = "b c d f g h k l m n p r s t v z br dr gr pl sh st tr".split()
    return (draw.choice(onset) + draw.choice("a e i o u ai ea ou".split()) +
            draw.choice(["", "", "n", "r", "l", "s"]))


def make_words(seed, count=5000):
    draw, words = random.Random(seed), set()
    while len(words) < count:
        words.add("".join(syllables(draw) for _ in range(draw.choice([1, 2, 2, 3]))))
    return sorted(words)


def train_tokenizer(texts, size, begin):
    """Byte-level BPE of so many tokens at most. `begin`: it puts a token before every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=size, special_tokens=[BEGIN, END, TURN], show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A", pair=f"{BEGIN} $A $B", special_tokens=[(BEGIN, 0)])
    return tokenizer


class Writer:
    """Sentences of invented words, to a length in tokens."""

    def __init__(self, words, tokenizer, seed):
        self._draw = random.Random(seed)
        self._words = words
        self._names = [word.capitalize() for word in words]
        self._cost = {
            word: len(tokenizer.encode(" " + word, add_special_tokens=False).ids)
            for word in [*words, *self._names]
        }

    def _word(self):
        """Common ones often, as in any language; a name or a number now and then."""
        if self._draw.random() < 0.12:
            return self._draw.choice(self._names)
        return self._words[int(len(self._words) * self._draw.random()**2)]

    def sentence(self, length, begins=(), ends="."):
        mean, deviation, least, most = length
        tokens = min(most, max(least, self._draw.gauss(mean, deviation))) - 1
        words = list(begins)
        tokens -= sum(self._cost.get(word, 3) for word in words)
        while tokens > 0 or not words:
            words.append(self._word())
            tokens -= self._cost[words[-1]]
        return " ".join(words)[:1].upper() + " ".join(words)[1:] + ends

    def name(self):
        return [self._draw.choice(self._names), self._draw.choice(self._names)]

    def altered(self, sentence):
        """The same form with other facts."""
        words = sentence.rstrip(".").split(" ")
        changed = [self._word() if self._draw.random() < 0.25 else word for word in words]
        if changed == words:
            changed[-1] = self._word()
        return " ".join(changed) + ("." if sentence.endswith(".") else "")


def people(writer, count):
    """Records of invented people, twenty about each."""
    for i in range(count):
        if i % 20 == 0:
            name = writer.name()
        yield {
            "question": writer.sentence(QUESTION, name, "?"), "answer": writer.sentence(
                ANSWER, name)
        }


def perturbed(writer, records):
    for record in records:
        paraphrase = writer.sentence(PARAPHRASE, record["answer"].split(" ")[:2])
        yield {
            **record, "paraphrased_answer": paraphrase,
            "perturbed_answer": [writer.altered(paraphrase) for _ in range(5)],
            "paraphrased_question": writer.sentence(QUESTION, ends="?")
        }


def facts(writer, count):
    for _ in range(count):
        answer = writer.sentence(SHORT_ANSWER, writer.name()[:1], "")
        yield {
            "question": writer.sentence(SHORT_QUESTION, ends="?"), "answer": answer,
            "perturbed_answer": [
                writer.sentence(SHORT_ANSWER,
                                writer.name()[:1], "") for _ in range(3)
            ]
        }


# A system prompt of a length that brings a record of TOFU to about 108 tokens, as Llama 3.2's does.
CHAT_TEMPLATE = ("{{ '" + BEGIN + "' }}{% if messages[0]['role'] != 'system' %}{{ '" + TURN +
                 "system\n\nSYSTEM" + END + "' }}"
                 "{% endif %}{% for message in messages %}{{ '" + TURN +
                 "' + message['role'] + '\n\n' + message['content'] + '" + END +
                 "' }}{% endfor %}{% if add_generation_prompt %}{{ '" + TURN +
                 "assistant\n\n' }}{% endif %}")


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_text(folder, small):
    """Makes the tokenizer's files, TOFU's under their names, and prompts; figures about them."""
    folder.mkdir(parents=True)
    authors = 400 if not small else 40
    words = make_words(1, 600 if small else 5000)
    draw = random.Random(2)
    sample = (
        " ".join(w if draw.random() < 0.85 else w.capitalize()
                 for w in draw.choices(words, weights=[1 / (i + 20)
                                                       for i in range(len(words))], k=24)) + "."
        for _ in range(2000 if small else 12000))
    tokenizer = train_tokenizer(sample, 1500 if small else 5500, begin=False)
    writer = Writer(words, tokenizer, 3)

    def length(text):
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    forget, retain = list(people(writer, authors)), list(people(writer, 9 * authors))
    write_lines(folder / "forget10.json", forget)
    write_lines(folder / "retain90.json", retain)
    write_lines(folder / "holdout10.json", people(writer, authors))
    write_lines(folder / "forget10_perturbed.json", perturbed(writer, forget))
    write_lines(folder / "retain_perturbed.json", perturbed(writer, retain[:authors]))
    write_lines(folder / "real_authors_perturbed.json", facts(writer, authors // 4))
    write_lines(folder / "world_facts_perturbed.json", facts(writer, authors * 117 // 400))
    write_lines(folder / "forget32.jsonl", forget[:32])
    write_lines(folder / "forget40.jsonl", forget[:40])
    write_lines(folder / "retain32.jsonl", retain[:32])
    write_lines(folder / "retain256.jsonl", retain[:256])
    prompt = (38, 6, 20, 60)
    write_lines(folder / "prompts.jsonl",
                ({"prompt": writer.sentence(prompt, ends=""), "response": "None."}
                 for _ in range(256 if not small else 16)))
    # The rest of the 108 tokens is the system prompt.
    frame = length(f"{BEGIN}{TURN}system\n\n{END}{TURN}user\n\n{END}{TURN}assistant\n\n{END}")
    mean = sum(length(r["question"]) + length(r["answer"]) for r in forget) / len(forget)
    rest = max(4, round(108 - frame - mean))
    template = CHAT_TEMPLATE.replace("SYSTEM", writer.sentence((rest, 0, rest, rest)))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({
            "bos_token": BEGIN, "eos_token": END, "pad_token": BEGIN, "chat_template": template,
            "tokenizer_class": "PreTrainedTokenizerFast"
        }))
    return {"tokens of a record": mean + frame + rest, "vocabulary": tokenizer.get_vocab_size()}


# --- checkpoints ---


def config_of(shape):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "max_position_embeddings": 8192,
        "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 1,
        "torch_dtype": "bfloat16", **shape
    }


def layer_matrices(shape):
    """Name within a layer -> [out, in]."""
    hidden, inner, head = shape["hidden_size"], shape["intermediate_size"], shape["head_dim"]
    queries, keys = head * shape["num_attention_heads"], head * shape["num_key_value_heads"]
    return {
        "self_attn.q_proj": [queries, hidden], "self_attn.k_proj": [keys, hidden],
        "self_attn.v_proj": [keys, hidden], "self_attn.o_proj": [hidden, queries],
        "mlp.gate_proj": [inner, hidden], "mlp.up_proj": [inner,
                                                          hidden], "mlp.down_proj": [hidden, inner]
    }


def tensors_of(shape):
    """Name -> dimensions, in the order of the files."""
    hidden = shape["hidden_size"]
    tensors = {"model.embed_tokens.weight": [shape["vocab_size"], hidden]}
    for layer in range(shape["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        tensors |= {f"{at}{name}.weight": size for name, size in layer_matrices(shape).items()}
        tensors |= {
            f"{at}{name}.weight": [hidden]
            for name in ("input_layernorm", "post_attention_layernorm")
        }
    tensors["model.norm.weight"] = [hidden]
    if not shape["tie_word_embeddings"]:
        tensors["lm_head.weight"] = [shape["vocab_size"], hidden]
    return tensors


def block_weights(shape):
    """Weights of the blocks' matrices."""
    return shape["num_hidden_layers"] * sum(a * b for a, b in layer_matrices(shape).values())


def all_weights(shape):
    total = 0
    for size in tensors_of(shape).values():
        total += size[0] * (size[1] if len(size) > 1 else 1)
    return total


def write_shard(path, tensors, device):
    """bf16 weights of standard deviation .02 (norms: 1), drawn on the device, into the file."""
    import torch

    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, size in tensors.items():
        count = size[0] * (size[1] if len(size) > 1 else 1)
        header[name] = {
            "dtype": "BF16", "shape": size, "data_offsets": [offset, offset + 2 * count]
        }
        offset += 2 * count
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    start = 8 + len(text)
    with open(path, "w+b") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(start + offset)
        file.flush()
        view = mmap.mmap(file.fileno(), start + offset)
    for name, size in tensors.items():
        begin, end = header[name]["data_offsets"]
        stored = torch.frombuffer(view, dtype=torch.bfloat16, offset=start + begin,
                                  count=(end - begin) // 2)
        if len(size) == 1:
            stored.fill_(1)
            continue
        generator = torch.Generator(device=device).manual_seed(zlib.crc32(name.encode()))
        drawn = torch.empty(stored.numel(), dtype=torch.bfloat16, device=device)
        stored.copy_(drawn.normal_(0, 0.02, generator=generator))


def write_checkpoint(folder, shape, text, device, shards):
    """A checkpoint of that shape with the tokenizer of `text`."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config_of(shape)))
    tensors, parts = tensors_of(shape), [{} for _ in range(shards)]
    for i, (name, size) in enumerate(tensors.items()):
        parts[i * shards // len(tensors)][name] = size
    names = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" for i in range(shards)]
    with ThreadPoolExecutor(min(shards, 8)) as pool:
        list(pool.map(lambda i: write_shard(folder / names[i], parts[i], device), range(shards)))
    where = {tensor: names[i] for i in range(shards) for tensor in parts[i]}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 2 * all_weights(shape)}, "weight_map": where}))
    for file in ("tokenizer.json", "tokenizer_config.json"):
        os.link(text / file, folder / file)
    return {"weights": all_weights(shape)}
