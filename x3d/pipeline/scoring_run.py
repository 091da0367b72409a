"""From a folder to the accuracy: the one place that scores.

A folder of results (one file a view) and a folder of x3d_evaluate.py (one row a video) come to the same table of
joined scores, and from there to the same line.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail
from x3d.dataset.annotations import list_path, read_list
from x3d.dataset.naming import views_per_video
from x3d.errors import format_problems
from x3d.scoring.accuracy import Audit, audit_views, count_top_k, join_views, majority_labels, percent, stats
from x3d.scoring.table import ScoreTable
from x3d.storage.ais_bench_summary import read_summaries
from x3d.storage.result_folder import Result, ScoreReader, find_results

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.slowfast import ReferenceMeter

logger = logging.getLogger(__name__)

TOP_K = (1, 5)


def score_table(cfg: "CfgNode", folder: str, table: ScoreTable) -> int:
    """Print the line of a table, or say why not; counts and conditions go to stderr and to a file beside the folder.

    Returns:
        The exit status.
    """
    faults = table.faults + ([] if cfg.X3D_POSTPROCESS.ALLOW_MISSING else table.missing)
    if faults:
        return fail(f"{folder} is not scored, {len(faults)} faults:\n{format_problems(faults)}", EXIT_INCOMPLETE)
    if not len(table.labels):
        return fail(f"{folder} is not scored: no video has all its views", EXIT_INCOMPLETE)
    scored, listed = len(table.labels), len(table.labels) + len(table.incomplete)
    correct = {k: count_top_k(table.scores, table.labels, k) for k in TOP_K}
    line = table.reference_line or stats(correct, scored)
    for k, count in correct.items():
        logger.info("top-%d: %d of %d videos scored, %s %%", k, count, scored, percent(count, scored))
        if listed > scored:
            logger.warning("top-%d: %d of %d videos listed, %s %%", k, count, listed, percent(count, listed))
    details = {
        **line,
        "correct": {f"top{k}": count for k, count in correct.items()},
        "videos_scored": scored,
        "videos_listed": listed,
        "of_listed": {f"top{k}_acc": percent(count, listed) for k, count in correct.items()},
        "incomplete_videos": table.incomplete,
        "missing": table.missing,
        "expected_by": table.source,
        "conditions": table.conditions,
    }
    path = os.path.abspath(folder) + "_accuracy.json"
    try:
        Path(path).write_text(json.dumps(details, indent=1))
        logger.info("counts and conditions are in %s", path)
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error.strerror)
    print(json.dumps(line), flush=True)
    return EXIT_INCOMPLETE if table.incomplete else EXIT_DONE


def read_results(cfg: "CfgNode", folder: str) -> ScoreTable:
    """Read and join a folder of results, one file a view.

    Raises:
        ValueError: there is no such folder, or nothing in it.
    """
    results, foreign = find_results(folder)
    if not results:
        raise ValueError(f"{folder} holds no results: files <view>_<label>_0 ending in .bin, .npy or .txt")
    num_views = views_per_video(cfg)
    views = np.array([result.view for result in results])
    labels = np.array([result.label for result in results])
    expected, expected_labels, source = _expected_views(cfg, folder, views, labels)
    audit = audit_views(views, labels, expected, expected_labels, num_views)
    logger.info("%s expects %d views; found %d in %s", source, len(expected), len(results), folder)
    _warn_of_holes(source, expected // num_views)

    faults = [f"{name} is not a view's result" for name in foreign] + audit.faults
    faults += [
        f"view {views[at]} has label {labels[at]}; MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}"
        for at in np.flatnonzero(labels >= cfg.MODEL.NUM_CLASSES)
    ]
    missing = _missing_views(audit, num_views)
    meter = _reference_meter(cfg, len(audit.complete))
    scores = np.zeros((0, cfg.MODEL.NUM_CLASSES), dtype=np.float32)
    if not faults and (not missing or cfg.X3D_POSTPROCESS.ALLOW_MISSING):
        scores, faults = _join_results(cfg, results, views, audit, meter)
    labels = labels[np.searchsorted(views, audit.complete * num_views)] if len(scores) else labels[:0]
    line = meter.stats(TOP_K) if meter and len(scores) else None
    return ScoreTable(scores, labels, source, _conditions(cfg), audit.incomplete.tolist(), missing, faults, line)


def _conditions(cfg: "CfgNode") -> dict[str, Any]:
    return {
        "DATA.ENSEMBLE_METHOD": cfg.DATA.ENSEMBLE_METHOD,
        "MODEL.NUM_CLASSES": cfg.MODEL.NUM_CLASSES,
        "TEST.NUM_ENSEMBLE_VIEWS": cfg.TEST.NUM_ENSEMBLE_VIEWS,
        "TEST.NUM_SPATIAL_CROPS": cfg.TEST.NUM_SPATIAL_CROPS,
    }


def _reference_meter(cfg: "CfgNode", num_videos: int) -> "ReferenceMeter | None":
    """Make PySlowFast's meter when X3D_POSTPROCESS.BACKEND asks for it."""
    if cfg.X3D_POSTPROCESS.BACKEND != "slowfast":
        return None
    from x3d.slowfast import ReferenceMeter

    return ReferenceMeter(cfg, num_videos)


