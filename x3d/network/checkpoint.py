"""Load a PySlowFast checkpoint strictly."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from x3d.errors import MAX_LISTED_PROBLEMS, InputError, format_problems
from x3d.network.checkpoint_cfg import check_trained_cfg
from x3d.network.checkpoint_file import read_checkpoint

_WRAPPERS = {"module.": "DistributedDataParallel", "_orig_mod.": "torch.compile"}
_OTHER_NETWORKS = {
    r"blocks\.\d+\..*(conv_t|res_blocks|proj\.weight)|blocks\.\d+\.proj": "PyTorchVideo",
    r"(backbone|cls_head)\.": "MMAction2",
    r"s\d_fuse\.|s\d\.pathway1": "a two-pathway network of PySlowFast",
    r"patch_embed\.|cls_token": "a vision transformer",
    r"layer1\.0\.": "a ResNet of torchvision's kind",
}
"""Names of entries -> what writes them."""


def load_checkpoint(model: nn.Module, path: str, config: Mapping[str, Any] | None = None) -> None:
    """Load a checkpoint's `model_state` into a model; it must have every entry of the model and no other.

    Args:
        config: as x3d.network.checkpoint_cfg.compared_config returns it, to compare with the checkpoint's own.
    Raises:
        InputError: as read_checkpoint; trained with another configuration; or entries missing, unexpected, of another
            shape or unusable, all listed.
    """
    content = read_checkpoint(path)
    check_trained_cfg(path, content.get("cfg"), config or {})
    state = content["model_state"]
    expected = model.state_dict()
    problems = state_problems(expected, state)
    if problems:
        cause = _cause(list(expected), [str(name) for name in state])
        raise InputError(
            f"checkpoint {path} does not fit the configured network{cause}; entries that differ: {len(problems)}\n"
            + format_problems(problems)
        )
    model.load_state_dict(state)


def state_problems(expected: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> list[str]:
    """List the entries in which a state differs from a model's, of every kind of difference some among the first."""
    missing = [f"missing: {name} {tuple(expected[name].shape)}" for name in expected if name not in state]
    unexpected = [f"unexpected: {name} {_described(state[name])}" for name in state if name not in expected]
    others = [
        f"{problem[0]}: {name} {problem[1]}"
        for name in expected
        if name in state and (problem := _entry_problem(expected[name], state[name]))
    ]
    mixed = [text for texts in itertools.zip_longest(others, missing, unexpected) for text in texts if text]
    return sorted(mixed[:MAX_LISTED_PROBLEMS]) + mixed[MAX_LISTED_PROBLEMS:]


def _entry_problem(expected: torch.Tensor, found: Any) -> tuple[str, str] | None:
    """Describe what keeps a value from being an entry of the network: the kind of problem and the detail."""
    if not _is_plain(found):
        return "unusable", f"is {_described(found)}, the network needs a plain tensor of {_dtype(expected)}"
    if found.shape != expected.shape:
        return "shape", f"is {tuple(found.shape)}, the network needs {tuple(expected.shape)}"
    if found.is_complex() or (expected.is_floating_point() and not found.is_floating_point()):
        return "unusable", f"is {_dtype(found)}, the network needs {_dtype(expected)}"
    if found.is_floating_point() and not bool(torch.isfinite(found.float()).all()):
        return "unusable", "holds NaN or infinite values; the training diverged or the file is damaged"
    return None


def _is_plain(value: Any) -> bool:
    """Check for a tensor that holds one value for each place of its shape."""
    if not isinstance(value, torch.Tensor) or value.is_nested:
        return False
    return value.layout == torch.strided and not value.is_quantized and not value.is_meta


def _described(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return f"no tensor but {type(value).__name__}"
    if _is_plain(value):
        return str(tuple(value.shape))
    if value.is_meta:
        return "a meta tensor, without values"
    if value.is_quantized:
        return "a quantised tensor"
    return "a nested tensor" if value.is_nested else f"a sparse tensor ({str(value.layout).removeprefix('torch.')})"


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _cause(expected: Sequence[str], found: Sequence[str]) -> str:
    """Name the prefix of the entries, or the network or library that they are of, empty if neither is known."""
    prefix = next((name.removesuffix(end) for end in expected for name in found if name.endswith(f".{end}")), "")
    if prefix:
        wrapper = f", as {_WRAPPERS[prefix]} adds it" if prefix in _WRAPPERS else ""
        return f": its names start with {prefix!r}{wrapper}; save the state_dict of the network within"
    for pattern, writer in _OTHER_NETWORKS.items():
        if any(re.match(pattern, name.removeprefix("module.")) for name in found):
            return f": its names are those of {writer}; give a checkpoint of PySlowFast's X3D"
    return ""
