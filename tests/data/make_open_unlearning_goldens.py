"""Makes tests/data/tune/open_unlearning.json: losses and gradients of OpenUnlearning's own code, for
what --compat open-unlearning has to repeat, deviations included.

Run: python3 make_open_unlearning_goldens.py CHECKOUT
CHECKOUT is a copy of github.com/locuslab/open-unlearning (tried with d3d7cf9); torch 2.13.0,
transformers 5.24.0, accelerate 1.15.0. Its trainers' compute_loss is called with batches made here,
without the set-up of a trainer; deepspeed, which it imports and does not use here, is an empty module.

open_unlearning.json
  model        a folder under tests/data/model, the reference; in the model that is trained the weights
               in "scaled" are multiplied by a factor
  padding      the token that fills up
  batch        so many first sequences of each set in tests/data/locate/<model>.json are one batch
  preferred    the sequences ("tokens", "labels") that dpo prefers
  layer, seed, steering, direction    of rmu: its control vector is steering times direction
  cases        list of {"objective", "set", its parameters, "loss", "gradients": {weight: its first rows}}
  dual         of pdu: {"limit", "rate", "start", "loss": of the retain set, "weight": after one step}
"""

import copy
import importlib.machinery
import json
import pathlib
import sys
import types

import torch
import transformers.trainer  # noqa: F401  (before the stub: it looks for deepspeed)
from transformers import AutoModelForCausalLM

from make_objective_goldens import uniform_pairs

HERE = pathlib.Path(__file__).parent
NAME = "llama_gqa_tied"
PADDING, BATCH, LAYER, SEED, STEERING = 0, 4, 1, 5, 3.0
SCALED = {"model.layers.0.self_attn.q_proj.weight": 0.5,
          "model.layers.1.mlp.down_proj.weight": 1.5, "model.embed_tokens.weight": 1.125}


def module(name, **names):
    stub = types.ModuleType(name)
    stub.__spec__ = importlib.machinery.ModuleSpec(name, None)
    stub.__dict__.update(names)
    sys.modules[name] = stub
    return stub


def trainers(checkout):
    """Their classes, without the package's own imports of everything that they can be run with."""
    module("trainer").__path__ = [str(pathlib.Path(checkout) / "src" / "trainer")]
    module("deepspeed", DeepSpeedEngine=type("DeepSpeedEngine", (), {}))
    from trainer.unlearn.ceu import CEU
    from trainer.unlearn.dpo import DPO
    from trainer.unlearn.grad_ascent import GradAscent
    from trainer.unlearn.grad_diff import GradDiff
    from trainer.unlearn.npo import NPO
    from trainer.unlearn.pdu import PDU
    from trainer.unlearn.rmu import RMU
    from trainer.unlearn.satimp import SatImp
    from trainer.unlearn.simnpo import SimNPO
    from trainer.unlearn.undial import UNDIAL
    from trainer.unlearn.wga import WGA
    return {"ga": GradAscent, "graddiff": GradDiff, "npo": NPO, "simnpo": SimNPO, "dpo": DPO,
            "wga": WGA, "satimp": SatImp, "undial": UNDIAL, "ceu": CEU, "pdu": PDU, "rmu": RMU}


def load():
    return AutoModelForCausalLM.from_pretrained(
        HERE / "model" / NAME, dtype=torch.float32, attn_implementation="eager").double().eval()


def collate(sequences):
    """As their collator: padded on the right, and what equals the padding is not attended to."""
    longest = max(len(s["tokens"]) for s in sequences)
    ids = torch.full((len(sequences), longest), PADDING)
    labels = torch.full_like(ids, -100)
    for i, s in enumerate(sequences):
        ids[i, :len(s["tokens"])] = torch.tensor(s["tokens"])
        for label in s["labels"]:
            labels[i, label] = s["tokens"][label]
    return {"input_ids": ids, "attention_mask": ids.ne(PADDING), "labels": labels}


