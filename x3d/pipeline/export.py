"""Export a checkpoint to ONNX and check the file against it."""

import copy
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from x3d.errors import RunError
from x3d.network.checkpoint import load_checkpoint
from x3d.network.export import Difference, check_parity, fold_batch_norm, write_onnx
from x3d.network.model import X3D, Architecture
from x3d.video.transform import view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportSettings:
    """What to export, and how.

    Attributes:
        view_shape: (3, T, C, C), of one view.
        batch_size: 0: dynamic.
        tolerance: largest absolute difference from the checkpoint's outputs that passes.
        slowfast_cfg: build the network with PySlowFast, which takes its whole configuration.
    """

    checkpoint: str
    output_path: str
    architecture: Architecture
    view_shape: tuple[int, ...]
    opset: int = 11
    batch_size: int = 0
    tolerance: float = 1e-5
    slowfast_cfg: "CfgNode | None" = None

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "ExportSettings":
        """Read the keys that decide an export."""
        options = cfg.X3D_PTH2ONNX
        return cls(
            checkpoint=options.CHECKPOINT_FILE_PATH or cfg.TEST.CHECKPOINT_FILE_PATH,
            output_path=options.ONNX_OUTPUT_PATH,
            architecture=Architecture.from_cfg(cfg),
            view_shape=view_shape(cfg),
            opset=options.OPSET,
            batch_size=options.BATCH_SIZE,
            tolerance=options.TOLERANCE,
            slowfast_cfg=cfg if options.BACKEND == "slowfast" else None,
        )


@dataclass(frozen=True)
class ExportResult:
    """An export, and how far its outputs are from the checkpoint's.

    Attributes:
        path: of the .onnx, which exists only if the export passed.
        differences: one per engine and batch size.
    """

    path: str
    num_parameters: int
    differences: Sequence[Difference]
    tolerance: float

    @property
    def passed(self) -> bool:
        """Check whether every difference is within the tolerance; NaN is not."""
        return all(difference.largest <= self.tolerance for difference in self.differences)


def export_checkpoint(settings: ExportSettings) -> ExportResult:
    """Write a checkpoint as ONNX under its name if the file computes what the checkpoint does.

    An earlier file of that name is removed in any case.

    Raises:
        ValueError: no output file or no folder for it is given, or the checkpoint does not fit; nothing is changed.
        RunError: the network cannot be written as ONNX, or an engine cannot run it; no file is left.
    """
    _check_output(settings.output_path)
    model = _load_model(settings)
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    logger.info("%s fits, %.3f M parameters", settings.checkpoint, num_parameters / 1e6)
    folded = copy.deepcopy(model)
    fold_batch_norm(folded)
    Path(settings.output_path).unlink(missing_ok=True)
    with _partial_file(settings.output_path) as partial:
        try:
            differences = _write_and_compare(model, folded, partial, settings)
        except ValueError as error:
            raise RunError(str(error)) from error
        result = ExportResult(settings.output_path, num_parameters, differences, settings.tolerance)
        if result.passed:
            os.replace(partial, settings.output_path)
    return result


def _write_and_compare(model: nn.Module, folded: nn.Module, path: str, settings: ExportSettings) -> list[Difference]:
    write_onnx(folded, path, settings.view_shape, settings.opset, settings.batch_size)
    differences = []
    for difference in check_parity(model, path, settings.view_shape, settings.batch_size):
        logger.info(
            "%s, batch %d: largest difference %.2e", difference.engine, difference.batch_size, difference.largest
        )
        differences.append(difference)
    return differences


def _check_output(path: str) -> None:
    if not path.endswith(".onnx"):
        raise ValueError(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH is {path!r}; give the .onnx file to write")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise ValueError(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH {path}: the folder {folder} does not exist; create it first")


@contextmanager
def _partial_file(path: str) -> Iterator[str]:
    partial = f"{path}.partial.onnx"
    try:
        yield partial
    finally:
        Path(partial).unlink(missing_ok=True)


def _load_model(settings: ExportSettings) -> nn.Module:
    """Build the network in eval mode and fill it with the checkpoint."""
    if settings.slowfast_cfg is not None:
        from x3d.slowfast import load_reference_model

        return load_reference_model(settings.slowfast_cfg, settings.checkpoint)
    model = X3D(settings.architecture).eval()
    load_checkpoint(model, settings.checkpoint)
    return model
