#!/usr/bin/env python3
"""Makes quantize.safetensors: values, and what the gguf package encodes them to.

Needs numpy, gguf 0.19 and safetensors 0.8. Run in this folder; the file is committed.
"""
import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file

random = np.random.default_rng(5)
values = random.standard_normal((24, 64)).astype(np.float32) * np.exp(
    random.uniform(-12, 6, (24, 1))
).astype(np.float32)
values[0] = 0
values[1, :32] = 0
values[2] = np.round(values[2])  # many values at the edge between two steps
values[3] = np.linspace(-127, 127, 64) + 0.5
golden = {"values": values}
for kind in (T.F16, T.BF16, T.Q8_0, T.Q4_0):
    golden[kind.name] = np.ascontiguousarray(gguf.quantize(values, kind)).view(np.uint8)
save_file(golden, "quantize.safetensors")
