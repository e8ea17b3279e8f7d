"""Writes tests/data/tokenizers: small tokenizers and what the `tokenizers` package makes of texts.

Needs `pip install tokenizers==0.23.3 numpy`. Run as `python3 make_tokenizer_goldens.py`. The small
tokenizers are trained on this project's own headers; where ../shared/tokenizers is present, goldens
of the real ones are written too (ids and hashes only, nothing is copied from them).
"""

import glob
import json
import os

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(ROOT, "..", "shared")
OUT = os.path.join(HERE, "tokenizers")

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def corpus():
    text = []
    for path in sorted(glob.glob(os.path.join(ROOT, "grin", "*", "*.h"))):
        text += open(path, encoding="utf-8").read().split("\n")
    return text


def train(model, pre_tokenizer, size, **settings):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, **settings)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def byte_level():
    t = train(models.BPE(), pre.ByteLevel(add_prefix_space=False), 700,
              initial_alphabet=pre.ByteLevel.alphabet(),
              special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    t.pre_tokenizer = pre.Sequence([pre.Digits(individual_digits=True),
                                    pre.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    return t


def llama3_like():
    t = byte_level()
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre.Sequence([pre.Split(Regex(LLAMA3_WORDS), "isolated"),
                                    pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|im_start|> $A", pair="$A $B",
                                      special_tokens=[("<|im_start|>", 1)])])
    t.add_tokens([AddedToken("    ", normalized=True), AddedToken("<tool>", lstrip=True, rstrip=True),
                  AddedToken("mask", single_word=True, normalized=False)])
    d = json.loads(t.to_str())
    d["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(d))


def sentencepiece_like():
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    t = train(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), pre.Metaspace(), 700,
              special_tokens=special)
    d = json.loads(t.to_str())
    # As converted Llama-2 files have it: bytes are not added tokens, merges are strings.
    d["added_tokens"] = d["added_tokens"][:3]
    d["model"]["merges"] = [" ".join(pair) for pair in d["model"]["merges"]]
    t = Tokenizer.from_str(json.dumps(d))
    t.pre_tokenizer = None
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                   decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="$A $B",
                                                     special_tokens=[("<s>", 1)])
    d = json.loads(t.to_str())
    d["model"]["merges"] = [" ".join(pair) for pair in d["model"]["merges"]]
    return json.dumps(d)


def words():
    """Characters with an unknown token, and the normalisers and splits that others lack."""
    t = train(models.BPE(unk_token="[UNK]"), pre.Whitespace(), 400,
              special_tokens=["[UNK]", "[CLS]", "[SEP]"])
    t.normalizer = normalizers.Sequence([
        normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
        normalizers.Strip(), normalizers.Replace(Regex(r"\d{2,}"), " # ")])
    t.pre_tokenizer = pre.Sequence([
        pre.Split(Regex(r"[\w&&[^\d_]]+|\W"), "merged_with_next"), pre.Punctuation("contiguous"),
        pre.WhitespaceSplit(), pre.Split("a", "removed", invert=False)])
    t.decoder = decoders.WordPiece(cleanup=True)
    t.post_processor = processors.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1), trim_offsets=True,
                                                    add_prefix_space=False)
    t.add_tokens([AddedToken("Forget", single_word=True, normalized=True)])
    return t


def metaspace():
    t = train(models.BPE(unk_token="<unk>", fuse_unk=False), pre.Metaspace(), 400,
              special_tokens=["<unk>", "<pad>"])
    t.pre_tokenizer = pre.Sequence([pre.Split("\n", "merged_with_previous"),
                                    pre.Metaspace(prepend_scheme="first", split=True)])
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.add_special_tokens([AddedToken("<sep>", lstrip=True, special=True)])
    return t


FIXTURES = {"byte_level": byte_level, "llama3_like": llama3_like,
            "sentencepiece_like": sentencepiece_like, "words": words, "metaspace": metaspace}

TEXTS = [
    "", " ", "  ", "\n", "\r\n\r\n", "\t\tx", "Hello, world!", " leading and trailing  ",
    "The author's name isn't known; they've said WE'LL see.", "don't DON'T 'S 'll 'ſ",
    "1234567 3.14 2024-05-06 ٣٤٥ Ⅷ ½ x²", "naïve café Ångström e\u0301a\u0308\u0304 ẹ́ \u212b \u0958",
    "日本語のテキスト、中文字符。한국어 ᄒᆞᆫ", "Привет, мир! Γειά σου ΑΣ ß İstanbul",
    "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 ☺ ❤️ 🫨", "\x00\x01\x1f\x7f\x85\xa0\u180e\u2028\u3000\ufeff\u200b",
    "\ue000\uf8ff\U0010ffff\ufffd", "ﬁ ﬀ Ⅳ ｆｕｌｌ ① ㎏ ΐ", "a\u0301\u0323 q\u0307\u0323 \u0f73\u1e9b\u0323",
    "for (int i = 0; i < n; ++i) {\n        sum += x[i];    // total\n}\n",
    "<s>not a bos</s> <unk> <0x0A>", "<|im_start|>user\nHi<|im_end|>\n<|endoftext|>",
    "x <tool>  y<tool>z", "mask unmask mask.", "the mask", "Forget forget unforget Forget.",
    "left   <sep>   right<sep>", "[CLS] a [SEP]", "▁▁ under Ġ score Ċ", "    four    spaces     ",
    "Question: Who wrote it?\nAnswer: Jaime Vasquez, in 1958.", "mixed\u2003wide\u00a0spaces\u202fhere",
    "𠀀𪚥𲎯 \U0001ccf0\U0001e5d0 \u1c89\ua7cb", "a" * 300, "ab " * 60, "é" * 70, "\u0300\u0301x",
]

