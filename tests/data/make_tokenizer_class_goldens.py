"""Writes tests/data/tokenizer_classes.json: what `transformers` makes of one tokenizer.json under
the settings of other classes.

Needs `pip install transformers==4.45.1`. Run as `python3 make_tokenizer_class_goldens.py`. The
tokenizers are those of tests/data/tokenizers, changed by "patch"; every other file of a case is
written as it stands in "files".
"""

import itertools
import json
import os
import tempfile

import transformers
from transformers import AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENIZERS = os.path.join(HERE, "tokenizers")
OUT = os.path.join(HERE, "tokenizer_classes.json")

TEXTS = ["Tom ran home.", " two  spaces", "a<s>b</s> c", "<|im_start|>x<|im_end|>\ny", "",
         "static int Find(std::string_view text);", "plain<tool>word <tool> end namespace"]


def template(before=(), behind=(), ids=()):
    """A post-processor that puts tokens around a text."""
    ids = dict(ids)
    piece = lambda token: {"SpecialToken": {"id": token, "type_id": 0}}
    single = [*map(piece, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(piece, behind)]
    pair = single + [{"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]}
                               for t in (*before, *behind)}}


def token(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False,
            "single_word": False, "special": True, **flags}


def frames():
    """Every class that makes the frame anew, and some that do not, with each setting."""
    ids = {"<s>": 1, "</s>": 2}
    posts = {"none": None, "bos": template(["<s>"], [], ids),
             "both": template(["<s>"], ["</s>"], ids)}
    # Some classes fail without a pre-tokenizer.
    step = {"pre_tokenizer": {"type": "Punctuation", "behavior": "Isolated"}}
    classes = ["LlamaTokenizerFast", "LlamaTokenizer", "GemmaTokenizerFast", "CohereTokenizerFast",
               "GPTNeoXTokenizerFast", "PreTrainedTokenizerFast"]
    for kind, (post, processor) in itertools.product(classes, posts.items()):
        for bos, eos in [(None, None), (True, None), (False, None), (True, True), (False, True)]:
            config = {"tokenizer_class": kind, "bos_token": "<s>", "eos_token": "</s>",
                      "unk_token": "<unk>", "pad_token": None}
            if bos is not None:
                config["add_bos_token"] = bos
            if eos is not None:
                config["add_eos_token"] = eos
            yield (f"{kind}, {post}, bos {bos}, eos {eos}", "sentencepiece_like",
                   {"post_processor": processor, **step}, {"tokenizer_config.json": config})
    both = posts["both"]
    for name, config in {
            "another begin token": {"tokenizer_class": "LlamaTokenizer", "bos_token": "</s>",
                                    "eos_token": "<s>"},
            "tokens of the class": {"tokenizer_class": "LlamaTokenizer"},
            "no begin token": {"tokenizer_class": "LlamaTokenizer", "bos_token": None,
                               "add_bos_token": False},
            "as objects": {"tokenizer_class": "LlamaTokenizer",
                           "bos_token": {"__type": "AddedToken", **token("<s>")},
                           "eos_token": {"__type": "AddedToken", **token("</s>", normalized=True)},
                           "add_eos_token": True}}.items():
        yield name, "sentencepiece_like", {"post_processor": both}, {"tokenizer_config.json": config}
    yield ("class by config.json", "sentencepiece_like", {"post_processor": None},
           {"tokenizer_config.json": {"bos_token": "<s>", "eos_token": "</s>"},
            "config.json": {"model_type": "llama", "tokenizer_class": "LlamaTokenizer"}})
    for model in ["llama", "mistral", "gpt_neox", "gemma2", "phi3", "falcon"]:
        yield (f"class by model type {model}", "sentencepiece_like", {"post_processor": both, **step},
               {"tokenizer_config.json": {"bos_token": "<s>", "eos_token": "</s>",
                                          "unk_token": "<unk>", "pad_token": None},
                "config.json": {"model_type": model}})


def spaces():
    """The space in front, by class and setting."""
    kinds = ["GPT2Tokenizer", "GPT2TokenizerFast", "GPTNeoXTokenizerFast", "CodeGenTokenizerFast",
             "RobertaTokenizerFast", "BloomTokenizerFast", "Qwen2TokenizerFast",
             "PreTrainedTokenizerFast"]
    plain = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    for kind, wanted, given in itertools.product(kinds, [None, True, False], [True, False]):
        one = {**plain, "add_prefix_space": given}
        many = {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, one]}
        for shape, step in {"alone": one, "in a sequence": many}.items():
            config = {"tokenizer_class": kind, "bos_token": "<|endoftext|>", "pad_token": None,
                      "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
                      "sep_token": "<|endoftext|>", "cls_token": "<|endoftext|>",
                      "mask_token": "<|endoftext|>"}
            if wanted is not None:
                config["add_prefix_space"] = wanted
            yield (f"{kind}, {shape}, file {given}, setting {wanted}", "byte_level",
                   {"pre_tokenizer": step}, {"tokenizer_config.json": config})


