"""Score a folder of results: top-1 and top-5 accuracy.

Results of `python -m ais_bench` or `x3d_infer.py`, one file a view -> the accuracy as a JSON line on stdout, and
counts and conditions in `<folder>_accuracy.json`.

    python x3d_postprocess.py --cfg configs/X3D_S.yaml X3D_POSTPROCESS.OM_OUTPUT_PATH result_bs8

The videos of DATA.PATH_TO_DATA_DIR's test.csv are expected when it is given; else what the summary beside the folder
names; else videos 0 to the last one found.
"""

import argparse
import json
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail, script_main

if TYPE_CHECKING:
    import numpy as np
    from fvcore.common.config import CfgNode

    from x3d.reference import ReferenceMeter
    from x3d.results import Result
    from x3d.scoring import Audit

logger = logging.getLogger("x3d_postprocess")

TOP_K = (1, 5)


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Audit the folder, score its videos and print the line."""
    if not cfg.X3D_POSTPROCESS.ENABLE:
        logger.info("X3D_POSTPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE
    import numpy as np

    from x3d.annotations import shorten, views_per_video
    from x3d.results import find_results
    from x3d.scoring import audit_views

    folder = cfg.X3D_POSTPROCESS.OM_OUTPUT_PATH
    results, foreign = find_results(folder)
    if not results:
        return fail(f"{folder} holds no results: files <view>_<label>_0 ending in .bin, .npy or .txt")
    views = np.array([result.view for result in results])
    labels = np.array([result.label for result in results])
    expected, expected_labels, source = expected_views(cfg, views, labels)
    audit = audit_views(views, labels, expected, expected_labels, views_per_video(cfg))
    logger.info("%s expects %d views; found %d in %s", source, len(expected), len(results), folder)

    faults = [f"{name} is not a view's result" for name in foreign] + audit.faults
    faults += [
        f"view {view} has label {label}; MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}"
        for view, label in zip(views, labels, strict=True)
        if label >= cfg.MODEL.NUM_CLASSES
    ]
    holes = np.setdiff1d(np.arange(expected[-1] // views_per_video(cfg)), expected // views_per_video(cfg))
    if len(holes):
        logger.warning("%s leaves out %d videos before its last, such as video %d", source, len(holes), holes[0])
    faults += [] if cfg.X3D_POSTPROCESS.ALLOW_MISSING else missing_views(audit, views_per_video(cfg))
    if not faults:
        meter = reference_meter(cfg, len(audit.complete))
        scores, faults = join_results(cfg, results, views, audit, meter)
    if faults:
        return fail(f"{folder} is not scored, {len(faults)} faults:\n{shorten(faults)}", EXIT_INCOMPLETE)
    if not len(audit.complete):
        return fail(f"{folder} is not scored: no video has all its views", EXIT_INCOMPLETE)
    report(cfg, scores, labels[np.searchsorted(views, audit.complete * views_per_video(cfg))], audit, source, meter)
    return EXIT_INCOMPLETE if len(audit.incomplete) else EXIT_DONE


def expected_views(cfg: "CfgNode", views: "np.ndarray", labels: "np.ndarray") -> tuple["np.ndarray", "np.ndarray", str]:
    """Find out which views there should be.

    Returns:
        Their numbers and labels, sorted, and who says so.
    """
    import numpy as np

    from x3d.annotations import list_path, read_list, views_per_video
    from x3d.results import summary_results
    from x3d.scoring import majority_labels

    num_views = views_per_video(cfg)
    if cfg.DATA.PATH_TO_DATA_DIR:
        videos = read_list(cfg)
        said = np.repeat([video.label for video in videos], num_views)
        return np.arange(len(said)), said, str(list_path(cfg))
    summary = summary_results(cfg.X3D_POSTPROCESS.OM_OUTPUT_PATH)
    if summary:
        numbers = np.array(sorted(summary))
        said = majority_labels(numbers, np.array([summary[view] for view in numbers]), num_views)
        return numbers, said, "the summary"
    num_videos = int(views.max()) // num_views + 1
    if num_videos > len(views):
        raise ValueError(
            f"the results name video {num_videos - 1} and are only {len(views)}; set DATA.PATH_TO_DATA_DIR, so that the "
            "list says which views there should be"
        )
    numbers = np.arange(num_videos * num_views)
    said = np.full(len(numbers), -1)
    said[views] = majority_labels(views, labels, num_views)
    return numbers, said, f"the highest view found, {views.max()},"


def missing_views(audit: "Audit", views_per_video: int) -> list[str]:
    """Name the missing views, one text a video."""
    import numpy as np

    if not len(audit.incomplete):
        return []
    texts = []
    starts = np.searchsorted(audit.missing, audit.incomplete * views_per_video)
    for video, gone in zip(audit.incomplete, np.split(audit.missing, starts[1:]), strict=True):
        names = " ".join(map(str, gone)) if len(gone) < views_per_video else f"all {views_per_video}"
        texts.append(f"video {video} lacks views: {names} (X3D_POSTPROCESS.ALLOW_MISSING True goes on without it)")
    return texts


def reference_meter(cfg: "CfgNode", num_videos: int) -> "ReferenceMeter | None":
    """Make PySlowFast's meter when X3D_POSTPROCESS.BACKEND asks for it."""
    if cfg.X3D_POSTPROCESS.BACKEND != "slowfast":
        return None
    from x3d.reference import ReferenceMeter

    return ReferenceMeter(cfg, num_videos)


