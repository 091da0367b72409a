"""Decode videos into views, the network's inputs.

A list of videos -> <view>_<label>.npy or .bin, one (1, 3, T, C, C) float32 a view, and manifest.json.

    python x3d_preprocess.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR Kinetics-400/ \\
        DATA.PATH_PREFIX Kinetics-400/val/ X3D_PREPROCESS.DATA_OUTPUT_PATH prep_data/

A stopped run goes on where it was. A video that cannot be used is listed with its reason, and the exit status is 1.
"""

import argparse
import contextlib
import functools
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.dataset.annotations import Video
    from x3d.execution.outcome import Outcome
    from x3d.storage.manifest import Manifest
    from x3d.storage.view_folder import ViewFolder

logger = logging.getLogger("x3d_preprocess")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Check the list and the folder, decode what is missing, and sum up."""
    options = cfg.X3D_PREPROCESS
    if not options.ENABLE:
        logger.info("X3D_PREPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE
    if not options.DATA_OUTPUT_PATH:
        return fail("X3D_PREPROCESS.DATA_OUTPUT_PATH is empty; give the folder for the views")

    from x3d.dataset.annotations import first_present, read_list
    from x3d.dataset.naming import Shard, views_per_video
    from x3d.execution.progress import with_progress
    from x3d.execution.requirements import NodeRequirements
    from x3d.execution.runner import RunnerSettings, open_runner
    from x3d.storage.provenance import view_facts
    from x3d.storage.view_folder import ViewFolder
    from x3d.video.transform import view_shape

    if options.BACKEND == "slowfast":
        from x3d.slowfast import check_reference

        check_reference(cfg)
    listed = read_list(cfg)
    shard = Shard(args.shard_id, args.num_shards)
    videos = shard.select(listed)
    num_views = views_per_video(cfg)
    shape = view_shape(cfg)
    on_cluster = bool(cfg.X3D_WORKERS.RAY_ADDRESS)
    path = os.path.abspath(options.DATA_OUTPUT_PATH) if on_cluster else options.DATA_OUTPUT_PATH
    folder = ViewFolder(path, f".{options.FORMAT}", shape, num_views, shard)
    with contextlib.ExitStack() as opened:
        manifest = folder.open(view_facts(cfg, listed), videos, options.OVERWRITE)
        opened.callback(folder.close)
        paths = [cfg.DATA.PATH_PREFIX, first_present(videos), str(folder.scratch)]
        requirements = functools.partial(NodeRequirements.from_here, paths)
        workers = opened.enter_context(open_runner(RunnerSettings.from_cfg(cfg), requirements))
        opened.enter_context(manifest.kept())
        todo = [video for video in videos if not manifest.is_done(video.index)]
        needed = len(todo) * num_views * folder.view_bytes
        free = shutil.disk_usage(folder.path).free
        logger.info(
            "%d videos, %d to do: %d views, %.2f GB of %.2f GB free in %s",
            *(len(videos), len(todo), len(todo) * num_views, needed / 1e9, free / 1e9, folder.path),
        )
        if needed > free:
            return fail(f"{folder.path} lacks {(needed - free) / 1e9:.2f} GB for {len(todo) * num_views} views")
        outcomes = workers.run(view_writer(cfg, folder), todo)
        for outcome in with_progress(outcomes, len(todo), options.ON_ERROR == "raise"):
            manifest.record(outcome.video.index, outcome.failure() if outcome.reason else written(outcome))
    return sum_up(videos, manifest, num_views)


def written(outcome: "Outcome[dict[str, Any]]") -> dict[str, Any]:
    """Make the manifest's entry of a video whose views are there."""
    return {"path": outcome.video.listed, "label": outcome.video.label, "state": "done", **(outcome.value or {})}


def view_writer(cfg: "CfgNode", folder: "ViewFolder") -> Callable[["Video"], dict[str, Any]]:
    """Choose by X3D_PREPROCESS.BACKEND what decodes a video and writes its views."""
    if cfg.X3D_PREPROCESS.BACKEND == "slowfast":
        from x3d.slowfast import write_reference_views

        return functools.partial(write_reference_views, cfg=cfg, folder=folder)

    from x3d.pipeline.view_writing import write_views
    from x3d.video.sampling import Sampling
    from x3d.video.transform import Transform

    return functools.partial(
        write_views, sampling=Sampling.from_cfg(cfg), transform=Transform.from_cfg(cfg), folder=folder
    )


def sum_up(videos: Sequence["Video"], manifest: "Manifest", num_views: int) -> int:
    """Log counts by state and reason, and every failure; the counts add up to the list."""
    from x3d.execution.progress import log_failures

    states = [manifest.videos.get(video.index, {"state": "not_reached"}) for video in videos]
    failed = [state for state in states if state["state"] == "failed"]
    done = [state for state in states if state["state"] == "done"]
    rotated = sum(state.get("rotation", 0) != 0 for state in done)
    not_reached = len(videos) - len(done) - len(failed)
    logger.info("%d videos done, %d views; manifest: %s", len(done), len(done) * num_views, manifest.path)
    if rotated:
        logger.info("%d videos have rotation metadata, which is not applied, as in PySlowFast", rotated)
    if not_reached:
        logger.error("%d videos not reached", not_reached)
    log_failures(failed)
    return EXIT_INCOMPLETE if failed or not_reached else EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv, with_shards=True)


if __name__ == "__main__":
    raise SystemExit(main())
