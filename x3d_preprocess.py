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
    from x3d.storage.manifest import Manifest
    from x3d.storage.view_writer import ViewWriter

logger = logging.getLogger("x3d_preprocess")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Check the list and the folder, decode what is missing, and sum up."""
    options = cfg.X3D_PREPROCESS
    if not options.ENABLE:
        logger.info("X3D_PREPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE
    if not options.DATA_OUTPUT_PATH:
        return fail("X3D_PREPROCESS.DATA_OUTPUT_PATH is empty; give the folder for the views")

    from x3d.dataset.annotations import first_existing, read_list
    from x3d.dataset.naming import Shard, views_per_video
    from x3d.execution.progress import with_progress
    from x3d.execution.requirements import Needs
    from x3d.execution.runner import open_workers
    from x3d.storage.provenance import view_config, view_provenance
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
        provenance = view_provenance(view_config(cfg), listed, num_views)
        manifest = opened.enter_context(folder.open(provenance, videos, options.OVERWRITE))
        needs = Needs.of([cfg.DATA.PATH_PREFIX, first_existing(videos), str(folder.scratch)])
        workers = opened.enter_context(open_workers(cfg, needs))
        opened.enter_context(manifest.saved_on_exit())
        todo = [video for video in videos if not manifest.is_done(video.index)]
        needed = len(todo) * num_views * folder.view_bytes
        free = shutil.disk_usage(folder.path).free
        logger.info(
            "%d videos, %d to do: %d views, %.2f GB of %.2f GB free in %s",
            *(len(videos), len(todo), len(todo) * num_views, needed / 1e9, free / 1e9, folder.path),
        )
        if needed > free:
            return fail(f"{folder.path} lacks {(needed - free) / 1e9:.2f} GB for {len(todo) * num_views} views")
        outcomes = workers.run(view_writer(cfg, folder.writer), todo)
        for outcome in with_progress(outcomes, len(todo), options.ON_ERROR):
            if outcome.reason:
                manifest.record_failed(outcome.video, outcome.reason, outcome.text)
            else:
                manifest.record_done(outcome.video, **(outcome.value or {}))
    return sum_up(len(videos), manifest, num_views)


def view_writer(cfg: "CfgNode", writer: "ViewWriter") -> Callable[["Video"], dict[str, Any]]:
    """Choose by X3D_PREPROCESS.BACKEND what decodes a video and writes its views."""
    if cfg.X3D_PREPROCESS.BACKEND == "slowfast":
        from x3d.slowfast import write_reference_views

        return functools.partial(write_reference_views, cfg=cfg, writer=writer)

    from x3d.pipeline.view_writing import write_views
    from x3d.video.sampling import Sampling
    from x3d.video.transform import Transform

    return functools.partial(
        write_views, sampling=Sampling.from_cfg(cfg), transform=Transform.from_cfg(cfg), writer=writer
    )


def sum_up(num_videos: int, manifest: "Manifest", num_views: int) -> int:
    """Log counts by state and reason, and every failure; the counts add up to the list."""
    from x3d.execution.progress import log_failures

    done, failed = list(manifest.done().values()), list(manifest.failed().values())
    rotated = sum(entry.get("rotation", 0) != 0 for entry in done)
    not_reached = num_videos - len(done) - len(failed)
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
