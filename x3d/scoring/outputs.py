"""Check that the outputs of a model are scores of classes, and turn logits into probabilities."""

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

SUM_TOLERANCE = 0.01
"""Largest distance from 1 of the sum of 400 probabilities that were computed in float16."""
LARGEST = 1 + 2**-10
"""Largest probability: 1 and the rounding of float16."""
SOFTMAX_KEY = "X3D_POSTPROCESS.SOFTMAX"
ADVICE = f"set {SOFTMAX_KEY} True if they are logits or log-probabilities"


class Outputs(StrEnum):
    """What a model returns for a view."""

    SOFTMAX = "softmax"
    """Probabilities whose sum is 1."""
    SIGMOID = "sigmoid"
    """A probability per class."""
    LOGITS = "logits"
    """Any numbers; a softmax is applied to them before views are aggregated."""

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "Outputs":
        """Read X3D_POSTPROCESS.SOFTMAX and, without it, the activation that the model was exported with."""
        return cls.LOGITS if cfg.X3D_POSTPROCESS.SOFTMAX else cls(cfg.MODEL.HEAD_ACT)


def find_unusable(rows: np.ndarray, outputs: Outputs) -> np.ndarray:
    """Find the rows that are not what a model should return.

    Args:
        rows: (n, num_classes) float32.
    Returns:
        (n,) bool.
    """
    low, high = rows.min(axis=1), rows.max(axis=1)
    usable: np.ndarray = (low >= 0) & (high <= LARGEST)
    if outputs is Outputs.SIGMOID:
        usable &= low < high
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            usable &= np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE
    if outputs is Outputs.LOGITS:
        usable = (low < high) & np.isfinite(low) & np.isfinite(high) & ~usable
    return ~usable


def explain_unusable(row: np.ndarray, outputs: Outputs) -> str:
    """Explain why a row is unusable: the end of a sentence that begins with its file or model.

    Args:
        row: (num_classes,) float32.
    """
    if not np.isfinite(row).all():
        return "holds scores that are not finite (NaN or infinity)"
    if outputs is Outputs.LOGITS and row.min() < row.max():
        return f"holds probabilities already; set {SOFTMAX_KEY} False"
    cause = "holds the same score for every class"
    if outputs is Outputs.LOGITS:
        return cause
    if row.min() < row.max():
        cause = "holds scores that are not probabilities (each from 0 to 1"
        cause += ", with the sum 1)" if outputs is Outputs.SOFTMAX else ")"
    return f"{cause}; {ADVICE}"


def to_probabilities(rows: np.ndarray, outputs: Outputs) -> np.ndarray:
    """Apply a softmax to logits, in float32; probabilities are returned as they are.

    Args:
        rows: (n, num_classes) float32.
    """
    if outputs is not Outputs.LOGITS:
        return rows
    with np.errstate(over="ignore"):
        powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def are_alike(rows: np.ndarray) -> bool:
    """Check whether several rows are equal, as those of a model that ignores its input."""
    return len(rows) > 1 and bool((rows == rows[0]).all())