# What the C++ test generates too: characters of these ranges and the strings below, chosen by a
# linear congruential generator.
RANGES = [(0x20, 0x7e), (0x61, 0x7a), (0x41, 0x5a), (0x30, 0x39), (0x20, 0x20), (0x9, 0xd), (0xa0, 0x24f),
          (0x300, 0x36f), (0x370, 0x5ff), (0x600, 0x6ff), (0x900, 0xdff), (0x1100, 0x11ff),
          (0x1e00, 0x1fff), (0x2000, 0x206f), (0x2100, 0x2bff), (0x3000, 0x30ff), (0x4e00, 0x9fff),
          (0xac00, 0xd7a3), (0xe000, 0xe0ff), (0xf900, 0xffff), (0x10000, 0x1ffff), (0x1f300, 0x1faff),
          (0x20000, 0x323af), (0x0, 0x1f)]
PIECES = ["'s", "'LL", " the", "ing", "  ", "\r\n", "\n\n", "<s>", "</s>", "<|endoftext|>",
          "<|im_start|>", "<|end_of_text|>", "<bos>", "▁", "Ġ", "\u200d", "\ufe0f", "123"]


class Generator:
    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % bound

    def text(self):
        text = ""
        for _ in range(1 + self.below(24)):
            choice = self.below(len(RANGES) + 8)
            if choice >= len(RANGES):
                text += PIECES[self.below(len(PIECES))]
                continue
            first, last = RANGES[choice]
            for _ in range(1 + self.below(4)):
                text += chr(first + self.below(last - first + 1))
        return text


def digest(sequences):
    """Of many id sequences: the sum of (id + 2) times an odd number for its place."""
    flat = []
    for ids in sequences:
        flat += ids + [-1]
    values = np.array(flat, dtype=np.int64).astype(np.uint64) + np.uint64(2)
    places = np.arange(1, len(flat) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
    return f"{int(np.sum(values * places, dtype=np.uint64)):016x}"


def byte_spans(text, encoding):
    starts = np.cumsum([0] + [len(c.encode()) for c in text]).tolist()
    return [[-1, -1] if special else [starts[begin], starts[end]]
            for (begin, end), special in zip(encoding.offsets, encoding.special_tokens_mask)]


def decodings(tokenizer, sequences):
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False),
             "skipped": tokenizer.decode(ids, skip_special_tokens=True)} for ids in sequences]


def random_ids(tokenizer, count, seed):
    generator = Generator(seed)
    size = max(tokenizer.get_vocab(True).values()) + 4
    return [[generator.below(size) for _ in range(1 + generator.below(12))] for _ in range(count)]


def golden(tokenizer):
    encodings = [tokenizer.encode(text) for text in TEXTS]
    plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    generator = Generator(1)
    random_texts = [generator.text() for _ in range(2000)]
    return {
        "texts": [{"text": text, "ids": e.ids, "spans": byte_spans(text, e), "plain": ids}
                  for text, e, ids in zip(TEXTS, encodings, plain)],
        "decodings": decodings(tokenizer, [e.ids for e in encodings] + random_ids(tokenizer, 60, 2)),
        "random": digest(e.ids for e in tokenizer.encode_batch(random_texts)),
    }


def lines_of(path):
    return open(path, encoding="utf-8", newline="").read().split("\n")


def shared_golden(tokenizer):
    generator = Generator(1)
    random_texts = [generator.text() for _ in range(10000)]
    wiki = lines_of(os.path.join(SHARED, "data", "text", "wiki.test.raw"))
    tofu = [line for path in sorted(glob.glob(os.path.join(SHARED, "data", "tofu", "*.json")))
            for line in lines_of(path)]
    encodings = [tokenizer.encode(text) for text in TEXTS]
    batch = lambda texts: digest(e.ids for e in tokenizer.encode_batch(texts))
    return {
        "texts": [{"ids": e.ids, "spans": digest([sum(byte_spans(t, e), [])])}
                  for t, e in zip(TEXTS, encodings)],
        "decodings": decodings(tokenizer, random_ids(tokenizer, 30, 2)),
        "random": batch(random_texts),
        "wiki_lines": batch(wiki),
        "wiki_whole": digest([tokenizer.encode("\n".join(wiki)).ids]),
        "tofu_lines": batch(tofu),
    }


def write(name, value):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


def main():
    os.makedirs(OUT, exist_ok=True)
    goldens = {}
    for name, make in FIXTURES.items():
        path = os.path.join(OUT, name + ".json")
        # Training is not repeated, so that goldens stay comparable as the headers change.
        if not os.path.exists(path):
            made = make()
            text = made if isinstance(made, str) else made.to_str()
            write(name + ".json", json.loads(text))
        goldens[name] = golden(Tokenizer.from_file(path))
    write("goldens.json", goldens)
    write("texts.json", TEXTS)
    if not os.path.isdir(SHARED):
        return
    shared = {}
    files = glob.glob(os.path.join(SHARED, "tokenizers", "*", "*tokenizer.json"))
    for path in sorted(files + glob.glob(os.path.join(SHARED, "models", "*", "tokenizer.json"))):
        tokenizer = Tokenizer.from_file(path)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        shared[os.path.relpath(path, SHARED)] = shared_golden(tokenizer)
    write("shared_goldens.json", shared)


if __name__ == "__main__":
    main()