def specials():
    """Special tokens that tokenizer.json does not have, or has with other flags."""
    plain = {"tokenizer_class": "PreTrainedTokenizerFast"}
    # Words of the vocabulary, and one that is none.
    words = ["static", "std", "<tool>", "<|im_end|>"]
    for word in words:
        named = {**plain, "eos_token": word}
        yield f"eos '{word}' as text", "byte_level", {}, {"tokenizer_config.json": named}
        for name, flags in {"plain": {}, "lstrip": {"lstrip": True}, "rstrip": {"rstrip": True},
                            "single word": {"single_word": True},
                            "normalized": {"normalized": True},
                            "not special": {"special": False, "normalized": True}}.items():
            given = {"__type": "AddedToken", **token(word, **flags)}
            yield (f"eos '{word}' as object, {name}", "llama3_like", {},
                   {"tokenizer_config.json": {**plain, "eos_token": given}})
            decoder = {"690": token(word, **flags)}
            yield (f"decoder '{word}', {name}", "llama3_like", {},
                   {"tokenizer_config.json": {**plain, "added_tokens_decoder": decoder}})
            yield (f"decoder and eos '{word}', {name}", "sentencepiece_like", {},
                   {"tokenizer_config.json": {**plain, "added_tokens_decoder": decoder,
                                              "eos_token": word}})
    more = {**plain, "additional_special_tokens": ["<tool>", "std"]}
    yield "more special tokens", "byte_level", {}, {"tokenizer_config.json": more}
    yield ("special_tokens_map.json alone", "byte_level", {},
           {"tokenizer_config.json": plain,
            "special_tokens_map.json": {"eos_token": "<tool>",
                                        "additional_special_tokens": ["std", token("static")]}})
    yield ("both lists of special tokens", "byte_level", {},
           {"tokenizer_config.json": more,
            "special_tokens_map.json": {"eos_token": token("std"),
                                        "additional_special_tokens": ["static"]}})
    yield ("the map is left aside", "byte_level", {},
           {"tokenizer_config.json": {**plain, "added_tokens_decoder": {"5": token("std")}},
            "special_tokens_map.json": {"eos_token": "<tool>"}})
    yield ("added_tokens.json", "byte_level", {},
           {"tokenizer_config.json": {**plain, "eos_token": "std"},
            "added_tokens.json": {"<tool>": 700, "std": 5, "<|im_end|>": 2}})
    for split in (True, False):
        yield (f"split_special_tokens {split}", "byte_level", {},
               {"tokenizer_config.json": {**plain, "split_special_tokens": split}})
    yield "no settings", "byte_level", {}, {"tokenizer_config.json": plain}


def make(name, tokenizer, patch, files):
    with open(os.path.join(TOKENIZERS, tokenizer + ".json"), encoding="utf-8") as file:
        content = json.load(file)
    content.update(patch)
    with tempfile.TemporaryDirectory() as folder:
        for path, value in {"tokenizer.json": content, **files}.items():
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                json.dump(value, file)
        made = AutoTokenizer.from_pretrained(folder)
        encode = lambda special: [made(text, add_special_tokens=special)["input_ids"]
                                  for text in TEXTS]
        return {"name": name, "tokenizer": tokenizer, "patch": patch, "files": files,
                "ids": encode(True), "plain_ids": encode(False)}


def main():
    assert transformers.__version__ == "4.45.1", transformers.__version__
    cases = [make(*case) for case in (*frames(), *spaces(), *specials())]
    with open(OUT, "w", encoding="utf-8") as file:
        file.write('{"made_with": "transformers ' + transformers.__version__ + '",\n "texts": '
                   + json.dumps(TEXTS) + ',\n "cases": [\n')
        file.write(",\n".join(json.dumps(case) for case in cases) + "]}\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
