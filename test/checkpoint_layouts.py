"""Checkpoints in the layouts of the three libraries, and what their networks compute."""

from typing import Any

import torch
from fvcore.common.config import CfgNode

from demo.synthetic import synthetic_tensors
from test.helpers import read_golden
from x3d.network.layouts import LAYOUTS, Layout
from x3d.network.model import X3D, Architecture

GOLDEN = read_golden("layouts_model.json")
CASES: list[dict[str, Any]] = GOLDEN["cases"]
ALL = sorted(LAYOUTS)
OTHERS = ("mmaction2", "pytorchvideo")
CLASSIFIER = {
    "mmaction2": "cls_head.fc2",
    "pyslowfast": "head.projection",
    "pytorchvideo": "blocks.5.proj",
}
"""Layout -> the last layer's name."""


def build(cfg: CfgNode, layout: Layout) -> X3D:
    return X3D(layout.adapt(Architecture.from_cfg(cfg))).eval()


def layout_state(cfg: CfgNode, name: str, seed: int = 3) -> dict[str, torch.Tensor]:
    """Draw the weights of a network in a layout, by that layout's names."""
    layout = LAYOUTS[name]
    with torch.device("meta"):
        entries = layout.to_entries(build(cfg, layout).state_dict())
    return synthetic_tensors({entry: tensor.shape for entry, tensor in entries.items()}, seed)
