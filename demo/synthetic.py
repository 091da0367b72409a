"""Synthetic weights from a seed, for tests and benchmarks without a checkpoint."""

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

_SCALES = {
    "c_bn.weight": 0.3,
    "norm_c.weight": 0.3,
    ".conv3.bn.weight": 0.3,
    "blocks.5.proj.weight": 0.1,
    "cls_head.fc2.weight": 0.1,
}
"""Ends of names, in the layouts of the three libraries -> factor of the values drawn."""


def synthetic_state(model: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Draw every entry of a model's state dict from its name and a seed, at scales that keep activations alive."""
    return synthetic_tensors({name: old.shape for name, old in model.state_dict().items()}, seed)


def synthetic_tensors(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, torch.Tensor]:
    """Draw tensors likewise, from their names and shapes."""
    return {name: _draw(name, tuple(shape), seed) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    z: np.ndarray = random.standard_normal(shape).astype(np.float32)
    if name.endswith("running_mean"):
        z = 0.1 * z
    elif name.endswith("running_var"):
        z = 1 + 0.2 * np.tanh(z)
    elif len(shape) > 1:
        z = z * math.sqrt(2 / math.prod(shape[1:]))
    elif name.endswith("weight"):
        z = 1 + 0.1 * z
    else:
        z = 0.1 * z
    for end, scale in _SCALES.items():
        if name.endswith(end):
            z = z * scale
    return torch.from_numpy(z.astype(np.float32))
