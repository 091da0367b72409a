"""Load a checkpoint of PySlowFast, pytorchvideo or mmaction2 strictly."""

import itertools
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from x3d.errors import MAX_LISTED_PROBLEMS, InputError, format_problems, shorten_list
from x3d.network.checkpoint_cfg import check_trained_cfg
from x3d.network.checkpoint_file import read_checkpoint
from x3d.network.checkpoint_weights import Weights, find_weights
from x3d.network.layouts import LAYOUTS, PYSLOWFAST, Layout, describe_depths, recognise_layout

logger = logging.getLogger(__name__)

AUTO = "auto"
_COUNTER = ".num_batches_tracked"
"""End of the names of what only a training reads."""
_OTHER_NETWORKS = {
    r"s\d_fuse\.|s\d\.pathway1": "a two-pathway network of PySlowFast",
    r"patch_embed\.|cls_token": "a vision transformer",
    r"layer1\.0\.": "a ResNet of torchvision's kind",
}
"""Names of entries -> what writes them."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a checkpoint file, and whose names they have."""

    weights: Weights
    layout: Layout


def open_checkpoint(path: str, layout: str = AUTO, entry: str = "") -> Checkpoint:
    """Read a checkpoint's weights and recognise their layout.

    Args:
        layout: a name of LAYOUTS, or auto; names that no layout has are taken for PySlowFast's.
        entry: of the checkpoint that contains the weights; empty: as find_weights chooses.
    Raises:
        InputError: as read_checkpoint and find_weights; or it has BatchNorm layers of sub-batches.
    """
    weights = find_weights(path, read_checkpoint(path), entry)
    split = [name for name in weights.state if ".split_bn." in name]
    if split:
        raise InputError(
            f"checkpoint {path} has the statistics of sub-batches ({shorten_list(split)}), which PySlowFast averages "
            "before it evaluates; save it with slowfast.utils.checkpoint.save_checkpoint after "
            "slowfast.utils.misc.aggregate_sub_bn_stats"
        )
    found = recognise_layout(weights.state) or PYSLOWFAST
    return Checkpoint(weights, found if layout == AUTO else LAYOUTS[layout])


def check_own_layout(checkpoint: Checkpoint) -> None:
    """Check that PySlowFast's code would read the same weights of a checkpoint: it ignores names that it does not know.

    Raises:
        InputError: they have another library's names, a wrapper, or are not in model_state.
    """
    weights, layout = checkpoint.weights, checkpoint.layout
    if layout != PYSLOWFAST or weights.entry != "model_state" or weights.wrapper:
        raise InputError(
            f"checkpoint {weights.path} has {weights} in the layout of {layout.library}; X3D_PTH2ONNX.BACKEND slowfast "
            "reads model_state in the layout of PySlowFast only: set X3D_PTH2ONNX.BACKEND native"
        )


def load_weights(model: nn.Module, checkpoint: Checkpoint, config: Mapping[str, Any] | None = None) -> None:
    """Fill a model with a checkpoint's weights; each entry fills one of the model's, and each of the model's is filled.

    The counters of BatchNorm, which an evaluation does not read, may be missing if all of them are.

    Args:
        model: built for the checkpoint's layout (Layout.adapt).
        config: as x3d.network.checkpoint_cfg.compared_config returns it, to compare with the checkpoint's own.
    Raises:
        InputError: another number of classes; trained with another configuration; or entries missing, unexpected, of
            another shape or unusable, all listed.
    """
    weights, layout, own = checkpoint.weights, checkpoint.layout, model.state_dict()
    expected = layout.to_entries(own)
    _check_classes(checkpoint, expected)
    check_trained_cfg(weights.path, weights.cfg, config or {})
    counters = [name for name in expected if name.endswith(_COUNTER)]
    has_counters = any(_COUNTER in name for name in weights.state)
    needed = expected if has_counters else {name: expected[name] for name in expected if name not in counters}
    problems = state_problems(needed, weights.state, {layout.entry_name(name): name for name in own})
    if problems:
        raise InputError(
            f"checkpoint {weights.path} does not fit the configured network{_cause(own, needed, checkpoint)}; "
            f"entries that differ: {len(problems)}\n{format_problems(problems)}"
        )
    model.load_state_dict(layout.from_entries(weights.state, own))
    _log(checkpoint, len(counters) if has_counters else 0, config or {})


def _log(checkpoint: Checkpoint, num_counters: int, config: Mapping[str, Any]) -> None:
    """Log layout, variant, what is ignored, and what else the published accuracy depends on."""
    weights, layout = checkpoint.weights, checkpoint.layout
    variant = describe_depths(layout.depths(weights.state))
    ignored = ", ".join([*weights.ignored, *([f"{num_counters} {_COUNTER[1:]}"] if num_counters else [])])
    logger.info(
        "%s: %s in the layout of %s, %s; ignored: %s",
        *(weights.path, weights, layout.library, variant, ignored or "nothing"),
    )
    std, keys = config.get("DATA.STD", []), []
    if layout.offset_sampling and not config.get("DATA.USE_OFFSET_SAMPLING", True):
        keys.append("DATA.USE_OFFSET_SAMPLING True")
    if layout.std and any(abs(value - layout.std) > 1e-6 for value in std):
        keys.append(f"DATA.STD [{','.join([f'{layout.std:.7f}'] * len(std))}]")
    if keys:
        logger.info("%s publishes accuracies of views made with %s", layout.library, " ".join(keys))


