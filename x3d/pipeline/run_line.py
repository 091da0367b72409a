"""The line that a script logs before its work: what decides the run, in the same order everywhere."""

import logging
from pathlib import Path

from x3d.dataset.naming import WHOLE, Shard
from x3d.errors import counted
from x3d.execution.runner import RunnerSettings
from x3d.network.engine import Engine, EngineInfo
from x3d.pipeline.workers import count_workers

logger = logging.getLogger(__name__)


def log_run(*parts: str) -> None:
    """Log the parts that a run has, of work, model, workers and output: `3 videos; x.onnx; 2 workers; output out`."""
    logger.info("; ".join(filter(None, parts)))


def describe_list(path: Path, num_videos: int, num_todo: int, shard: Shard = WHOLE) -> str:
    """Format the work on a list: `3 videos of data/test.csv, 1 to do`.

    Args:
        num_videos, num_todo: of the shard.
    """
    part = f", shard {shard.shard_id} of {shard.num_shards}" if shard.num_shards > 1 else ""
    return f"{counted(num_videos, 'video')} of {path}{part}, {num_todo} to do"


def describe_model(path: str, engine: Engine | EngineInfo, batch_size: int) -> str:
    """Format a model and how it is run: `x3d_s.onnx (openvino, CPU, f32, batch size 8)`."""
    return f"{path} ({engine.name}, {engine.device}, {engine.precision}, batch size {batch_size})"


def describe_workers(runner: RunnerSettings, device: str = "CPU", num_devices: int = 1) -> str:
    """Format where videos are run: `2 workers`, or `Ray cluster 10.0.0.1:6379`.

    Args:
        device, num_devices: as count_workers takes them.
    """
    if runner.ray_address:
        return f"Ray cluster {runner.ray_address}"
    return counted(count_workers(runner, device, num_devices), "worker")