def _expected_views(
    cfg: "CfgNode", folder: str, views: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """Find out which views there should be.

    Returns:
        Their numbers and labels, sorted, and who says so.
    """
    num_views = views_per_video(cfg)
    if cfg.DATA.PATH_TO_DATA_DIR:
        said = np.repeat([video.label for video in read_list(cfg)], num_views)
        return np.arange(len(said)), said, str(list_path(cfg))
    summary = read_summaries(folder)
    if summary:
        numbers = np.array(sorted(summary))
        said = majority_labels(numbers, np.array([summary[view] for view in numbers]), num_views)
        return numbers, said, "the summary"
    num_videos = int(views.max()) // num_views + 1
    if num_videos > len(views):
        raise ValueError(
            f"the results name video {num_videos - 1} and are only {len(views)}; set DATA.PATH_TO_DATA_DIR, so that "
            "the list says which views there should be"
        )
    numbers = np.arange(num_videos * num_views)
    said = np.full(len(numbers), -1)
    said[views] = majority_labels(views, labels, num_views)
    return numbers, said, f"the highest view found, {views.max()},"


def _warn_of_holes(source: str, videos: np.ndarray) -> None:
    holes = np.setdiff1d(np.arange(videos[-1]), videos)
    if len(holes):
        logger.warning("%s leaves out %d videos before its last, such as video %d", source, len(holes), holes[0])


def _missing_views(audit: Audit, num_views: int) -> list[str]:
    """Name the missing views, one text a video."""
    if not len(audit.incomplete):
        return []
    texts = []
    starts = np.searchsorted(audit.missing, audit.incomplete * num_views)
    for video, gone in zip(audit.incomplete, np.split(audit.missing, starts[1:]), strict=True):
        names = " ".join(map(str, gone)) if len(gone) < num_views else f"all {num_views}"
        texts.append(f"video {video} lacks views: {names} (X3D_POSTPROCESS.ALLOW_MISSING True goes on without it)")
    return texts


def _join_results(
    cfg: "CfgNode", results: Sequence[Result], views: np.ndarray, audit: Audit, meter: "ReferenceMeter | None"
) -> tuple[np.ndarray, list[str]]:
    """Read and join the views of each complete video.

    Returns:
        (n, num_classes) float32 in the order of audit.complete, and the files that cannot be used.
    """
    num_views = views_per_video(cfg)
    reader = ScoreReader(num_views, cfg.MODEL.NUM_CLASSES)
    joined = np.zeros((len(audit.complete), cfg.MODEL.NUM_CLASSES), dtype=np.float32)
    faults = []
    starts = np.searchsorted(views, audit.complete * num_views)
    for video, start in enumerate(tqdm(starts, desc="videos", unit="video", disable=None)):
        of_video = results[start : start + num_views]
        faults += reader.read(of_video)
        if meter:
            joined[video] = meter.join(video, reader.rows, of_video[0].label)
        else:
            joined[video] = join_views(reader.rows, cfg.DATA.ENSEMBLE_METHOD)
    return joined, faults
