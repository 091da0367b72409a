"""Faults of checkpoints."""

import argparse
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from test import world
from test.faults.row import Fault, edit, write

State = dict[str, torch.Tensor]


def export() -> world.Ran:
    return world.export("small.pyth", "new.onnx")


def _saved(change: Callable[[State], Mapping[str, Any]]) -> Callable[[], object]:
    """Make a checkpoint of what `change` makes of the state dict."""

    def make() -> None:
        state = torch.load("small.pyth", weights_only=True)["model_state"]
        torch.save(change(state), "small.pyth")

    return make


def _each(change: Callable[[torch.Tensor], Any]) -> Callable[[], object]:
    return _saved(lambda state: {"model_state": {name: change(value) for name, value in state.items()}})


def _flip_weight(data: bytes) -> bytes:
    """Flip a bit in the largest tensor of the archive."""
    with zipfile.ZipFile("small.pyth") as archive:
        weights = [entry for entry in archive.infolist() if "/data/" in entry.filename]
    entry = max(weights, key=lambda entry: entry.file_size)
    place = entry.header_offset + 256 + entry.file_size // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _fault(name: str, make: Callable[[], object], *message: str) -> Fault:
    return Fault(name, make, export, 2, [r"small\.pyth", *message], absent=["new.onnx"])


def _quantise(value: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8) if value.is_floating_point() else value


def _link_parts() -> None:
    """Put links with names that a part of the exported file might have."""
    for name in ("new.partial.onnx", "new.onnx.partial", ".new.onnx.partial", ".new.onnx"):
        Path(name).symlink_to("victim")


FAULTS = (
    Fault("links in the place of parts", _link_parts, export, 0, [], absent=["victim"], present=["new.onnx"]),
    _fault("no checkpoint", lambda: Path("small.pyth").unlink(), "TEST.CHECKPOINT_FILE_PATH"),
    _fault("a git-LFS pointer", write("small.pyth", "version https://git-lfs.github.com/spec/v1\n"), "git-LFS"),
    _fault("a web page", write("small.pyth", "<html><body>404</body></html>"), "HTML"),
    _fault("an empty file", write("small.pyth", ""), "empty"),
    _fault("half a file", edit("small.pyth", lambda data: data[: len(data) // 2])),
    _fault("a flipped bit in a weight", edit("small.pyth", _flip_weight), "data/"),
    _fault("weights in an unknown entry", _saved(lambda state: {"net": state}), "X3D_PTH2ONNX.WEIGHTS"),
    _fault("names with net.", _saved(lambda s: {"model_state": {f"net.{k}": v for k, v in s.items()}}), "'net.'"),
    _fault("sub-batch statistics", _saved(lambda s: s | {"s1.bn.split_bn.running_var": torch.ones(2)}), "sub-batches"),
    _fault("names of pytorchvideo, some", _saved(lambda s: {"blocks.0.norm.bias": torch.ones(24)}), "missing: blocks"),
    _fault(
        "fewer classes", _saved(lambda s: {k: v[:4] if "head.proj" in k else v for k, v in s.items()}), "NUM_CLASSES 4"
    ),
    _fault(
        "integers in place of tensors", _each(lambda value: 0 if value.dim() == 0 else value), "num_batches_tracked"
    ),
    _fault("sparse tensors", _each(lambda value: value.to_sparse() if value.dim() == 2 else value), "sparse"),
    _fault("quantised tensors", _each(_quantise), "quant"),
    _fault("complex tensors", _each(lambda value: value.to(torch.complex64)), "complex"),
    _fault("meta tensors", _each(lambda value: value.to("meta")), "meta"),
    _fault("infinite weights", _each(lambda value: value * float("nan")), "finite|NaN|nan"),
    _fault(
        "an argparse object", _saved(lambda state: {"model_state": state, "args": argparse.Namespace(a=1)}), "Namespace"
    ),
    _fault("negative variances", _each(lambda value: -value.abs()), "variances below 0"),
    _fault("safetensors", write("small.pyth", b'\x40\0\0\0\0\0\0\0{"x":{"dtype":"F32"'), "safetensors file; write"),
    _fault(
        "Lightning's, with a loss",
        _saved(lambda s: {"state_dict": {f"model.{k}": v for k, v in s.items()} | {"loss.weight": torch.ones(1)}}),
        r"start with 'model\.', beside others such as loss\.weight",
    ),
    _fault("an entry too few", _saved(lambda state: {"model_state": dict(list(state.items())[1:])}), "missing"),
    _fault("an entry too many", _saved(lambda s: {"model_state": s | {"x": torch.zeros(1)}}), "unexpected"),
    _fault(
        "a configuration of another network",
        _saved(lambda state: {"model_state": state, "cfg": "DATA:\n  NUM_FRAMES: 16\n  SAMPLING_RATE: 5\n"}),
        "NUM_FRAMES",
    ),
)
