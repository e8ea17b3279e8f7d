"""Writes tests/data/tokenizers/expressions.json: what regular expressions match in random texts.

Needs `pip install tokenizers==0.23.3 numpy`. Run as `python3 make_regex_goldens.py`. For each
expression: the byte offsets at which the `tokenizers` package splits the random texts of
make_tokenizer_goldens.py and a few chosen ones, as a digest, or that it refuses the expression.
"""

import json
import os

import numpy as np
from tokenizers import Regex
from tokenizers import pre_tokenizers as pre

from make_tokenizer_goldens import OUT, Generator, digest

EXPRESSIONS = [
    # The known pre-tokenizers: GPT-2, Llama 3, Qwen 2, DeepSeek, o200k, Tekken, Falcon.
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[0-9][0-9][0-9]",
    # Properties and classes.
    r"[\w&&[^\d_]]+|\W", r"[[:alpha:]]+", r"[[:alnum:]]+", r"[[:punct:]]+", r"[^[:punct:]]+",
    r"[x[:^punct:]]+", r"\p{Punct}", r"[^[:space:]]+", r"[[:upper:]][[:lower:]]*", r"[[:word:]]+",
    r"[[:graph:]]+", r"[[:print:]]+", r"[[:^alpha:]]+", r"\h+", r"\d+", r"\s+", r"\w+", r"\R",
    r"\X", r"\p{Han}+|\p{Hiragana}|[^\p{Han}]", r"\p{Alphabetic}+", r"\p{Emoji}", r"\p{^L}+",
    r"\P{L}+", r"\p{LC}+", r"\p{Lm}", r"\p{Mn}+", r"\p{Cn}", r"\p{Cf}|\p{Co}|\p{Cs}",
    r"[a-z&&[^aeiou]]+", r"[\u4e00-\u9fff]+|\x{1F600}", r"[!-/:-@\[-`{-~]", r"[\b]",
    # Options, groups, quantifiers, assertions.
    r"(?i)stra\u00dfe|ss|k", r"(?m).+", r".+", r"^.", r".$", r"\b.", r"\B.", r"a*", r"(?<=a)b|(?<!a)c",
    r"(?>a+)b?", r"x{,3}", r"a{2,3}?", r"a++", r"(a|b)\1", r"(?~ab)", r"\G.", r"\n|$", r"^",
    r"(?<=\s)", r"", r"\z", r"\Z", r"\K.", r"a\Kb", r"\N+", r"\O", r"(?#note)a", r"\e|\a|\t",
    r"\y", r"\Y", r"\cA",
    # Refused.
    r"(a", r"[a", r"[\p{L}--\p{Lu}]", r"\p{Script=Han}", r"\p{Nonsense}", r"a{3,2}+*", r"(?a)\w+",
    r"(?<!a*)b", r"*a", r"\xZZ{", r"(?<n",
]
CHOSEN = ["", "a", "aab abcb aaab", "foo bar\nfoo\r\n\r\n", "STRASSE stra\u00dfe ST\u017f K\u212a",
          "it's IT'S it'\u017f we'LL", "a\u0363b \u1dd5 \u10fc \ua7f2 \u0c04 \u180e|",
          "\U0001f8b2\U0001e04d\U0001b132\U00011f00 $+<=>^`|~ _-",
          "\u00a0\u0085\u2028 \u3000\x0b\x1c", "e\u0301\u0301 \U0001f1e9\U0001f1ea\U0001f468\u200d\U0001f469"]


def main():
    generator = Generator(1)
    texts = CHOSEN + [generator.text() for _ in range(400)]
    rows = []
    for expression in EXPRESSIONS:
        try:
            split = pre.Split(Regex(expression), "isolated")
        except Exception:
            rows.append({"expression": expression, "refused": True})
            continue
        cuts = []
        for text in texts:
            starts = np.cumsum([0] + [len(c.encode()) for c in text]).tolist()
            cuts.append([starts[end] for _, (_, end) in split.pre_tokenize_str(text)])
        rows.append({"expression": expression, "cuts": digest(cuts)})
    with open(os.path.join(OUT, "expressions.json"), "w", encoding="utf-8") as file:
        json.dump({"chosen": CHOSEN, "random": 400, "rows": rows}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
