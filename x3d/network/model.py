"""X3D, with the parameter names of PySlowFast's checkpoints.

From "X3D: Expanding Architectures for Efficient Video Recognition" (arXiv:2004.04730), as PySlowFast 9839d13 builds
it. Letters: N views, C channels, T frames, H height, W width.
"""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

STAGE_DEPTHS = (1, 2, 5, 3)


@dataclass(frozen=True)
class Architecture:
    """Widths, depths and head of an X3D, in the terms of PySlowFast's keys.

    Attributes:
        global_pool: pool over the whole map in the head, as mmaction2 does, instead of with the training crop's kernel.
        norms_same_width: normalise a projected shortcut whose width does not change; pytorchvideo does not.
    """

    num_frames: int
    train_crop_size: int
    num_classes: int
    head_act: str
    num_groups: int
    width_factor: float
    depth_factor: float
    bottleneck_factor: float
    dim_c1: int
    dim_c5: int
    scale_res2: bool
    bn_lin5: bool
    channelwise: bool
    global_pool: bool = False
    norms_same_width: bool = True

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "Architecture":
        """Read the keys that decide the network."""
        return cls(
            num_frames=cfg.DATA.NUM_FRAMES,
            train_crop_size=cfg.DATA.TRAIN_CROP_SIZE,
            num_classes=cfg.MODEL.NUM_CLASSES,
            head_act=cfg.MODEL.HEAD_ACT,
            num_groups=cfg.RESNET.NUM_GROUPS,
            width_factor=cfg.X3D.WIDTH_FACTOR,
            depth_factor=cfg.X3D.DEPTH_FACTOR,
            bottleneck_factor=cfg.X3D.BOTTLENECK_FACTOR,
            dim_c1=cfg.X3D.DIM_C1,
            dim_c5=cfg.X3D.DIM_C5,
            scale_res2=cfg.X3D.SCALE_RES2,
            bn_lin5=cfg.X3D.BN_LIN5,
            channelwise=cfg.X3D.CHANNELWISE_3x3x3,
        )

    def stage_widths(self) -> list[int]:
        """Compute the output widths of the stem and res2 to res5 (X3D-S: 24, 24, 48, 96, 192)."""
        widths = [self.dim_c1, round_width(self.dim_c1, 2) if self.scale_res2 else self.dim_c1]
        while len(widths) < 5:
            widths.append(round_width(widths[-1], 2))
        return [round_width(width, self.width_factor, divisor=1) for width in widths]


