"""Export a network to ONNX, and compare what was written with the network."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from x3d.network import EXPORT_FORMAT
from x3d.network.engine import ONNX_ENGINES, open_engine, run_batch
from x3d.network.model_file import read_model

INPUT, OUTPUT = "image", "class"

ATC_OPERATORS = frozenset(
    "Conv Relu GlobalAveragePool Sigmoid Mul Add AveragePool Transpose MatMul Softmax ReduceMean Reshape "
    "Shape Constant Gather Unsqueeze Concat".split()
)
"""Operator types in the original recipe's export, which CANN 6.0.RC1's ATC is known to convert."""


@dataclass(frozen=True)
class Difference:
    """Largest absolute difference of an engine's output from the torch module's, over one seeded batch."""

    engine: str
    batch_size: int
    largest: float


def fold_batch_norm(model: nn.Module) -> None:
    """Fold each BatchNorm into the convolution before it, in place; the network must be in eval mode."""
    for parent in list(model.modules()):
        convolution = ""
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv3d):
                convolution = name
            elif isinstance(child, nn.BatchNorm3d):
                setattr(parent, convolution, fuse_conv_bn_eval(getattr(parent, convolution), child))
                setattr(parent, name, nn.Identity())


def write_onnx(model: nn.Module, path: str, view_shape: tuple[int, ...], opset: int, batch_size: int) -> None:
    """Write a network, in eval mode and with BatchNorm folded, as ONNX: input `image`, output `class`.

    Its metadata hold the number of the format, `export_format`.

    Args:
        view_shape: (3, T, C, C).
        opset: of the ONNX operators; 11 is what CANN 6.0's ATC takes.
        batch_size: fixed, or 0 for a dynamic first axis.
    Raises:
        ValueError: the file is not valid ONNX, or holds operator types ATC is not known to take.
    """
    example = torch.zeros(batch_size or 2, *view_shape)
    dynamic = None if batch_size else {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            model,
            (example,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=opset,
            dynamic_axes=dynamic,
            dynamo=False,
        )
    exported = onnx.load(path)
    onnx.checker.check_model(exported, full_check=True)
    others = sorted({node.op_type for node in exported.graph.node} - ATC_OPERATORS)
    if others:
        raise ValueError(f"{path} holds operators that ATC is not known to take: {', '.join(others)}")
    onnx.helper.set_model_props(exported, {"export_format": str(EXPORT_FORMAT)})
    onnx.save(exported, path)


def check_parity(model: nn.Module, path: str, view_shape: tuple[int, ...], batch_size: int) -> Iterator[Difference]:
    """Run an exported file beside the torch module on seeded views, in every engine.

    Args:
        batch_size: the fixed one, tried with two seeds; 0: batches of 1 and 3.
    Yields:
        One Difference per engine and batch.
    """
    for name in ONNX_ENGINES:
        engine = open_engine(read_model(path), name)
        for seed, size in enumerate([batch_size, batch_size] if batch_size else [1, 3]):
            batch = np.random.RandomState(seed).standard_normal((size, *view_shape)).astype(np.float32)
            with torch.inference_mode():
                expected = model(torch.from_numpy(batch)).numpy()
            yield Difference(name, size, float(np.abs(run_batch(engine, batch) - expected).max()))
