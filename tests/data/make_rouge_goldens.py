"""Writes tests/data/text/rouge.json: what the `rouge-score` package makes of pairs of texts, and the
stems of words by the stemmer that it uses.

Needs `pip install rouge-score==0.1.2 nltk==3.10.4`. Run as `python3 make_rouge_goldens.py`.

  pairs  [target, prediction, figures without stems, figures with]; figures are precision, recall and
         F1 of rouge1, rouge2 and rougeL, in this order
  words  "word stem" lines
"""

import json
import os
import random

from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

HERE = os.path.dirname(os.path.abspath(__file__))

HARD = [
    "", " ", "!?...", "the", "The cat sat on the mat.", "THE CAT, sitting on the mats!",
    "a a a a b", "b a a", "one-two_three/four", "don't isn't they've", "3.14 2024-05-06 1,000 7th",
    "naïve café Ångström", "\u212aelvin 5\u212a \u0130stanbul X\u0130Y", "\u212b \u017f \u00df ﬁne",
    "日本語 text 中文", "skies dying innings news proceed", "sky die inning new proceeds",
    "flies dies spied died toy toys enjoy spy y yy yyy yyyy", "tab\tnew\nline\r\nx\u00a0y\u2003z",
    "\ufeffbom", "x" * 200, "relational conditional rationally geologically theologically",
    "relate condition ration geology theology", "hopping hoped hopes hop hissing fizzed fallen",
    "👍🏽 thumbs", "I\u0307 i\u0307", "under_score __init__", "&amp; <b>bold</b>", "\x00a\x01b\x7fc",
]

STEMS = ["", "a", "y", "tr", "ba", "geo", "theo", "hop", "fall", "fizz", "plast", "conflat", "troubl",
         "siz", "agre", "happ", "enjo", "relat", "oper", "vietnam", "hope", "electr", "triplic",
         "adopt", "commun", "contro", "ro", "yes", "syzyg", "by", "toy", "ox", "bow", "us", "at", "it",
         "decis", "sens", "form", "x1", "00", "4th", "zz", "cc", "ee", "oo", "ll"]
SUFFIXES = ["", "s", "ss", "sses", "ies", "ied", "ed", "eed", "ing", "ating", "bling", "izing", "y",
            "ly", "ational", "tional", "enci", "ency", "anci", "izer", "bli", "bly", "alli", "ally",
            "entli", "eli", "ely", "ousli", "ously", "ization", "ation", "ator", "alism", "iveness",
            "fulness", "ousness", "aliti", "ality", "iviti", "ivity", "biliti", "bility", "fulli",
            "fully", "logi", "logy", "icate", "ative", "alize", "iciti", "ical", "ful", "ness", "al",
            "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "sion",
            "tion", "ou", "ism", "ate", "iti", "ous", "ive", "ize", "e", "ll", "l", "ationalli",
            "alogi", "yed", "ying"]
IRREGULAR = ["sky", "skies", "dying", "lying", "tying", "news", "innings", "inning", "outings",
             "outing", "cannings", "canning", "howe", "proceed", "exceed", "succeed", "yyyy", "yyyyy",
             "yyyyed", "ayyying", "a", "is", "was"]


def random_word(generator):
    if generator.random() < 0.7:
        return generator.choice(STEMS) + generator.choice(SUFFIXES)
    return "".join(generator.choice("aeioulstyzrnbd0") for _ in range(generator.randint(1, 9)))


def words(generator):
    chosen = {stem + suffix for stem in STEMS for suffix in SUFFIXES} | set(IRREGULAR)
    chosen |= {random_word(generator) for _ in range(2500)}
    return sorted(word for word in chosen if word)


def random_text(generator, vocabulary):
    parts = []
    for _ in range(generator.choice([1, 3, 8, 20, 60])):
        word = generator.choice(vocabulary)
        if generator.random() < 0.15:
            word = word.upper() if generator.random() < 0.5 else word.capitalize()
        parts.append(word + generator.choice([" "] * 8 + [", ", "-", "\n", ". ", "é", "\u212a"]))
    return "".join(parts)


def figures(target, prediction, stem):
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stem)
    scores = scorer.score(target, prediction)
    return [value for name in ("rouge1", "rouge2", "rougeL")
            for value in (scores[name].precision, scores[name].recall, scores[name].fmeasure)]


def main():
    generator = random.Random(1)
    texts = [(a, b) for i, a in enumerate(HARD) for b in (a, HARD[i - 1], HARD[4])]
    for _ in range(150):
        vocabulary = [random_word(generator) for _ in range(generator.choice([2, 5, 15, 40]))]
        texts.append((random_text(generator, vocabulary), random_text(generator, vocabulary)))
    vocabulary = [random_word(generator) for _ in range(12)]  # more words than a machine word's bits
    for lengths in ((64, 64), (65, 63), (127, 200), (129, 128)):
        texts.append(tuple(" ".join(generator.choices(vocabulary, k=k)) for k in lengths))
    stemmer = PorterStemmer()
    value = {
        "pairs": [[a, b, figures(a, b, False), figures(a, b, True)] for a, b in texts],
        "words": "\n".join(f"{word} {stemmer.stem(word)}" for word in words(generator)),
    }
    with open(os.path.join(HERE, "text", "rouge.json"), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
