"""Writes tests/data/chat_prompts.json: what `transformers` gives a model for conversations, finished
and to be answered, under templates of many shapes.

Needs `pip install transformers==4.45.1`. Run as `python3 make_chat_prompt_goldens.py`. Where the
answer lies is found by marks put around it, which no template touches; which tokens are scored
follows docs/formats.md: those that overlap the answer, and the special token behind it with the
white space in between, or else the end token.
"""

import json
import os

import transformers
from transformers import PreTrainedTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "chat_prompts.json")

TURN = "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
ASK = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
EACH = "{% for m in messages %}"
END = "{% endfor %}"

# name: tokenizer, end token, template.
TEMPLATES = {
    "plain": ("byte_level", "<|im_end|>", EACH + TURN + END + ASK),
    "thinks when asked": ("byte_level", "<|im_end|>",
        EACH + TURN + END + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"),
    "drops thoughts": ("byte_level", "<|endoftext|>",
        EACH + "{% if m['role'] == 'assistant' %}<|im_start|>"
        "{{ m['content'].split('</think>')[-1] }}<|endoftext|>{% else %}{{ m['role'] }}: {{ m['content'] }}\n"
        "{% endif %}" + END + "{% if add_generation_prompt %}<|im_start|><think>\n{% endif %}"),
    "empty thoughts when finished": ("byte_level", "<|im_end|>",
        EACH + "<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' and loop.last %}"
        "<think>\n\n</think>\n\n{% endif %}{{ m['content'].lstrip('\\n') }}<|im_end|>\n" + END + ASK),
    "space before the end": ("sentencepiece_like", "</s>",
        "{{ bos_token }}" + EACH + "{% if m['role'] == 'user' %}[INST] {{ m['content'] | trim }} [/INST]"
        "{% elif m['role'] == 'assistant' %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}" + END),
    "line before the end": ("byte_level", "<|im_end|>",
        EACH + "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}\n<|im_end|>\n" + END + ASK),
    "never asks": ("byte_level", "<|im_end|>", EACH + TURN + END),
    "no marks": ("byte_level", "<|endoftext|>",
        EACH + "{{ m['role'] | upper }}: {{ m['content'] }}\n" + END
        + "{% if add_generation_prompt %}ASSISTANT:{% endif %}"),
    "merges turns": ("byte_level", "<|im_end|>",
        "{% set ns = namespace(last='') %}" + EACH
        + "{% if m['role'] != ns.last %}{% if ns.last %}<|im_end|>\n{% endif %}<|im_start|>{{ m['role'] }}"
        "{% set ns.last = m['role'] %}{% endif %}\n{{ m['content'] }}" + END + "<|im_end|>\n" + ASK),
    "echoes the question": ("byte_level", "<|im_end|>",
        EACH + "{% if m['role'] == 'assistant' %}{{ messages[loop.index0 - 1]['content'] }}? "
        "{{ m['content'] }}<|im_end|>{% else %}{{ m['content'] }}\n{% endif %}" + END
        + "{% if add_generation_prompt %}Now{% endif %}"),
    "another mark when asked": ("byte_level", "<|im_end|>",
        EACH + TURN + END + "{% if add_generation_prompt %}<|im_start|>bot\n{% endif %}"),
    "no system turns": ("byte_level", "<|im_end|>",
        EACH + "{% if m['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
        "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}"
        "{% endif %}<|im_start|>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
        "{{ m['content'] | trim }}<|im_end|>\n" + END
        + "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"),
    "needs a system turn": ("byte_level", "<|im_end|>",
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('begin with a system turn') }}{% endif %}"
        + EACH + TURN + END + ASK),
    "needs two questions": ("byte_level", "<|im_end|>",
        "{% if messages | selectattr('role', 'equalto', 'user') | list | length < 2 %}"
        "{{ raise_exception('ask twice') }}{% endif %}" + EACH + TURN + END + ASK),
    "particular about answers": ("byte_level", "<|im_end|>",
        EACH + "{% if m['role'] == 'assistant' and 'Paris' not in m['content'] %}"
        "{{ raise_exception('Paris is missing') }}{% endif %}" + TURN + END
        + "{% if add_generation_prompt %}<|im_start|>bot\n{% endif %}"),
    "calls and names": ("byte_level", "<|im_end|>",
        EACH + "<|im_start|>{{ m['role'] }}{% if m['name'] %} {{ m['name'] }}{% endif %}\n{{ m['content'] }}"
        "{% for call in m['tool_calls'] or [] %}[{{ call['function']['name'] }}({{ call['function']['arguments'] "
        "| tojson }})]{% endfor %}<|im_end|>\n" + END + ASK),
}

