"""The layouts of X3D checkpoints: how each library names and shapes the tensors, and what its network has of its own.

Read from PySlowFast 9839d13, pytorchvideo 0.1.5 and mmaction2 1.2.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch

from x3d.network.model import Architecture

_BLOCK = re.compile(r"s(\d+)\.pathway0_res(\d+)\.(.+)")
_VARIANTS: dict[tuple[int, ...], str] = {(3, 5, 11, 7): "X3D-XS, X3D-S or X3D-M", (5, 10, 25, 15): "X3D-L"}
"""Number of blocks of each stage -> the published networks; XS, S and M have the same tensors."""


@dataclass(frozen=True)
class Layout:
    """A library's names of the tensors, and the differences of its network from PySlowFast's.

    Attributes:
        name: as X3D_PTH2ONNX.LAYOUT takes it.
        library: whose it is.
        marker: matches the start of its names.
        block: a block's name, with its number from 0 and that of its stage: `s` from 2 or `stage` from 1.
        modules: PySlowFast's name of a module, in a block relative to it -> this library's; others have the same.
        linear: PySlowFast's names of 1x1x1 convolutions that are linear layers here.
        global_pool: the head pools over the whole map, with which the published accuracy was measured.
        norms_same_width: the projected shortcut of a block has a BatchNorm if its width does not change.
        std: of the views that the published accuracy was measured with; None: the yaml files' 0.225.
        offset_sampling: those views have DATA.USE_OFFSET_SAMPLING True.
    """

    name: str
    library: str
    marker: str
    block: str
    modules: Mapping[str, str] = field(default_factory=dict)
    linear: frozenset[str] = frozenset()
    global_pool: bool = False
    norms_same_width: bool = True
    std: float | None = None
    offset_sampling: bool = False

    def adapt(self, architecture: Architecture) -> Architecture:
        """Give an architecture the differences of this library's network."""
        return replace(architecture, global_pool=self.global_pool, norms_same_width=self.norms_same_width)

    def entry_name(self, name: str) -> str:
        """Name the entry of a checkpoint that fills an entry of the network."""
        module, _, leaf = name.rpartition(".")
        start = ""
        if found := _BLOCK.fullmatch(module):
            start = self.block.format(s=found[1], stage=int(found[1]) - 1, block=found[2]) + "."
            module = found[3]
        return f"{start}{self.modules.get(module, module)}.{leaf}"

    def to_entries(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename and reshape a network's state dict to this layout."""
        return {
            self.entry_name(name): tensor.flatten(1) if name.removesuffix(".weight") in self.linear else tensor
            for name, tensor in state.items()
        }

    def from_entries(
        self, entries: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Rename and reshape the entries of this layout to a network's state dict, the inverse of to_entries.

        Args:
            state: the network's, whose names and shapes the result has; kept where the entries have no value.
        """
        return {name: entries.get(self.entry_name(name), old).reshape(old.shape) for name, old in state.items()}

    def depths(self, names: Iterable[str]) -> tuple[int, ...]:
        """Count the blocks of each stage."""
        number = r"(\d{1,3})"
        pattern = re.compile(self.block.replace(".", r"\.").format(s=number, stage=number, block=number) + r"\.")
        found = {match.groups() for name in names if (match := pattern.match(name))}
        stages = Counter(int(stage) for stage, _ in found)
        return tuple(stages[stage] for stage in sorted(stages))


PYSLOWFAST = Layout("pyslowfast", "PySlowFast", r"s\d\.pathway0_|head\.", "s{s}.pathway0_res{block}")
PYTORCHVIDEO = Layout(
    "pytorchvideo",
    "pytorchvideo",
    r"blocks\.\d+\.",
    "blocks.{stage}.res_blocks.{block}",
    {
        "s1.pathway0_stem.conv_xy": "blocks.0.conv.conv_t",  # the names of the two are swapped
        "s1.pathway0_stem.conv": "blocks.0.conv.conv_xy",
        "s1.pathway0_stem.bn": "blocks.0.norm",
        "branch1": "branch1_conv",
        "branch1_bn": "branch1_norm",
        "branch2.a": "branch2.conv_a",
        "branch2.a_bn": "branch2.norm_a",
        "branch2.b": "branch2.conv_b",
        "branch2.b_bn": "branch2.norm_b.0",
        "branch2.se.fc1": "branch2.norm_b.1.block.0",
        "branch2.se.fc2": "branch2.norm_b.1.block.2",
        "branch2.c": "branch2.conv_c",
        "branch2.c_bn": "branch2.norm_c",
        "head.conv_5": "blocks.5.pool.pre_conv",
        "head.conv_5_bn": "blocks.5.pool.pre_norm",
        "head.lin_5": "blocks.5.pool.post_conv",
        "head.lin_5_bn": "blocks.5.pool.post_norm",
        "head.projection": "blocks.5.proj",
    },
    norms_same_width=False,
)
MMACTION2 = Layout(
    "mmaction2",
    "mmaction2",
    r"backbone\.|cls_head\.",
    "backbone.layer{stage}.{block}",
    {
        "s1.pathway0_stem.conv_xy": "backbone.conv1_s.conv",
        "s1.pathway0_stem.conv": "backbone.conv1_t.conv",
        "s1.pathway0_stem.bn": "backbone.conv1_t.bn",
        "branch1": "downsample.conv",
        "branch1_bn": "downsample.bn",
        "branch2.a": "conv1.conv",
        "branch2.a_bn": "conv1.bn",
        "branch2.b": "conv2.conv",
        "branch2.b_bn": "conv2.bn",
        "branch2.se.fc1": "se_module.fc1",
        "branch2.se.fc2": "se_module.fc2",
        "branch2.c": "conv3.conv",
        "branch2.c_bn": "conv3.bn",
        "head.conv_5": "backbone.conv5.conv",
        "head.conv_5_bn": "backbone.conv5.bn",
        "head.lin_5": "cls_head.fc1",
        "head.projection": "cls_head.fc2",
    },
    linear=frozenset({"head.lin_5"}),
    global_pool=True,
    std=57.38 / 255,
    offset_sampling=True,
)
LAYOUTS = {layout.name: layout for layout in (PYSLOWFAST, PYTORCHVIDEO, MMACTION2)}


def recognise_layout(names: Iterable[str]) -> Layout | None:
    """Find the layout that most names have, None if none has any."""
    counts = Counter(layout.name for name in names for layout in LAYOUTS.values() if re.match(layout.marker, name))
    return LAYOUTS[counts.most_common(1)[0][0]] if counts else None


def describe_depths(depths: tuple[int, ...]) -> str:
    """Name the published networks whose stages have these numbers of blocks, else the numbers."""
    return _VARIANTS.get(depths, f"{', '.join(map(str, depths))} blocks")
