"""From videos and a model to accuracy, with no file a view in between.

A list of videos and a model -> one row of joined scores a video in X3D_EVALUATE.OUTPUT_PATH, and the accuracy as a JSON
line on stdout.

    python x3d_evaluate.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR Kinetics-400/ \\
        DATA.PATH_PREFIX Kinetics-400/val/ X3D_EVALUATE.MODEL_PATH x3d_s.onnx X3D_EVALUATE.OUTPUT_PATH eval/

A stopped run goes on where it was. A shard (--shard_id, --num_shards) writes its rows and no line: x3d_postprocess.py
scores the folder when all shards are in it.
"""

import argparse
import contextlib
import dataclasses
import functools
import logging
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail, script_main

if TYPE_CHECKING:
    import numpy as np
    from fvcore.common.config import CfgNode

    from x3d.execution.outcome import Outcome
    from x3d.network.engine import Engine
    from x3d.pipeline.evaluation import Evaluation
    from x3d.storage.manifest import Manifest
    from x3d.storage.score_rows import Journal

logger = logging.getLogger("x3d_evaluate")

LARGEST_CPU_BATCH = 8
WORKERS_A_DEVICE = 4
RAY_RESOURCES = {
    **dict.fromkeys(("CUDA", "Tensorrt", "ROCM", "MIGraphX", "GPU"), "GPU"),
    **dict.fromkeys(("CANN", "NPU"), "NPU"),
}
"""What Ray calls the device of an engine."""


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Check list, model and folder, score what is missing, and score the whole."""
    options = cfg.X3D_EVALUATE
    if not options.OUTPUT_PATH:
        return fail("X3D_EVALUATE.OUTPUT_PATH is empty; give the folder for the scores")
    for node in ("X3D_PREPROCESS", "X3D_POSTPROCESS"):
        if cfg[node].BACKEND != "native":
            return fail(
                f"{node}.BACKEND {cfg[node].BACKEND}: PySlowFast's route goes by files; set {node}.BACKEND native"
            )

    from x3d.dataset.annotations import first_present, read_list
    from x3d.dataset.naming import Shard
    from x3d.execution.progress import with_progress
    from x3d.execution.requirements import NodeRequirements
    from x3d.execution.runner import RunnerSettings, open_runner
    from x3d.network.engine import open_engine
    from x3d.pipeline.scoring_run import score_table
    from x3d.storage.evaluation_folder import open_shard, read_rows
    from x3d.storage.provenance import evaluation_facts

    listed = read_list(cfg)
    shard = Shard(args.shard_id, args.num_shards)
    videos = shard.select(listed)
    engine = open_engine(options.MODEL_PATH, options.ENGINE, options.DEVICE)
    check_model(cfg, engine)
    work = plan_work(cfg, engine)
    facts = evaluation_facts(cfg, listed, options.MODEL_PATH, engine, work.batch_size)
    paths = [cfg.DATA.PATH_PREFIX, first_present(videos)]
    model = options.MODEL_PATH, facts["model_digest"]
    requirements = functools.partial(NodeRequirements.from_here, paths, engine.packages, *model)
    resources, num_workers = task_resources(engine), count_workers(cfg, engine)
    settings = dataclasses.replace(RunnerSettings.from_cfg(cfg), num_workers=num_workers)
    del engine
    with contextlib.ExitStack() as opened:
        workers = opened.enter_context(open_runner(settings, requirements, resources))
        manifest, journal = open_shard(options.OUTPUT_PATH, shard, facts, cfg.MODEL.NUM_CLASSES)
        opened.enter_context(journal)
        opened.enter_context(manifest.kept())
        done = set(journal.done.tolist())
        todo = [video for video in videos if video.index not in done]
        place = cfg.X3D_WORKERS.RAY_ADDRESS or f"{num_workers} workers"
        logger.info("%d videos, %d to do, %s, batches of %d", len(videos), len(todo), place, work.batch_size)
        for outcome in with_progress(workers.run(work, todo), len(todo), cfg.X3D_PREPROCESS.ON_ERROR == "raise"):
            record(outcome, journal, manifest)
    status = sum_up(len(videos), journal.num_rows, manifest)
    if args.num_shards == 1:
        return max(status, score_table(cfg, options.OUTPUT_PATH, read_rows(cfg, options.OUTPUT_PATH)))
    logger.info("x3d_postprocess.py scores the folder of all %d shards", args.num_shards)
    return status


def check_model(cfg: "CfgNode", engine: "Engine") -> None:
    """See that the model takes the configured views and gives the configured classes."""
    from x3d.video.transform import view_shape

    if tuple(engine.view_shape) != view_shape(cfg) or engine.num_classes != cfg.MODEL.NUM_CLASSES:
        raise ValueError(
            f"X3D_EVALUATE.MODEL_PATH {cfg.X3D_EVALUATE.MODEL_PATH} takes views of {engine.view_shape} and gives "
            f"{engine.num_classes} classes; --cfg says {view_shape(cfg)} and {cfg.MODEL.NUM_CLASSES}"
        )


def plan_work(cfg: "CfgNode", engine: "Engine") -> "Evaluation":
    """Decide what each worker does: on a CPU one core each, and small batches, as fast and of less memory."""
    from x3d.dataset.naming import views_per_video
    from x3d.pipeline.evaluation import Evaluation
    from x3d.video.sampling import Sampling
    from x3d.video.transform import Transform

    largest = min(cfg.TEST.BATCH_SIZE, LARGEST_CPU_BATCH if engine.device == "CPU" else views_per_video(cfg))
    device, on_cluster = cfg.X3D_EVALUATE.DEVICE, bool(cfg.X3D_WORKERS.RAY_ADDRESS)
    if on_cluster and re.search(r"[1-9]\d*$", device):
        raise ValueError(f"X3D_EVALUATE.DEVICE {device}: Ray chooses among a node's devices; leave the number out")
    num_cores = 1 if on_cluster else len(os.sched_getaffinity(0))
    return Evaluation(
        model_path=os.path.abspath(cfg.X3D_EVALUATE.MODEL_PATH),
        engine=engine.name,
        device=device,
        num_threads=max(1, num_cores // count_workers(cfg, engine)),
        batch_size=engine.batch_size or largest,
        sampling=Sampling.from_cfg(cfg),
        transform=Transform.from_cfg(cfg),
        method=cfg.DATA.ENSEMBLE_METHOD,
    )


def count_workers(cfg: "CfgNode", engine: "Engine") -> int:
    """Count the worker processes: one a core; on a device four at most, which take turns on it."""
    num_cores = len(os.sched_getaffinity(0))
    return cfg.X3D_WORKERS.NUM or (num_cores if engine.device == "CPU" else min(num_cores, WORKERS_A_DEVICE))


def task_resources(engine: "Engine") -> dict[str, float]:
    """Say what a task on a Ray cluster holds: a core, and its share of a GPU or an NPU where the engine runs on one."""
    resource = RAY_RESOURCES.get(engine.device)
    return {"CPU": 1.0} | ({resource: 1 / WORKERS_A_DEVICE} if resource else {})


def record(outcome: "Outcome[np.ndarray]", journal: "Journal", manifest: "Manifest") -> None:
    """Write what became of a video: a row to the journal, a failure to the manifest."""
    video = outcome.video
    if outcome.value is None:
        manifest.record(video.index, outcome.failure())
    else:
        journal.append(video.index, video.label, outcome.value)
        manifest.videos.pop(video.index, None)


def sum_up(num_videos: int, num_done: int, manifest: "Manifest") -> int:
    """Log counts, which add up to the list, and every failure."""
    from x3d.execution.progress import log_failures

    failed = [manifest.videos[index] for index in sorted(manifest.videos)]
    not_reached = num_videos - num_done - len(failed)
    logger.info("%d videos done, %d failed; manifest: %s", num_done, len(failed), manifest.path)
    if not_reached:
        logger.error("%d videos not reached", not_reached)
    log_failures(failed)
    return EXIT_INCOMPLETE if failed or not_reached else EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv, with_shards=True)


if __name__ == "__main__":
    raise SystemExit(main())
