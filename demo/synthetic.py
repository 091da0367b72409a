"""Synthetic weights from a seed, for tests and benchmarks without a checkpoint."""

import math
import zlib

import numpy as np
import torch
from torch import nn


def synthetic_state(model: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Draw every entry of a model's state dict from its name and a seed, at scales that keep activations alive."""
    return {name: _draw(name, tuple(old.shape), seed) for name, old in model.state_dict().items()}


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
    if name.endswith("c_bn.weight"):
        z = z * 0.3
    return torch.from_numpy(z.astype(np.float32))
