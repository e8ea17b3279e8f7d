"""Writes tests/data/wordpiece: small BERT tokenizers and what `tokenizers` and `transformers` make of
texts with them.

Needs `pip install tokenizers==0.23.3 transformers==5.23.0 numpy`. Run as
`python3 make_wordpiece_goldens.py`. The vocabularies are trained on this project's headers and the
texts of make_tokenizer_goldens.py, and are not trained again where the files exist.

  NAME.json        tokenizers
  NAME/vocab.txt   checkpoint directories without a tokenizer.json, as older ones come
  goldens.json     {NAME: {"texts": [{"text", "ids", "spans", "plain"}], "decodings": [{"ids", "text",
                   "skipped"}]}}
"""

import json
import os

import make_tokenizer_goldens as base
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors, trainers
from transformers import AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "wordpiece")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = base.TEXTS + [
    "UNAFFABLE unaffable-ness", "[CLS] [MASK] [SEP] [UNK] [PAD]", "x[MASK]y [mask]", "##ing ##s #",
    "naïve NAÏVE Ãé ǅ İI ſ", "日本語text中文 漢字kana", "a\u00adb c\u200bd e\ufffdf g\x00h", "$5 + 3 = 8 ^ ~`|",
    "this-is.a_test", "supercalifragilistic" * 6, "new NEW  <A> zed", "hello world hellos",
    "ends with ##", "it 's n't do not . ! ?",
]


def train(normalizer, prefix="##", size=600):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, show_progress=False, special_tokens=SPECIAL,
                                        limit_alphabet=180, continuing_subword_prefix=prefix)
    tokenizer.train_from_iterator(base.corpus() + TEXTS * 20, trainer)
    return tokenizer


def uncased():
    t = train(normalizers.BertNormalizer())
    t.decoder = decoders.WordPiece()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return json.loads(t.to_str())


def cased():
    """Another prefix, short words only, accents off, and no "type", as files of 2020 have it."""
    t = train(normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False,
                                         strip_accents=True, lowercase=False), prefix="@@")
    t.decoder = decoders.WordPiece(prefix="@@", cleanup=False)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.add_tokens([AddedToken("hello", single_word=True, normalized=True)])
    d = json.loads(t.to_str())
    d["model"]["max_input_chars_per_word"] = 9
    del d["model"]["type"]
    return d


def directory(name, vocabulary, files):
    path = os.path.join(OUT, name)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "vocab.txt"), "w", encoding="utf-8", newline="") as file:
        file.write(vocabulary)
    files["config.json"] = {"model_type": "bert"}
    for file_name, value in files.items():
        with open(os.path.join(path, file_name), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
    return path


def directories(vocabulary):
    lines = sorted(vocabulary, key=vocabulary.get)
    odd = lines[:300] + ["", "trail  ", "hello", "world\r", "hello", "日", "É"]
    return {
        "bare": directory("bare", "\n".join(lines) + "\n", {}),
        "legacy": directory("legacy", "\n".join(odd), {
            "tokenizer_config.json": {"do_lower_case": False, "strip_accents": False,
                                      "tokenize_chinese_chars": False,
                                      "tokenizer_class": "BertTokenizerFast"},
            "special_tokens_map.json": {
                "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False,
                               "normalized": True, "single_word": False},
                "additional_special_tokens": ["<A>", "world"]},
            "added_tokens.json": {"zed": len(set(odd)) + 1, "new": len(set(odd)), "[MASK]": 4}}),
        "listed": directory("listed", "\r\n".join(odd) + "\r\n", {
            "tokenizer_config.json": {
                "tokenizer_class": "DistilBertTokenizer", "sep_token": "the", "added_tokens_decoder": {
                    "0": {"content": "[PAD]", "lstrip": False, "normalized": False, "rstrip": False,
                          "single_word": False, "special": True},
                    "310": {"content": "NEW", "lstrip": True, "normalized": True, "rstrip": False,
                            "single_word": True, "special": False}}}}),
    }


def golden(tokenizer, seed):
    generator = base.Generator(seed)
    texts = TEXTS + [generator.text() for _ in range(70)]
    encodings = [tokenizer.encode(text) for text in texts]
    return {
        "texts": [{"text": text, "ids": e.ids, "spans": base.byte_spans(text, e),
                   "plain": tokenizer.encode(text, add_special_tokens=False).ids}
                  for text, e in zip(texts, encodings)],
        "decodings": base.decodings(tokenizer, [e.ids for e in encodings[:40]]
                                    + base.random_ids(tokenizer, 40, seed)),
    }


def main():
    os.makedirs(OUT, exist_ok=True)
    goldens = {}
    for name, make in {"uncased.json": uncased, "cased.json": cased}.items():
        path = os.path.join(OUT, name)
        if not os.path.exists(path):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(make(), file, ensure_ascii=True, separators=(",", ":"))
                file.write("\n")
        goldens[name] = golden(Tokenizer.from_file(path), len(goldens) + 1)
    vocabulary = json.load(open(os.path.join(OUT, "uncased.json"), encoding="utf-8"))["model"]["vocab"]
    for name, path in directories(vocabulary).items():
        goldens[name] = golden(AutoTokenizer.from_pretrained(path).backend_tokenizer,
                               len(goldens) + 1)
    with open(os.path.join(OUT, "goldens.json"), "w", encoding="utf-8") as file:
        json.dump(goldens, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
