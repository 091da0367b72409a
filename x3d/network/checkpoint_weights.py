"""Find the weights among what a checkpoint holds, without what wraps their names."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from x3d.errors import InputError, counted, shorten_list
from x3d.network.checkpoint_file import EXPECTED

logger = logging.getLogger(__name__)

_MAIN = ("model_state", "state_dict")
"""PySlowFast's and pytorchvideo's entry; mmaction2's and Lightning's."""
_AVERAGED = ("ema_state", "ema_state_dict", "model_ema", "state_dict_ema")
_WRAPPERS = ("module.", "_orig_mod.", "model.")
"""Of DistributedDataParallel; of torch.compile; of a module that contains the network as `model`."""
_MAX_WRAPPERS = 4
_COUNTERS = ("steps", "n_averaged")
"""Of mmengine's and torch's averaged models: the number of updates."""


@dataclass(frozen=True)
class Weights:
    """The weights of a checkpoint.

    Attributes:
        entry: of the checkpoint that contains them; empty: they are all it contains.
        wrapper: removed from the start of every name.
        state: the values by name.
        ignored: what else there is, as texts.
        cfg: the configuration that PySlowFast stores with them, or None.
    """

    path: str
    entry: str
    wrapper: str
    state: Mapping[str, Any]
    ignored: Sequence[str]
    cfg: object = None

    def __str__(self) -> str:
        where = self.entry or "tensors"
        return f"{where}, names without {self.wrapper!r}," if self.wrapper else where


def find_weights(path: str, content: Mapping[str, Any], entry: str = "") -> Weights:
    """Choose the entry with the weights, and remove wrappers and what averaging adds.

    Args:
        content: of a checkpoint file.
        entry: to take the weights from; empty: model_state or state_dict, averaged weights alone, or bare tensors.
    Raises:
        InputError: no such weights, or names that are no text.
    """
    entry = entry or next((name for name in (*_MAIN, *_AVERAGED) if _is_state(content.get(name))), "")
    state = content.get(entry) if entry else content
    if not isinstance(state, Mapping) or not (_is_state(state) if entry else _is_bare(content)):
        raise InputError(_no_weights(path, content, entry))
    unnamed = [repr(name) for name in state if not isinstance(name, str)]
    if unnamed:
        raise InputError(f"checkpoint {path} has weights whose names are no text: {shorten_list(unnamed)}")
    others = _others(path, content, entry) if entry else []
    counters = [name for name in _COUNTERS if _is_scalar(state.get(name))]
    wrapper, state = _unwrap({name: value for name, value in state.items() if name not in counters})
    state, copies = _without_copies(state)
    if copies:
        others.append(f"{counted(copies, 'ema_ buffer')} (mmcv's weights before averaging)")
    cfg = content.get("cfg") if entry else None
    return Weights(path, entry, wrapper, state, [*others, *counters], cfg)


def _is_state(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


def _is_bare(content: Mapping[str, Any]) -> bool:
    return bool(content) and all(isinstance(value, torch.Tensor) for value in content.values())


def _is_scalar(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() == 0


def _no_weights(path: str, content: Mapping[str, Any], entry: str) -> str:
    keys = shorten_list(sorted(str(name) for name in content))
    if entry:
        return f"checkpoint {path} has no weights in X3D_PTH2ONNX.WEIGHTS {entry!r}; its entries: {keys}"
    if not content:
        return f"checkpoint {path} is an empty dict; expected {EXPECTED}"
    return (
        f"checkpoint {path} has the entries {keys}; expected {EXPECTED}, or X3D_PTH2ONNX.WEIGHTS with the entry's name"
    )


def _others(path: str, content: Mapping[str, Any], entry: str) -> list[str]:
    """Name the other entries, first other weights; log a warning of those that may be meant."""
    others = [str(name) for name in content if name not in (entry, "cfg")]
    weights = [name for name in (*_MAIN, *_AVERAGED) if name in others and _is_state(content[name])]
    listed = [name for name in others if name not in weights]
    if entry == "state_dict" and "ema_state_dict" in weights and "steps" in content["ema_state_dict"]:
        weights.remove("ema_state_dict")
        listed.insert(0, "ema_state_dict (mmengine's weights before averaging)")
    for name in weights:
        logger.warning(
            "checkpoint %s has weights in %s and %s: those of %s are exported; for the others set X3D_PTH2ONNX.WEIGHTS "
            "%s",
            *(path, entry, name, entry, name),
        )
    return [shorten_list([*weights, *listed])] if others else []


def _unwrap(state: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Remove the wrappers that all names start with."""
    wrapper = ""
    for _ in range(_MAX_WRAPPERS if state else 0):
        found = next((prefix for prefix in _WRAPPERS if all(name.startswith(prefix) for name in state)), "")
        wrapper += found
        state = {name.removeprefix(found): value for name, value in state.items()}
    return wrapper, state


def _without_copies(state: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
    """Remove the buffers in which mmcv's EMAHook keeps a copy of each parameter."""
    copies = {f"ema_{name.replace('.', '_')}" for name in state} & state.keys()
    return {name: value for name, value in state.items() if name not in copies}, len(copies)
