"""Writes tests/data/tokenizers/{unigram.json, *.model, sentencepiece_goldens.json}.

Needs `pip install tokenizers==0.23.3 sentencepiece==0.2.3 transformers==5.23.0 protobuf numpy`. Run
as `python3 make_sentencepiece_goldens.py`. Small SentencePiece models are trained on words made of
random syllables, with a small replacement table of our own. Goldens: what the `tokenizers` package
makes of a Unigram tokenizer.json (spans too), what `sentencepiece` makes of the .model files, and
what `transformers` makes of directories without a tokenizer.json.
"""

import io
import json
import os
import random
import shutil
import tempfile

import sentencepiece
from make_tokenizer_goldens import OUT, TEXTS, Generator, digest, golden, write
from tokenizers import Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import import_protobuf

SYLLABLES = ["ka", "lo", "mi", "ne", "tu", "ra", "so", "pe", "vi", "an", "er", "ing", "tion", "th",
             "é", "ü", "日", "本", "Ж", "и", "123", "7", "'s", ".", ",", "Q", "x"]

# Old and new code points; the longest of two that fit is not always the one that is taken.
RULES = [("ﬁ", "fi"), ("\u212b", "\u00c5"), ("a\u0301", "á"), ("e\u0301", "é"), ("\u0301", ""), ("①", "1"),
         ("\t", " "), ("\n", " "), ("\r", " "), ("\r\n", " "), ("㎏", "kg"), ("\u200b", ""),
         ("ｆ", "f"), ("ｕ", "u"), ("ß", "ss"), ("İ", "i\u0307"), ("\u3000", " "), ("👍🏽", "👍"),
         ("한", "han"), ("…", "..."), ("ΐ", "ι\u0308\u0301")]


def corpus():
    generator = random.Random(5)
    words = ["".join(generator.choices(SYLLABLES, k=generator.randint(1, 5))) for _ in range(700)]
    weights = [1 / (i + 1) for i in range(len(words))]
    return [" ".join(generator.choices(words, weights, k=generator.randint(3, 12)))
            for _ in range(1500)]


def train(**settings):
    with tempfile.TemporaryDirectory() as folder:
        rules = os.path.join(folder, "rules.tsv")
        with open(rules, "w", encoding="utf-8") as file:
            for old, new in RULES:
                codes = ["".join(f"{ord(c):04X} " for c in text).strip() for text in (old, new)]
                file.write("\t".join(codes) + "\n")
        if settings.pop("replaces", False):
            settings["normalization_rule_tsv"] = rules
        else:
            settings["normalization_rule_name"] = "identity"
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()), model_writer=model, minloglevel=2, num_threads=1,
            **settings)
        return model.getvalue()


MODELS = {
    # As Llama's
    "bpe": dict(model_type="bpe", vocab_size=600, byte_fallback=True, split_digits=True,
                allow_whitespace_only_pieces=True, remove_extra_whitespaces=False),
    "bpe_plain": dict(model_type="bpe", vocab_size=300, add_dummy_prefix=False, replaces=True,
                      bos_id=-1, user_defined_symbols=["<sep>"]),
    "unigram_bytes": dict(model_type="unigram", vocab_size=600, byte_fallback=True,
                          hard_vocab_limit=False, remove_extra_whitespaces=False),
    "unigram_plain": dict(model_type="unigram", vocab_size=300, hard_vocab_limit=False,
                          replaces=True, unk_id=3, bos_id=0, eos_id=1, pad_id=2),
}


