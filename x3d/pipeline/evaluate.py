"""Score videos with a model, with no view on disk."""

import contextlib
import dataclasses
import functools
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from x3d.config.loading import view_config
from x3d.cores import count_cores
from x3d.dataset.annotations import Video, read_videos
from x3d.dataset.naming import WHOLE, Shard, views_per_video
from x3d.errors import InputError, counted
from x3d.execution.outcome import Outcome
from x3d.execution.progress import with_progress
from x3d.execution.requirements import NodeRequirements
from x3d.execution.runner import RunnerSettings, open_runner
from x3d.network.engine import Engine, check_runs, open_engine
from x3d.network.model_file import read_model
from x3d.pipeline.summary import RunSummary
from x3d.pipeline.video_scorer import VideoScorer
from x3d.pipeline.workers import count_workers, task_resources
from x3d.scoring.outputs import SOFTMAX_KEY, Outputs
from x3d.scoring.running import RunningTop1
from x3d.storage.accuracy_file import remove_accuracy
from x3d.storage.evaluation_folder import drop_changed, open_shard
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import evaluation_provenance
from x3d.storage.score_rows import ScoreRows, VideoScores
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform, view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

MAX_CPU_BATCH_SIZE = 8


@dataclass(frozen=True)
class EvaluateSettings:
    """Which videos to score with which model, and where the scores go.

    Attributes:
        videos: the whole list.
        path_prefix: the folder the listed paths are relative to.
        view_shape: (3, T, C, C), of one view.
        num_views: per video.
        engine, device, precision: as open_engine takes them.
        batch_size: views per batch, at most.
        stop_at_first_failure: else every failure is listed.
        view_config: the keys that decide the views, for the manifest.
        outputs: what the model returns.
    """

    videos: Sequence[Video]
    path_prefix: str
    sampling: Sampling
    transform: Transform
    view_shape: tuple[int, ...]
    num_views: int
    ensemble_method: str
    num_classes: int
    model_path: str
    engine: str
    device: str
    precision: str
    batch_size: int
    output_path: str
    stop_at_first_failure: bool
    runner: RunnerSettings
    view_config: Mapping[str, Any]
    outputs: Outputs

    @classmethod
    def from_cfg(cls, cfg: "CfgNode", videos: Sequence[Video] | None = None) -> "EvaluateSettings":
        """Read the list and the keys that decide an evaluation.

        Args:
            videos: score these instead of those of the list, into no folder.
        Raises:
            InputError: the list cannot be read, folder or model is not given, or PySlowFast is asked for.
        """
        options = cfg.X3D_EVALUATE
        if videos is None and not options.OUTPUT_PATH:
            raise InputError("X3D_EVALUATE.OUTPUT_PATH is empty; give the folder for the scores")
        if not options.MODEL_PATH:
            raise InputError("X3D_EVALUATE.MODEL_PATH is empty; give the .onnx, .xml or .om to run")
        for node in ("X3D_PREPROCESS", "X3D_POSTPROCESS"):
            if cfg[node].BACKEND != "native":
                raise InputError(
                    f"{node}.BACKEND {cfg[node].BACKEND}: PySlowFast's code needs files; set {node}.BACKEND native"
                )
        return cls(
            videos=read_videos(cfg) if videos is None else videos,
            path_prefix=cfg.DATA.PATH_PREFIX,
            sampling=Sampling.from_cfg(cfg),
            transform=Transform.from_cfg(cfg),
            view_shape=view_shape(cfg),
            num_views=views_per_video(cfg),
            ensemble_method=cfg.DATA.ENSEMBLE_METHOD,
            num_classes=cfg.MODEL.NUM_CLASSES,
            model_path=options.MODEL_PATH,
            engine=options.ENGINE,
            device=options.DEVICE,
            precision=options.PRECISION,
            batch_size=cfg.TEST.BATCH_SIZE,
            output_path=options.OUTPUT_PATH,
            stop_at_first_failure=cfg.X3D_WORKERS.ON_ERROR == "raise",
            runner=RunnerSettings.from_cfg(cfg),
            view_config=view_config(cfg),
            outputs=Outputs.from_cfg(cfg),
        )