def main():
    torch.set_num_threads(1)
    classes = trainers(sys.argv[1])
    model, reference = load(), load()
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for weight, factor in SCALED.items():
            weights[weight].mul_(factor)
    data = json.loads((HERE / "locate" / f"{NAME}.json").read_text())
    preferred = json.loads((HERE / "tune" / "initial_losses.json").read_text())["refusals"][:BATCH]
    forget, retain = collate(data["forget"][:BATCH]), collate(data["retain"][:BATCH])
    direction = torch.tensor([u for u, _ in uniform_pairs(SEED, "steering", model.config.hidden_size)],
                             dtype=torch.float64)
    direction /= direction.norm()

    def trainer(name, **settings):
        made = classes[name].__new__(classes[name])
        made.model, made.ref_model = model, reference
        made.gamma, made.alpha, made.retain_loss_type = 1.0, 0.0, "NLL"
        made.log = lambda figures: None
        if name == "rmu":
            made.model_module = made._get_matching_module(model, rf"model\.layers\.{LAYER}")
            made.ref_module = made._get_matching_module(reference, rf"model\.layers\.{LAYER}")
            made.control_vec = (STEERING * direction).view(1, 1, -1)
        if name == "pdu":
            made.preferences, made.retain_loss_eps = [1.0, 0.0], 0.0
            made.primal_dual, made.loss_names = False, ["forget_loss", "retain_loss"]
        for key, value in settings.items():
            setattr(made, key, value)
        return made

    cases = []

    def case(objective, which, loss, **parameters):
        model.zero_grad()
        loss.backward()
        wanted = ["model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.down_proj.weight",
                  "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"]
        cases.append({"objective": objective, "set": which, **parameters, "loss": loss.item(),
                      "gradients": {w: weights[w].grad[:6].tolist() for w in wanted}})

    def forget_case(name, theirs={}, **parameters):
        inputs = {"forget": forget, "retain": retain}
        if name == "dpo":
            inputs["forget"] = {"original": forget, "alternate": collate(preferred)}
        case(name, "forget", trainer(name, **theirs).compute_loss(model, inputs), **parameters)

    for name in ("ga", "graddiff", "rmu", "pdu"):
        forget_case(name)
    for name, beta in (("npo", 0.1), ("simnpo", 4.5), ("dpo", 0.1), ("wga", 1.0), ("undial", 10.0)):
        forget_case(name, {"beta": beta, "delta": 0.0}, beta=beta)
    forget_case("satimp", {"beta1": 5.0, "beta2": 1.0}, beta=5.0, beta2=1.0)
    forget_case("ceu", {"ignore_first_n_answer_tokens": 1})
    for name, kind in (("nll", "NLL"), ("kl", "KL")):
        made = trainer("graddiff", retain_loss_type=kind)
        case(name, "retain", made.compute_retain_loss(model, copy.copy(retain)))
    made = trainer("rmu", retain_loss_type="EMBED_DIFF")
    case("activations", "retain", made.compute_retain_loss(model, copy.copy(retain)))

    dual = {"limit": 0.3, "rate": 5.0, "start": 100.0}
    made = trainer("pdu", primal_dual=True, can_update=True, dual_update_upon="step",
                   preferences=[1.0, dual["start"]], retain_loss_eps=dual["limit"],
                   dual_step_size=dual["rate"])
    made.compute_loss(model, {"forget": forget, "retain": retain})
    dual["loss"] = trainer("graddiff").compute_retain_loss(model, retain).item()
    dual["weight"] = made.preferences[1]

    golden = {"model": NAME, "scaled": SCALED, "padding": PADDING, "batch": BATCH,
              "preferred": preferred, "layer": LAYER, "seed": SEED, "steering": STEERING,
              "direction": direction.tolist(), "cases": cases, "dual": dual}
    text = json.dumps(golden).replace("], [", "],\n [")
    (HERE / "tune" / "open_unlearning.json").write_text(text + "\n")
    for c in cases:
        print(c["objective"], c["loss"])


if __name__ == "__main__":
    main()
