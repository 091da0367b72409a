"""Export a checkpoint to ONNX and check the file against it."""

import copy
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from x3d.errors import InputError, RunError, cause_of, is_out_of_memory
from x3d.files import HEAD_BYTES, open_regular
from x3d.network.checkpoint import AUTO, load_weights, open_checkpoint
from x3d.network.checkpoint_cfg import compared_config
from x3d.network.export import Difference, check_parity, export_onnx, fold_batch_norm, is_exported
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import ModelFile
from x3d.storage.atomic import replace_file, write_all
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
        compared_config: keys to compare with the checkpoint's own configuration, with their values.
        layout: whose names the tensors have; auto: recognised.
        weights: entry of the checkpoint that contains them; empty: chosen.
    """

    checkpoint: str
    output_path: str
    architecture: Architecture
    view_shape: tuple[int, ...]
    opset: int = 11
    batch_size: int = 0
    tolerance: float = 1e-5
    slowfast_cfg: "CfgNode | None" = None
    compared_config: Mapping[str, Any] = field(default_factory=dict)
    layout: str = AUTO
    weights: str = ""

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
            compared_config=compared_config(cfg),
            layout=options.LAYOUT,
            weights=options.WEIGHTS,
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

    An earlier export of that name is removed first, so that whatever fails leaves none that looks current.

    Raises:
        InputError: no output file or no folder for it is given, or it is another kind of file: nothing is changed;
            or the checkpoint does not fit: no file is left.
        RunError: the network cannot be converted to ONNX, or an engine cannot run it; no file is left.
        OSError: the file cannot be written; none is left.
    """
    _check_output(settings.output_path)
    path = Path(settings.output_path)
    path.unlink(missing_ok=True)
    model = _load_model(settings)
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    logger.info("%s fits, %.3f M parameters", settings.checkpoint, num_parameters / 1e6)
    folded = copy.deepcopy(model)
    fold_batch_norm(folded)
    try:
        exported = export_onnx(folded, settings.view_shape, settings.opset, settings.batch_size)
        differences = _compare(model, ModelFile(settings.output_path, exported, b"", ""), settings)
    except InputError as error:
        raise RunError(f"{settings.output_path} is not written: {error}") from error
    result = ExportResult(settings.output_path, num_parameters, differences, settings.tolerance)
    if result.passed:
        with replace_file(path) as file:
            write_all(file.fileno(), exported)
    return result


def _compare(model: nn.Module, exported: ModelFile, settings: ExportSettings) -> list[Difference]:
    differences = []
    for difference in check_parity(model, exported, settings.view_shape, settings.batch_size):
        logger.info(
            "%s, batch size %d: largest difference %.2e", difference.engine, difference.batch_size, difference.largest
        )
        differences.append(difference)
    return differences


def _check_output(path: str) -> None:
    if not path.endswith(".onnx"):
        raise InputError(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH is {path!r}; give the .onnx file to write")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise InputError(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH {path}: the folder {folder} does not exist; create it first")
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
        raise InputError(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH {path} cannot be written; give another file")
    if not _may_replace(path):
        raise InputError(
            f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH {path} is no file that x3d_pth2onnx.py wrote; remove it, or give another"
        )


def _may_replace(path: str) -> bool:
    """Check that a path is free, a link, empty or an export, by its first bytes: the rest may be damaged."""
    if os.path.islink(path):
        return True  # the link is removed, not what it names
    try:
        with open_regular(path) as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not head or is_exported(head)


def _load_model(settings: ExportSettings) -> nn.Module:
    """Build the network in eval mode and fill it with the checkpoint."""
    if settings.slowfast_cfg is not None:
        from x3d.slowfast import load_reference_model

        return load_reference_model(settings.slowfast_cfg, settings.checkpoint)
    checkpoint = open_checkpoint(settings.checkpoint, settings.layout, settings.weights)
    model = _build(checkpoint.layout.adapt(settings.architecture))
    load_weights(model, checkpoint, settings.compared_config)
    return model


def _build(architecture: Architecture) -> nn.Module:
    try:
        return X3D(architecture).eval()
    except (ValueError, RuntimeError, TypeError, OverflowError) as error:
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"the configured network cannot be built: {cause_of(error)}; check the keys of MODEL, X3D and RESNET"
        ) from error
