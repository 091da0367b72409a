"""Score a folder: of results, one file per view, or of x3d_evaluate.py, one row per video."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from x3d.dataset.annotations import UNLABELLED, Video, list_path, read_list
from x3d.dataset.class_names import ClassNames
from x3d.errors import InputError
from x3d.pipeline.result_table import aggregate_results, audit_results
from x3d.scoring import Accuracy, ScoreTable, aggregate_views, measure_accuracy
from x3d.scoring.accuracy import TOP_K
from x3d.scoring.aggregate import SUM
from x3d.scoring.outputs import Outputs
from x3d.storage.evaluation_folder import is_eval_folder
from x3d.storage.evaluation_rows import read_rows
from x3d.storage.expected_list import ExpectedList
from x3d.storage.record_reader import read_record

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoringSettings:
    """How the views of a run are aggregated and which videos are expected; the defaults are X3D's.

    Attributes:
        listed: None: the expected videos come from the folder.
        allow_missing: score the complete videos although others are incomplete.
        slowfast_cfg: aggregate and count with PySlowFast's meter, which takes its whole configuration.
        outputs: what the model returns.
        class_names: of all classes, to recognise a list in another order; None if unknown.
    """

    num_classes: int = 400
    num_clips: int = 10
    num_crops: int = 3
    ensemble_method: str = "sum"
    listed: ExpectedList | None = None
    allow_missing: bool = False
    slowfast_cfg: "CfgNode | None" = None
    outputs: Outputs = Outputs.SOFTMAX
    class_names: Sequence[str] | None = None

    @classmethod
    def from_cfg(cls, cfg: "CfgNode", videos: Sequence[Video] | None = None) -> "ScoringSettings":
        """Read the keys that decide the scoring, the class names, and the list if DATA.PATH_TO_DATA_DIR names one.

        Args:
            videos: the list, if it was read already.
        Raises:
            InputError: the list or the class names cannot be read.
        """
        if videos is None and cfg.DATA.PATH_TO_DATA_DIR:
            videos = read_list(cfg)
        return cls(
            num_classes=cfg.MODEL.NUM_CLASSES,
            num_clips=cfg.TEST.NUM_ENSEMBLE_VIEWS,
            num_crops=cfg.TEST.NUM_SPATIAL_CROPS,
            ensemble_method=cfg.DATA.ENSEMBLE_METHOD,
            listed=ExpectedList.of_videos(videos, str(list_path(cfg))) if videos else None,
            allow_missing=cfg.X3D_POSTPROCESS.ALLOW_MISSING,
            slowfast_cfg=cfg if cfg.X3D_POSTPROCESS.BACKEND == "slowfast" else None,
            outputs=Outputs.from_cfg(cfg),
            class_names=ClassNames.from_cfg(cfg).names,
        )

    @property
    def num_views(self) -> int:
        """Views per video."""
        return self.num_clips * self.num_crops


DEFAULTS = ScoringSettings()


def score_folder(folder: str, settings: ScoringSettings = DEFAULTS) -> Accuracy:
    """Compute the accuracy of a folder of results, or of rows of x3d_evaluate.py.

    Raises:
        InputError: no such folder, or it contradicts the settings.
        ScoringError: views or videos are missing, unexpected or unusable.
    """
    return measure_accuracy(read_table(folder, settings), settings.allow_missing, settings.class_names)


def read_table(folder: str, settings: ScoringSettings = DEFAULTS) -> ScoreTable:
    """Read the scores of a folder of results, or of rows of x3d_evaluate.py.

    Of a folder of results nothing is read if it has problems, or misses views and `allow_missing` is False.

    Raises:
        InputError: no such folder, or it contradicts the settings.
    """
    return (_read_rows if is_eval_folder(folder) else _read_results)(folder, settings)


def _read_rows(folder: str, settings: ScoringSettings) -> ScoreTable:
    if settings.slowfast_cfg is not None:
        raise InputError(
            f"{folder} holds aggregated scores, and PySlowFast's meter takes those of views: set "
            "X3D_POSTPROCESS.BACKEND native"
        )
    return read_rows(folder, settings.num_classes, settings.ensemble_method, settings.listed, settings.outputs)


def _warn_without_record(folder: str, listed: ExpectedList | None) -> list[str]:
    """Warn about what cannot be checked of results without a summary, and list it."""
    unchecked = ["values", "provenance", *([] if listed else ["completeness"])]
    logger.warning(
        "%s has no summary beside it, so these are not checked: %s%s",
        *(folder, ", ".join(unchecked), "" if listed else "; set DATA.PATH_TO_DATA_DIR to expect every listed video"),
    )
    return unchecked


def _read_results(folder: str, settings: ScoringSettings) -> ScoreTable:
    num_views, num_classes = settings.num_views, settings.num_classes
    keys = {
        "TEST.NUM_ENSEMBLE_VIEWS": settings.num_clips,
        "TEST.NUM_SPATIAL_CROPS": settings.num_crops,
        "MODEL.NUM_CLASSES": num_classes,
    }
    record = read_record(folder) if os.path.isdir(folder) else None
    if record:
        record.check_keys(keys)
        if settings.listed:
            record.check_list(settings.listed)
    audited = audit_results(folder, num_views, num_classes, settings.listed, record)
    conditions = {
        **keys,
        "DATA.ENSEMBLE_METHOD": settings.ensemble_method,
        "outputs": str(settings.outputs),
        "provenance": dict(record.provenance or {"views": record.views}) if record else {},
        "not_checked": record.unchecked() if record else _warn_without_record(folder, settings.listed),
    }
    meter = None
    if settings.slowfast_cfg is not None:
        from x3d.slowfast import ReferenceMeter

        is_labelled = audited.listed_labels[audited.videos] != UNLABELLED
        meter = ReferenceMeter(settings.slowfast_cfg, int(is_labelled.sum()))

    def aggregate(views: np.ndarray, label: int) -> np.ndarray:
        if meter is None or label == UNLABELLED:
            return aggregate_views(views, settings.ensemble_method)
        return meter.aggregate(views, label)

    with_means = settings.ensemble_method != SUM
    table = aggregate_results(
        audited, num_views, num_classes, aggregate, settings.allow_missing, settings.outputs, with_means
    )
    line = meter.final_line(TOP_K) if meter and table.labelled.any() and not table.problems else None
    sources = record.sources_of(table.videos) if record and record.sources else None
    return dataclasses.replace(table, sources=sources, conditions=conditions, reference_line=line)
