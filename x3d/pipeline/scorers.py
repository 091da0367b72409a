"""Set up the worker processes that score videos, each with the engine open before its first video."""

import dataclasses
import functools
import logging
import os
import re
from collections.abc import Sequence

from x3d.cores import count_cores
from x3d.dataset.annotations import Video
from x3d.errors import InputError, counted, shorten_list
from x3d.execution.requirements import NodeRequirements
from x3d.execution.runner import Runner, open_runner
from x3d.network.engine import ENGINES, EngineInfo, device_kind, resolve_engine, split_devices
from x3d.network.model_file import read_model
from x3d.pipeline.evaluate_settings import EvaluateSettings
from x3d.pipeline.run_line import describe_workers
from x3d.pipeline.video_scorer import VideoScorer
from x3d.pipeline.workers import count_workers, task_resources

MAX_CPU_BATCH_SIZE = 8

logger = logging.getLogger(__name__)


def count_scorers(settings: EvaluateSettings) -> int:
    """Count the worker processes on this host."""
    num_devices = len(split_devices(settings.device))
    return count_workers(settings.runner, device_kind(settings.model_path, settings.device), num_devices)


def describe_scorers(settings: EvaluateSettings) -> str:
    """Format where videos are scored, for the log."""
    num_devices = len(split_devices(settings.device))
    return describe_workers(settings.runner, device_kind(settings.model_path, settings.device), num_devices)


def open_scoring_runner(
    settings: EvaluateSettings, scorer: VideoScorer, paths: Sequence[str], videos: Sequence[Video]
) -> Runner:
    """Set up what scores videos; each worker process here opens the engine before its first video.

    Args:
        paths, videos: that every node of a Ray cluster must have.
    Raises:
        InputError: as open_runner.
    """
    packages = ENGINES[resolve_engine(settings.model_path, settings.engine)].packages
    requirements = functools.partial(
        NodeRequirements.from_here, paths, packages, scorer.model_path, scorer.model_digest, videos
    )
    runner = dataclasses.replace(settings.runner, num_workers=count_scorers(settings))
    resources = task_resources(device_kind(settings.model_path, settings.device))
    return open_runner(runner, requirements, resources, scorer.open)


def prepare_scorer(settings: EvaluateSettings, runner: Runner, num_videos: int) -> EngineInfo:
    """Open the engine in the workers, and check the model against the configuration.

    Raises:
        InputError: the model cannot be run, or is not the configured one.
    """
    engine: EngineInfo = runner.prepared(num_videos)
    _check_model(settings, engine)
    return engine


def _check_model(settings: EvaluateSettings, engine: EngineInfo) -> None:
    """Check that the model takes the configured views and returns the configured classes."""
    shape = settings.view_shape
    if engine.view_shape != shape or engine.num_classes != settings.num_classes:
        num_classes = f"set MODEL.NUM_CLASSES {engine.num_classes}, or " if engine.view_shape == shape else ""
        raise InputError(
            f"X3D_EVALUATE.MODEL_PATH {settings.model_path} takes views of {engine.view_shape} and returns "
            f"{engine.num_classes} classes; --cfg configures {shape} and {settings.num_classes}: {num_classes}give the "
            "--cfg of the export"
        )


def plan_scorer(settings: EvaluateSettings) -> VideoScorer:
    """Decide what each worker does: on a CPU one core each, and small batches, as fast as large ones in less memory.

    Devices that no worker uses are logged.

    Raises:
        InputError: the model cannot be read, or not on this device.
    """
    on_cluster, devices = bool(settings.runner.ray_address), split_devices(settings.device)
    if on_cluster and (len(devices) > 1 or re.search(r"[1-9]\d*$", settings.device)):
        raise InputError(
            f"X3D_EVALUATE.DEVICE {settings.device}: Ray chooses among a node's devices; leave the numbers out"
        )
    on_cpu = device_kind(settings.model_path, settings.device) == "CPU"
    num_cores, num_workers = 1 if on_cluster else count_cores(), count_scorers(settings)
    if len(devices) > num_workers and not on_cpu:
        logger.warning(
            "X3D_EVALUATE.DEVICE %s: %s for %d devices, %s unused; raise X3D_WORKERS.NUM or give fewer devices",
            *(settings.device, counted(num_workers, "worker"), len(devices), shorten_list(devices[num_workers:])),
        )
    return VideoScorer(
        model_path=os.path.abspath(settings.model_path),
        model_digest=read_model(settings.model_path).digest,
        engine=settings.engine,
        device=settings.device,
        precision=settings.precision,
        num_threads=max(1, num_cores // num_workers),
        batch_size=min(settings.batch_size, MAX_CPU_BATCH_SIZE if on_cpu else settings.num_views),
        sampling=settings.sampling,
        transform=settings.transform,
        ensemble_method=settings.ensemble_method,
        outputs=settings.outputs,
    )
