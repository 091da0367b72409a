"""Export a network to ONNX, and compare the result with the network."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from x3d.errors import InputError
from x3d.network import EXPORT_FORMAT
from x3d.network.engine import ONNX_ENGINES, open_engine, run_batch
from x3d.network.export_digest import FORMAT_KEY, append_export_digest
from x3d.network.model_file import ModelFile

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


def export_onnx(model: nn.Module, view_shape: tuple[int, ...], opset: int, batch_size: int) -> bytes:
    """Convert a network, in eval mode and with BatchNorm folded, to ONNX: input `image`, output `class`.

    Its metadata hold the number of the format, `export_format`, and last the digest of the bytes before,
    `export_digest`.

    Args:
        view_shape: (3, T, C, C).
        opset: of the ONNX operators; 11 is what CANN 6.0's ATC takes.
        batch_size: fixed, or 0 for a dynamic first axis.
    Returns:
        The content of an .onnx file.
    Raises:
        InputError: it is not valid ONNX, or holds operator types ATC is not known to take.
    """
    exported = _trace(model, view_shape, opset, batch_size)
    _remove_identities(exported.graph)
    onnx.checker.check_model(exported, full_check=True)
    others = sorted({node.op_type for node in exported.graph.node} - ATC_OPERATORS)
    if others:
        raise InputError(f"the network needs operators that ATC is not known to take: {', '.join(others)}")
    onnx.helper.set_model_props(exported, {FORMAT_KEY: str(EXPORT_FORMAT)})
    return append_export_digest(exported.SerializeToString())


def is_exported(head: bytes) -> bool:
    """Check whether a file is an export of this suite or of the original recipe: by torch, with the input `image`.

    Args:
        head: its first bytes, x3d.files.HEAD_BYTES of them; the rest may be damaged.
    """
    return b"\x12\x07pytorch" in head[:16] and b"\x0a\x05" + INPUT.encode() in head


def _trace(model: nn.Module, view_shape: tuple[int, ...], opset: int, batch_size: int) -> onnx.ModelProto:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            model,
            (torch.zeros(batch_size or 2, *view_shape),),
            content,  # type: ignore[arg-type, unused-ignore]  # it takes a file too
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=opset,
            dynamic_axes=None if batch_size else {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            dynamo=False,
        )
    return onnx.load_model_from_string(content.getvalue())


def _remove_identities(graph: onnx.GraphProto) -> None:
    """Give what uses an Identity its input; torch inserts one for each tensor that is equal to another.

    Those of a network whose training has not begun are, and biases of zero.
    """
    sources = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    for node in graph.node:
        for number, name in enumerate(node.input):
            while name in sources:
                name = sources[name]
            node.input[number] = name
    kept = [node for node in graph.node if node.op_type != "Identity"]
    del graph.node[:]
    graph.node.extend(kept)


def check_parity(
    model: nn.Module, exported: ModelFile, view_shape: tuple[int, ...], batch_size: int
) -> Iterator[Difference]:
    """Run an exported model beside the torch module on seeded views, in every engine.

    Args:
        batch_size: the fixed one, tried with two seeds; 0: batches of 1 and 3.
    Yields:
        One Difference per engine and batch.
    """
    for name in ONNX_ENGINES:
        engine = open_engine(exported, name)
        for seed, size in enumerate([batch_size, batch_size] if batch_size else [1, 3]):
            batch = np.random.RandomState(seed).standard_normal((size, *view_shape)).astype(np.float32)
            with torch.inference_mode():
                expected = model(torch.from_numpy(batch)).numpy()
            yield Difference(name, size, float(np.abs(run_batch(engine, batch) - expected).max()))