def join_results(
    cfg: "CfgNode", results: Sequence["Result"], views: "np.ndarray", audit: "Audit", meter: "ReferenceMeter | None"
) -> tuple["np.ndarray", list[str]]:
    """Read and join the views of each complete video.

    Returns:
        (n, num_classes) float32 in the order of audit.complete, and the files that cannot be used.
    """
    import numpy as np
    from tqdm import tqdm

    from x3d.annotations import views_per_video
    from x3d.results import read_scores
    from x3d.scoring import join_views

    num_views, num_classes = views_per_video(cfg), cfg.MODEL.NUM_CLASSES
    joined = np.zeros((len(audit.complete), num_classes), dtype=np.float32)
    rows = np.zeros((num_views, num_classes), dtype=np.float32)
    faults = []
    starts = np.searchsorted(views, audit.complete * num_views)
    for video, start in enumerate(tqdm(starts, desc="videos", unit="video", disable=None)):
        for row, result in enumerate(results[start : start + num_views]):
            try:
                rows[row] = read_scores(result.path, num_classes)
            except ValueError as error:
                faults.append(str(error))
        if meter:
            joined[video] = meter.join(video, rows, results[start].label)
        else:
            joined[video] = join_views(rows, cfg.DATA.ENSEMBLE_METHOD)
    return joined, faults


def report(
    cfg: "CfgNode",
    scores: "np.ndarray",
    labels: "np.ndarray",
    audit: "Audit",
    source: str,
    meter: "ReferenceMeter | None",
) -> None:
    """Print the line; say counts and conditions on stderr and in a file beside the folder."""
    from x3d.scoring import count_top_k, percent, stats

    scored, listed = len(labels), len(labels) + len(audit.incomplete)
    correct = {k: count_top_k(scores, labels, k) for k in TOP_K}
    line = meter.stats(TOP_K) if meter else stats(correct, scored)
    for k, count in correct.items():
        logger.info("top-%d: %d of %d videos scored, %s %%", k, count, scored, percent(count, scored))
        if listed > scored:
            logger.warning("top-%d: %d of %d videos listed, %s %%", k, count, listed, percent(count, listed))
    details: dict[str, Any] = {
        **line,
        "correct": {f"top{k}": count for k, count in correct.items()},
        "videos_scored": scored,
        "videos_listed": listed,
        "of_listed": {f"top{k}_acc": percent(count, listed) for k, count in correct.items()},
        "incomplete_videos": audit.incomplete.tolist(),
        "missing_views": audit.missing.tolist(),
        "expected_by": source,
        "conditions": {
            "DATA.ENSEMBLE_METHOD": cfg.DATA.ENSEMBLE_METHOD,
            "MODEL.NUM_CLASSES": cfg.MODEL.NUM_CLASSES,
            "TEST.NUM_ENSEMBLE_VIEWS": cfg.TEST.NUM_ENSEMBLE_VIEWS,
            "TEST.NUM_SPATIAL_CROPS": cfg.TEST.NUM_SPATIAL_CROPS,
        },
    }
    path = os.path.abspath(cfg.X3D_POSTPROCESS.OM_OUTPUT_PATH) + "_accuracy.json"
    try:
        with open(path, "w") as file:
            json.dump(details, file, indent=1)
        logger.info("counts and conditions are in %s", path)
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error.strerror)
    print(json.dumps(line), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
