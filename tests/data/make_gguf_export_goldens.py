"""Makes tests/data/io/gguf_export.json: what llama.cpp's own converter writes for the tiny models.

Run: python3 make_gguf_export_goldens.py LLAMA_CPP     (a checkout, b7100 or later, for its
`conversion` package and gguf-py; torch 2.13.0, transformers 5.23.0)

By model: "config", what its config.json gets first (see gguf_fixtures.py); "settings", the metadata but for the
tokenizer's and the general ones; "tensors", by name the shape (slowest dimension first) and the
first 16 hexadecimal digits of the SHA-256 of the fp32 elements, or the elements themselves where
they are computed (factors of rotary frequencies). A model that the converter does not
know, or cannot convert, is listed under "refused".
"""

import hashlib
import json
import pathlib
import sys
import tempfile

import numpy as np

sys.path[:0] = [sys.argv[1], str(pathlib.Path(sys.argv[1]) / "gguf-py")]

import gguf  # noqa: E402
from conversion import ModelBase, get_model_class  # noqa: E402
from gguf_fixtures import prepare  # noqa: E402

HERE = pathlib.Path(__file__).parent
VOCABULARY = ("set_vocab", "_set_vocab_gpt2", "_set_vocab_sentencepiece", "_set_vocab_qwen")


# Some converters write these as they are in the published sizes, whatever config.json says.
ASSUMED = {"falcon": ["feed_forward_length", "context_length"], "gpt2": ["feed_forward_length"],
           "phi2": ["feed_forward_length"], "phi3": ["rope.scaling.original_context_length"]}


# Written by the converter, but not loaded by llama.cpp.
UNREADABLE = {"gemma2_uncapped": "its head is not tied",
              "gpt_neox_sequential": "its attention has no biases"}


def plain(value):
    """Metadata as JSON has it."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def hyperparameters(directory):
    """As the converters expect them: with some names of transformers 4."""
    found = ModelBase.load_hparams(directory, False)
    if "n_positions" in found:
        found["n_ctx"] = found["n_positions"]
    if found["model_type"] == "gpt_neox":
        found["rotary_pct"] = found["rope_parameters"]["partial_rotary_factor"]
    return found


def converted(source, folder):
    edits = prepare(source, folder / "source")
    vocabulary = json.loads((source / "config.json").read_text())["vocab_size"]
    # Gemma 3's rows beyond the tokenizer are cut off; this one has them all.
    (folder / "source" / "tokenizer.json").write_text(json.dumps(
        {"model": {"vocab": {str(i): i for i in range(vocabulary)}}, "added_tokens": []}))
    config = hyperparameters(folder / "source")
    kind = get_model_class(config["architectures"][0])
    for name in VOCABULARY:
        setattr(kind, name, lambda self: None)
    path = folder / "m.gguf"
    kind(folder / "source", gguf.LlamaFileType.ALL_F32, path, hparams=config).write()
    reader = gguf.GGUFReader(path)
    settings = {name: plain(field.contents()) for name, field in reader.fields.items()
                if not name.startswith(("GGUF.", "general.", "tokenizer."))}
    architecture = reader.fields["general.architecture"].contents()
    for name in ASSUMED.get(architecture, []):
        settings.pop(f"{architecture}.{name}", None)
    settings["general.architecture"] = architecture
    tensors = {}
    for tensor in reader.tensors:
        values = np.ascontiguousarray(tensor.data, dtype=np.float32)
        digest = hashlib.sha256(values.tobytes()).hexdigest()[:16]
        tensors[tensor.name] = [[int(n) for n in reversed(tensor.shape)],
                                values.tolist() if tensor.name.startswith("rope_") else digest]
    return {"config": edits, "settings": settings, "tensors": tensors}


def main():
    models, refused = {}, {}
    for directory in sorted((HERE / "model").iterdir()):
        if directory.name in UNREADABLE:
            refused[directory.name] = UNREADABLE[directory.name]
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                models[directory.name] = converted(directory, pathlib.Path(folder))
        except (Exception, SystemExit) as error:
            refused[directory.name] = f"{type(error).__name__}: {error}"
    lines = [f'  {json.dumps(name)}: {json.dumps(model)}' for name, model in models.items()]
    (HERE / "io" / "gguf_export.json").write_text(
        "{\n" + ",\n".join(lines) + ',\n  "refused": ' + json.dumps(refused, indent=2) + "\n}\n")
    for name, error in refused.items():
        print(f"{name}: {error}")


if __name__ == "__main__":
    main()