def _check_classes(checkpoint: Checkpoint, expected: Mapping[str, torch.Tensor]) -> None:
    """Compare the number of classes, with which only the last layer varies."""
    names = [checkpoint.layout.entry_name(f"head.projection.{leaf}") for leaf in ("weight", "bias")]
    weight, bias = (checkpoint.weights.state.get(name) for name in names)
    if weight is None or bias is None or not (_is_plain(weight) and _is_plain(bias)):
        return
    num_classes, (configured, width) = bias.numel(), expected[names[0]].shape
    if weight.shape == (num_classes, width) and num_classes != configured:
        raise InputError(
            f"checkpoint {checkpoint.weights.path} is of {num_classes} classes, MODEL.NUM_CLASSES is {configured}: set "
            f"MODEL.NUM_CLASSES {num_classes}"
        )


def state_problems(
    expected: Mapping[str, torch.Tensor], state: Mapping[str, Any], own_names: Mapping[str, str] | None = None
) -> list[str]:
    """List the entries in which a state differs from a model's, of every kind of difference some among the first.

    Args:
        own_names: an expected name -> the model's own, shown beside it where they differ.
    """

    def shown(name: str) -> str:
        own = (own_names or {}).get(name, name)
        return name if own == name else f"{name} (the network's {own})"

    missing = [f"missing: {shown(name)} {tuple(expected[name].shape)}" for name in expected if name not in state]
    unexpected = [f"unexpected: {name} {_described(state[name])}" for name in state if name not in expected]
    others = [
        f"{problem[0]}: {shown(name)} {problem[1]}"
        for name in expected
        if name in state and (problem := _entry_problem(name, expected[name], state[name]))
    ]
    mixed = [text for texts in itertools.zip_longest(others, missing, unexpected) for text in texts if text]
    return sorted(mixed[:MAX_LISTED_PROBLEMS]) + mixed[MAX_LISTED_PROBLEMS:]


def _entry_problem(name: str, expected: torch.Tensor, found: Any) -> tuple[str, str] | None:
    """Describe what keeps a value from being an entry of the network: the kind of problem and the detail."""
    if not _is_plain(found):
        return "unusable", f"is {_described(found)}, the network needs a plain tensor of {_dtype(expected)}"
    if found.shape != expected.shape:
        return "shape", f"is {tuple(found.shape)}, the network needs {tuple(expected.shape)}"
    if found.is_complex() or (expected.is_floating_point() and not found.is_floating_point()):
        return "unusable", f"is {_dtype(found)}, the network needs {_dtype(expected)}"
    if found.is_floating_point() and not bool(torch.isfinite(found.float()).all()):
        return "unusable", "holds NaN or infinite values; the training diverged or the file is damaged"
    if name.endswith(".running_var") and bool((found < 0).any()):
        return "unusable", "holds variances below 0; the file is damaged"
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


def _cause(own: Iterable[str], expected: Mapping[str, torch.Tensor], checkpoint: Checkpoint) -> str:
    """Name the prefix of the entries, the layout, network or depths that they are of, empty if none is known."""
    found, layout = checkpoint.weights.state, checkpoint.layout
    if nested := [name for name, value in found.items() if isinstance(value, Mapping)]:
        return f": {checkpoint.weights} holds {shorten_list(nested)}, not tensors; save that alone as model_state"
    if prefix := _prefix(own, found):
        others = [name for name in found if not name.startswith(prefix)]
        beside = f", beside others such as {others[0]}" if others else ""
        return f": its names start with {prefix!r}{beside}; save the state_dict of the network within"
    for pattern, writer in _OTHER_NETWORKS.items():
        if any(re.match(pattern, name) for name in found):
            return f": its names are those of {writer}; give a checkpoint of X3D"
    recognised = recognise_layout(found)
    if recognised and recognised != layout:
        return f": its names are those of {recognised.library}; set X3D_PTH2ONNX.LAYOUT {AUTO} or {recognised.name}"
    depths, wanted = layout.depths(found), layout.depths(expected)
    if depths and depths != wanted:
        return f": it is {describe_depths(depths)}, --cfg configures {describe_depths(wanted)}"
    return ""


def _prefix(own: Iterable[str], found: Iterable[str]) -> str:
    """Find what stands before a name of any layout, empty if nothing does."""
    names = {layout.entry_name(name) for layout in LAYOUTS.values() for name in own}
    ends = ((name, dot.end()) for name in found for dot in re.finditer(r"\.", name))
    return next((name[:start] for name, start in ends if name[start:] in names), "")
