"""Load a PySlowFast checkpoint strictly."""

import pickle
from collections.abc import Mapping

import torch
from torch import nn

from x3d.errors import format_problems


def load_checkpoint(model: nn.Module, path: str) -> None:
    """Load a checkpoint's `model_state` into a model; it must have every entry of the model and no other.

    Only tensors and plain values are unpickled (`weights_only`).

    Raises:
        ValueError: no such file, not a checkpoint, or entries missing, unexpected or of another shape, all listed.
    """
    if not path:
        raise ValueError("no checkpoint given; set TEST.CHECKPOINT_FILE_PATH to a .pyth of PySlowFast's model zoo")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"checkpoint {path}: {error.strerror}; set TEST.CHECKPOINT_FILE_PATH") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        detail = (str(error) or repr(error)).splitlines()[0]
        raise ValueError(f"checkpoint {path} cannot be read as tensors: {detail}") from error
    state = content.get("model_state") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        found = f"keys {sorted(map(str, content))[:8]}" if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(f"checkpoint {path} holds {found}; expected a dict with model_state, as PySlowFast writes it")
    problems = state_problems(model, state)
    if problems:
        raise ValueError(
            f"checkpoint {path} does not fit the configured network; entries that differ: {len(problems)}\n"
            + format_problems(problems)
        )
    model.load_state_dict(state)


def state_problems(model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
    """List the entries in which a state dict differs from a model's, with both shapes."""
    expected = model.state_dict()

    def shape(tensors: Mapping[str, torch.Tensor], name: str) -> tuple[int, ...]:
        return tuple(getattr(tensors[name], "shape", ()))

    problems = [f"missing: {name} {shape(expected, name)}" for name in expected if name not in state]
    problems += [f"unexpected: {name} {shape(state, name)}" for name in state if name not in expected]
    problems += [
        f"shape: {name} is {shape(state, name)}, the network needs {shape(expected, name)}"
        for name in expected
        if name in state and shape(state, name) != shape(expected, name)
    ]
    return problems