USER, SYSTEM = {"role": "user", "content": "Is Paris in France, xylophone?"}, {"role": "system", "content": "Be kind."}
CONVERSATIONS = [
    [USER],
    [SYSTEM, USER],
    [{"role": "user", "content": "  Paris  "}],
    [USER, {"role": "assistant", "content": "Paris"}, {"role": "user", "content": "Sure?"}],
    [SYSTEM, USER, {"role": "assistant", "content": "<think>\nParis\n</think>\n\nYes."}, USER],
    [USER, {"role": "assistant", "content": "Let me see."}],
    [USER, USER],
    [SYSTEM, {"role": "user", "content": ""}],
    [USER, {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "find", "arguments": {"what": "Paris"}}}]},
     {"role": "tool", "name": "find", "content": "park"}],
    [{"role": "user", "name": "Ann", "content": "Who am I?"}],
]
ANSWERS = ["Paris", " Paris ", "x", "Yes, in\n\nFrance.\n", "\nuser", "<think>\nhm\n</think>\n\nParis"]


def load(tokenizer, end):
    file = os.path.join(HERE, "tokenizers", tokenizer + ".json")
    begin = {"bos_token": "<s>"} if tokenizer == "sentencepiece_like" else {}
    return PreTrainedTokenizerFast(tokenizer_file=file, eos_token=end, clean_up_tokenization_spaces=False,
                                   **begin)


def render(tokenizer, turns, ask):
    """The text, or None where the template refuses the turns."""
    try:
        return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask)
    except Exception:  # whatever it is: the result is that it fails
        return None


def shown(tokenizer, turns, answer, text):
    """Where the answer lies in the text, by a mark that stands at its beginning; None where it is changed."""
    mark = "\ue000"
    parts = [answer, answer.strip(), answer.lstrip(), answer.rstrip(), answer.lstrip("\n")]
    parts += [part.split("</think>")[-1] for part in parts]
    for part in sorted(set(parts), key=len, reverse=True):
        marked = render(tokenizer, turns + [{"role": "assistant", "content": mark + part + mark}], False)
        if marked is None:
            continue
        at = marked.index(mark)
        if text[:at] == marked[:at] and text[at:at + len(part)] == part:
            return at, at + len(part)
    return None


def case(tokenizer, name, number, turns, answer):
    result = {"template": name, "turns": number, "answer": answer, "prompt_ids": None, "ids": None}
    prompt = render(tokenizer, turns, True)
    text = render(tokenizer, turns + [{"role": "assistant", "content": answer}], False)
    if prompt is not None:
        result["prompt_ids"] = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    if prompt is None or text is None:
        return result
    place = shown(tokenizer, turns, answer, text)
    if place is None:
        return result
    made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, spans = made["input_ids"], made["offset_mapping"]
    inside = [i for i, (b, e) in enumerate(spans) if b < place[1] and e > place[0]]
    end = inside[-1] + 1
    special = set(tokenizer.added_tokens_decoder)
    closing = end
    while closing < len(ids) and ids[closing] not in special and text[slice(*spans[closing])].strip() == "":
        closing += 1
    if closing < len(ids) and ids[closing] in special:
        ids = ids[:closing + 1]
    else:
        ids = ids[:end] + [tokenizer.eos_token_id]
    result["ids"], result["first"] = ids, inside[0]
    result["shown"] = text[slice(*place)]
    return result


def main():
    assert transformers.__version__ == "4.45.1", transformers.__version__
    cases = []
    for name, (file, end, source) in TEMPLATES.items():
        tokenizer = load(file, end)
        tokenizer.chat_template = source
        for number, turns in enumerate(CONVERSATIONS):
            for answer in ANSWERS if number < 5 else ANSWERS[:2]:
                cases.append(case(tokenizer, name, number, turns, answer))
    templates = {name: dict(zip(("tokenizer", "eos_token", "source"), row)) for name, row in TEMPLATES.items()}
    with open(OUT, "w", encoding="utf-8") as file:
        file.write('{"made_with": "transformers ' + transformers.__version__ + '",\n "templates": '
                   + json.dumps(templates, indent=1) + ',\n "conversations": [\n'
                   + ",\n".join(map(json.dumps, CONVERSATIONS)) + '],\n "cases": [\n'
                   + ",\n".join(map(json.dumps, cases)) + "]}\n")
    print(len(cases), "cases,", sum(c["ids"] is None for c in cases), "without an answer,",
          sum(c["prompt_ids"] is None for c in cases), "refused")


if __name__ == "__main__":
    main()