def round_width(width: float, multiplier: float, divisor: int = 8) -> int:
    """Scale a width and round it to a multiple of the divisor, not below 90 % of the exact value."""
    exact = width * multiplier
    rounded = max(divisor, int(exact + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * exact else rounded


class Swish(nn.Module):
    """x * sigmoid(x), written with operators that every ONNX opset has."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x)


class SqueezeExcite(nn.Module):
    """Weight each channel by a gate computed from its mean over T, H and W."""

    def __init__(self, width: int, ratio: float = 0.0625) -> None:
        super().__init__()
        squeezed = round_width(width, ratio)
        self.avg_pool = nn.AdaptiveAvgPool3d(1)
        self.fc1 = nn.Conv3d(width, squeezed, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv3d(squeezed, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(self.relu(self.fc1(self.avg_pool(x))))  # (N, C, 1, 1, 1)
        return x * torch.sigmoid(gate)


class Bottleneck(nn.Module):
    """1x1x1, 3x3x3 with the spatial stride, gate, Swish, 1x1x1."""

    def __init__(self, width_in: int, inner: int, width_out: int, stride: int, groups: int, gated: bool) -> None:
        super().__init__()
        self.a = nn.Conv3d(width_in, inner, 1, bias=False)
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = nn.Conv3d(inner, inner, 3, stride=(1, stride, stride), padding=1, groups=groups, bias=False)
        self.b_bn = nn.BatchNorm3d(inner)
        self.se = SqueezeExcite(inner) if gated else nn.Identity()
        self.c = nn.Conv3d(inner, width_out, 1, bias=False)
        self.c_bn = nn.BatchNorm3d(width_out)
        self.relu = nn.ReLU()
        self.swish = Swish()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.a_bn(self.a(x)))
        x = self.swish(self.se(self.b_bn(self.b(x))))
        out: torch.Tensor = self.c_bn(self.c(x))
        return out


class Block(nn.Module):
    """A bottleneck and its shortcut, which is projected where width or stride changes."""

    def __init__(
        self,
        width_in: int,
        inner: int,
        width_out: int,
        stride: int,
        groups: int,
        gated: bool,
        norms_same_width: bool = True,
    ) -> None:
        super().__init__()
        self.projects = width_in != width_out or stride != 1
        if self.projects:
            self.branch1 = nn.Conv3d(width_in, width_out, 1, stride=(1, stride, stride), bias=False)
            normed = norms_same_width or width_in != width_out
            self.branch1_bn = nn.BatchNorm3d(width_out) if normed else nn.Identity()
        self.branch2 = Bottleneck(width_in, inner, width_out, stride, groups, gated)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = self.branch1_bn(self.branch1(x)) if self.projects else x
        out: torch.Tensor = self.relu(shortcut + self.branch2(x))
        return out


class Stem(nn.Module):
    """1x3x3 in space with stride 2, then depthwise 5x1x1 in time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_xy = nn.Conv3d(3, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), bias=False)
        self.conv = nn.Conv3d(width, width, (5, 1, 1), padding=(2, 0, 0), groups=width, bias=False)
        self.bn = nn.BatchNorm3d(width)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.relu(self.bn(self.conv(self.conv_xy(x))))
        return out


class Head(nn.Module):
    """Pool with a fixed kernel and classify each remaining position; the mean of their probabilities is the result.

    In training mode the result is the mean of their logits.
    The kernel fits the training crop, so larger crops leave several positions (182 pixels: 2x2). Without a kernel the
    whole map is pooled, and one position remains.
    """

    def __init__(
        self,
        width_in: int,
        inner: int,
        width_out: int,
        num_classes: int,
        pool: tuple[int, int, int] | None,
        bn_lin5: bool,
        activation: str,
    ) -> None:
        super().__init__()
        self.conv_5 = nn.Conv3d(width_in, inner, 1, bias=False)
        self.conv_5_bn = nn.BatchNorm3d(inner)
        self.avg_pool = nn.AvgPool3d(pool, stride=1) if pool else nn.AdaptiveAvgPool3d(1)
        self.lin_5 = nn.Conv3d(inner, width_out, 1, bias=False)
        self.lin_5_bn = nn.BatchNorm3d(width_out) if bn_lin5 else nn.Identity()
        self.projection = nn.Linear(width_out, num_classes)
        self.relu = nn.ReLU()
        self.activation = nn.Softmax(dim=4) if activation == "softmax" else nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.avg_pool(self.relu(self.conv_5_bn(self.conv_5(x))))
        x = self.relu(self.lin_5_bn(self.lin_5(x)))
        x = self.projection(x.permute(0, 2, 3, 4, 1))  # (N, T', H', W', num_classes)
        x = x if self.training else self.activation(x)
        return x.mean(dim=(1, 2, 3))  # (N, num_classes)


class X3D(nn.Module):
    """The network: (N, 3, T, C, C) float32 views to (N, NUM_CLASSES) float32 probabilities (logits while training)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        widths = architecture.stage_widths()
        self.s1 = nn.ModuleDict({"pathway0_stem": Stem(widths[0])})
        inner = 0
        for stage, (width_in, width_out) in enumerate(itertools.pairwise(widths)):
            inner = int(architecture.bottleneck_factor * width_out)
            groups = inner if architecture.channelwise else architecture.num_groups
            blocks = nn.ModuleDict()
            for number in range(math.ceil(STAGE_DEPTHS[stage] * architecture.depth_factor)):
                first = number == 0
                blocks[f"pathway0_res{number}"] = Block(
                    width_in if first else width_out,
                    inner,
                    width_out,
                    stride=2 if first else 1,
                    groups=groups,
                    gated=number % 2 == 0,
                    norms_same_width=architecture.norms_same_width,
                )
            self.add_module(f"s{stage + 2}", blocks)
        pool_side = math.ceil(architecture.train_crop_size / 32)
        self.head = Head(
            widths[-1],
            inner,
            architecture.dim_c5,
            architecture.num_classes,
            pool=None if architecture.global_pool else (architecture.num_frames, pool_side, pool_side),
            bn_lin5=architecture.bn_lin5,
            activation=architecture.head_act,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.children():
            for block in stage.values() if isinstance(stage, nn.ModuleDict) else [stage]:
                x = block(x)
        return x