def evaluate(settings: EvaluateSettings, shard: Shard = WHOLE) -> RunSummary:
    """Score the shard's videos that have no row yet; x3d.pipeline.postprocess scores the folder.

    An earlier accuracy of the folder is removed first, so that whatever is rejected leaves none that looks current.

    Raises:
        InputError: model, engine or folder cannot be used; nothing is started.
        RunError: the folder cannot be written, or the engine fails; the run can be resumed.
    """
    remove_accuracy(settings.output_path)
    videos = shard.select(settings.videos)
    engine, model_digest = load_engine(settings)
    scorer = plan_scorer(settings, engine, model_digest)
    provenance = _collect_provenance(settings, engine, scorer)
    paths = [settings.path_prefix]
    requirements = functools.partial(
        NodeRequirements.from_here, paths, engine.packages, scorer.model_path, scorer.model_digest, videos
    )
    resources, num_workers = task_resources(engine.device), count_workers(settings.runner, engine.device)
    del engine
    runner_settings = dataclasses.replace(settings.runner, num_workers=num_workers)
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(open_runner(runner_settings, requirements, resources))
        manifest, rows = open_shard(settings.output_path, shard, provenance, settings.videos)
        stack.enter_context(rows)
        stack.enter_context(manifest.saved_on_exit())
        remove_accuracy(settings.output_path)  # again: the folder may be new
        drop_changed(rows, videos)
        where = settings.runner.ray_address or counted(num_workers, "worker")
        done = set(rows.rows["video"].tolist())
        todo = [video for video in videos if video.index not in done]
        logger.info(
            "%s, %d to do, %s, batch size %d", counted(len(videos), "video"), len(todo), where, scorer.batch_size
        )
        _record_all(runner.run(scorer, todo), rows, manifest, len(videos), settings.stop_at_first_failure)
    failed = list(manifest.failed().values())
    return RunSummary(len(videos), rows.num_rows, failed, manifest.path, rows.num_rotated, rows.num_corrupt)


def _collect_provenance(settings: EvaluateSettings, engine: Engine, scorer: VideoScorer) -> dict[str, Any]:
    return evaluation_provenance(
        {**settings.view_config, SOFTMAX_KEY: settings.outputs is Outputs.LOGITS},
        settings.videos,
        settings.num_views,
        settings.ensemble_method,
        engine,
        scorer.model_digest,
        scorer.batch_size,
    )


def load_engine(settings: EvaluateSettings) -> tuple[Engine, str]:
    """Open the model, check it against the configuration and run it once.

    Returns:
        The engine, and the digest of the model.
    Raises:
        InputError: the model cannot be read or run, or is not the configured one.
    """
    model = read_model(settings.model_path)
    engine = open_engine(model, settings.engine, settings.device, 0, settings.precision)
    _check_model(settings, engine)
    check_runs(engine)
    return engine, model.digest


def _check_model(settings: EvaluateSettings, engine: Engine) -> None:
    """Check that the model takes the configured views and returns the configured classes."""
    shape = settings.view_shape
    if tuple(engine.view_shape) != shape or engine.num_classes != settings.num_classes:
        num_classes = f"set MODEL.NUM_CLASSES {engine.num_classes}, or " if tuple(engine.view_shape) == shape else ""
        raise InputError(
            f"X3D_EVALUATE.MODEL_PATH {settings.model_path} takes views of {engine.view_shape} and returns "
            f"{engine.num_classes} classes; --cfg configures {shape} and {settings.num_classes}: {num_classes}give the "
            "--cfg of the export"
        )


def plan_scorer(settings: EvaluateSettings, engine: Engine, model_digest: str) -> VideoScorer:
    """Decide what each worker does: on a CPU one core each, and small batches, as fast as large ones in less memory."""
    on_cluster = bool(settings.runner.ray_address)
    if on_cluster and re.search(r"[1-9]\d*$", settings.device):
        raise InputError(
            f"X3D_EVALUATE.DEVICE {settings.device}: Ray chooses among a node's devices; leave the number out"
        )
    num_cores = 1 if on_cluster else count_cores()
    largest = min(settings.batch_size, MAX_CPU_BATCH_SIZE if engine.device == "CPU" else settings.num_views)
    return VideoScorer(
        model_path=os.path.abspath(settings.model_path),
        model_digest=model_digest,
        engine=engine.name,
        device=settings.device,
        precision=settings.precision,
        num_threads=max(1, num_cores // count_workers(settings.runner, engine.device)),
        batch_size=engine.batch_size or largest,
        sampling=settings.sampling,
        transform=settings.transform,
        ensemble_method=settings.ensemble_method,
        outputs=settings.outputs,
    )


def _record_all(
    outcomes: Iterator[Outcome[VideoScores]],
    rows: ScoreRows,
    manifest: Manifest,
    num_videos: int,
    stop_at_first_failure: bool,
) -> None:
    """Record the results of videos as they come, with a progress bar, and sync the rows."""
    running = RunningTop1()
    running.add(rows.rows["scores"], rows.rows["label"])
    for outcome in with_progress(outcomes, num_videos, stop_at_first_failure, rows.num_rows, running):
        _record(outcome, rows, manifest, running)
    rows.sync()


def _record(outcome: Outcome[VideoScores], rows: ScoreRows, manifest: Manifest, running: RunningTop1) -> None:
    """Record the result of a video: its scores as a row, or its failure in the manifest."""
    video = outcome.video
    if outcome.value is None:
        manifest.record_failed(video, outcome.reason, outcome.text)
    else:
        rows.append(video, outcome.value)
        running.add(outcome.value.scores[None], np.array([video.label]))
        manifest.forget(video.index)