def unigram(model):
    """The .model as a tokenizer.json with what others lack: replacements, pieces with scores."""
    proto = import_protobuf().ModelProto()
    proto.ParseFromString(model)
    pieces = [(piece.piece, round(piece.score, 4)) for piece in proto.pieces]
    t = Tokenizer(models.Unigram(pieces, 3, byte_fallback=False))
    t.normalizer = normalizers.Sequence([
        normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
        normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    t.pre_tokenizer = pre.Metaspace(prepend_scheme="always")
    t.decoder = decoders.Metaspace(prepend_scheme="always")
    t.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    t.add_special_tokens(["<s>", "</s>", "<pad>", "<unk>"])
    return t


def plain_texts(count):
    """Without what the packages treat as special, each in its way."""
    generator = Generator(1)
    texts = TEXTS + [generator.text() for _ in range(count)]
    special = ["<s>", "</s>", "<unk>", "<pad>", "<sep>", "▁", "\x00"]
    return [text for text in texts if not any(token in text for token in special)]


def model_golden(path):
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    texts = plain_texts(1500)
    bos = [processor.bos_id()] if processor.bos_id() >= 0 else []
    return {
        "texts": [{"text": text, "ids": bos + processor.encode(text)} for text in texts[:40]],
        "count": len(texts),
        "all": digest(bos + processor.encode(text) for text in texts),
    }


TOKEN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True,
         "__type": "AddedToken"}
# What lies beside vocab.json and merges.txt.
DIRECTORIES = {
    "gpt2": {"config.json": {"model_type": "gpt2"}},
    "no special tokens": {"config.json": {"model_type": "gpt2"},
                          "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer",
                                                    "add_prefix_space": True}},
    "opt": {"config.json": {"model_type": "opt"},
            "tokenizer_config.json": {
                "add_bos_token": True, "tokenizer_class": "GPT2Tokenizer",
                "bos_token": TOKEN | {"content": "<|im_end|>"},
                "eos_token": TOKEN | {"content": "<|im_end|>"},
                "unk_token": TOKEN | {"content": "<|im_end|>"}}},
    "codegen": {"config.json": {"model_type": "phi"},
                "tokenizer_config.json": {"tokenizer_class": "CodeGenTokenizer"},
                "special_tokens_map.json": {"bos_token": "<|endoftext|>"},
                "added_tokens.json": {"    ": 704, "<tool>": 703, "mask": 705}},
    "qwen2": {"config.json": {"model_type": "qwen2"},
              "tokenizer_config.json": {
                  "tokenizer_class": "Qwen2Tokenizer", "bos_token": None,
                  "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                  "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
                  "added_tokens_decoder": {
                      "703": {"content": "<tool>", "lstrip": True, "normalized": False,
                              "rstrip": True, "single_word": False, "special": False},
                      "0": {"content": "<|endoftext|>", "lstrip": False, "normalized": False,
                            "rstrip": False, "single_word": False, "special": True}}}},
    "neox": {"config.json": {"model_type": "gpt_neox"},
             "tokenizer_config.json": {"tokenizer_class": "GPTNeoXTokenizer",
                                       "eos_token": "<|endoftext|>", "pad_token": "<|im_end|>"}},
}


def directory_golden(files):
    with open(os.path.join(OUT, "byte_level.json"), encoding="utf-8") as file:
        model = json.load(file)["model"]
    folder = tempfile.mkdtemp()
    for name, content in (files | {"vocab.json": model["vocab"]}).items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as file:
        pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
        file.write("\n".join(["#version: 0.2"] + pairs) + "\n")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    shutil.rmtree(folder)
    generator = Generator(1)
    encode = lambda text: tokenizer(text)["input_ids"]
    return {
        "files": files,
        "ids": [encode(text) for text in TEXTS],
        "plain": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS],
        "random": digest(encode(generator.text()) for _ in range(1000)),
    }


def main():
    goldens = {"models": {}, "directories": {}}
    for name, settings in MODELS.items():
        path = os.path.join(OUT, name + ".model")
        if not os.path.exists(path):
            model = train(**settings)
            with open(path, "wb") as file:
                file.write(model)
        goldens["models"][name] = model_golden(path)
    path = os.path.join(OUT, "unigram.json")
    if not os.path.exists(path):
        with open(os.path.join(OUT, "unigram_plain.model"), "rb") as file:
            write("unigram.json", json.loads(unigram(file.read()).to_str()))
    goldens["unigram"] = golden(Tokenizer.from_file(path))
    for name, files in DIRECTORIES.items():
        goldens["directories"][name] = directory_golden(files)
    write("sentencepiece_goldens.json", goldens)


if __name__ == "__main__":
    main()
