"""Run a model over a folder of views and write the results in ais_bench's layout."""

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.dataset.naming import parse_view_stem, result_stem
from x3d.errors import EngineError, InputError, RunError, counted, format_problems
from x3d.execution.progress import progress_bar
from x3d.network.engine import Engine, open_engine, pad_batch, run_batch
from x3d.network.model_file import read_model
from x3d.pipeline.run_line import describe_model, log_run
from x3d.storage.ais_bench_summary import SAMPLES, Summary, summary_path
from x3d.storage.atomic import check_replaceable
from x3d.storage.provenance import versions
from x3d.storage.result_folder import new_result_folder, write_result
from x3d.storage.view_reader import Views, batched, open_views
from x3d.video.dtype import convert

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferSettings:
    """What to run on what; the names are those of ais_bench's flags.

    Attributes:
        input: folder of views, or files separated by commas; None: run generated data.
        folder: for the results; None: write none.
        outfmt: BIN, NPY or TXT.
        batchsize: views per batch; None: the model's, or 1.
        loop: times each batch is run.
        warmup_count: batches run before measuring.
        pure_data_type: zero or random, without input.
        engine, device, precision: as open_engine takes them.
        args: the command line, for the summary.
    """

    model: str
    input: str | None = None
    folder: Path | None = None
    outfmt: str = "BIN"
    batchsize: int | None = None
    loop: int = 1
    warmup_count: int = 1
    pure_data_type: str = "zero"
    engine: str = "auto"
    device: str = "0"
    precision: str = "f32"
    args: Sequence[str] = ()


def infer(settings: InferSettings) -> Summary:
    """Check everything, then run the views and write their results and the summary beside them.

    Raises:
        InputError: wrong input, model or batch size, or a folder in use; nothing is written.
        RunError: the engine fails, a view is damaged, or the results cannot be written.
    """
    if settings.folder:
        check_replaceable(summary_path(settings.folder), {SAMPLES})
    with contextlib.ExitStack() as stack:
        partial = stack.enter_context(new_result_folder(settings.folder)) if settings.folder else None
        views = open_views(settings.input) if settings.input else None
        model = read_model(settings.model)
        engine = open_engine(model, settings.engine, settings.device, 0, settings.precision)
        summary = Summary(_choose_batch_size(settings, engine))
        summary.provenance = _collect_provenance(settings, engine, model.digest, summary.batch_size, views)
        if views:
            views.check(engine.view_shape, engine.input_dtype)
            summary.missing_videos = views.missing_videos
            _warn(views, settings.input)
        _log_run(settings, engine, summary.batch_size, views)
        try:
            if views:
                _infer_views(engine, views, settings, summary, partial)
            else:
                batch = pure_batch((summary.batch_size, *engine.view_shape), settings.pure_data_type)
                batch = convert(batch, engine.input_dtype)
                _measure(engine, batch, settings.loop, settings.warmup_count, summary)
        except EngineError as error:
            raise RunError(str(error)) from error
        if settings.folder:
            _save(summary, summary_path(settings.folder), settings.args)
    if settings.folder:
        logger.info("results: %s; summary: %s", settings.folder, summary_path(settings.folder))
    return summary


def _log_run(settings: InferSettings, engine: Engine, batch_size: int, views: Views | None) -> None:
    work = (
        f"{counted(len(views.paths), 'view')} of {settings.input}"
        if views
        else f"generated views ({settings.pure_data_type})"
    )
    output = f"output {settings.folder}" if settings.folder else ""
    log_run(work, describe_model(settings.model, engine, batch_size), output)


def _save(summary: Summary, path: Path, args: Sequence[str]) -> None:
    try:
        summary.save(path, args)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}; infer again") from error


def _choose_batch_size(settings: InferSettings, engine: Engine) -> int:
    batch_size = settings.batchsize or engine.batch_size or 1
    if engine.batch_size not in (None, batch_size):
        raise InputError(f"--batchsize {batch_size}: {settings.model} has the fixed batch size {engine.batch_size}")
    try:
        np.empty((batch_size, *engine.view_shape), dtype=np.float32)
    except (MemoryError, ValueError, OverflowError) as error:
        raise InputError(f"--batchsize {batch_size}: a batch does not fit in memory; give a smaller one") from error
    return batch_size


def _collect_provenance(
    settings: InferSettings, engine: Engine, model_digest: str, batch_size: int, views: Views | None
) -> dict[str, Any]:
    """Collect what decides the results: the views, the model and how it is run."""
    return {
        "views": views.provenance if views else None,
        "model_digest": model_digest,
        "num_classes": engine.num_classes,
        "engine": engine.name,
        "device": engine.device,
        "precision": engine.precision,
        "batch_size": batch_size,
        "outfmt": settings.outfmt,
        "versions": versions(engine.packages),
    }


def _warn(views: Views, source: str | None) -> None:
    """Warn about what is not checked, and what scoring will leave out or miss."""
    if views.provenance is None:
        logger.warning("--input %s: no manifest.json beside the views, so their values are not checked", source)
    identities = [parse_view_stem(result_stem(path)) for path in views.paths]
    num_unlabelled = sum(identity is not None and identity[1] == UNLABELLED for identity in identities)
    if num_unlabelled:
        logger.warning("%s unlabelled (-1), left out of the accuracy", counted(num_unlabelled, "view"))
    if views.missing_videos:
        reasons = [f"video {index}: {failure.text}" for index, failure in views.missing_videos.items()]
        count = counted(len(reasons), "listed video")
        logger.warning("%s without views, so without results:\n%s", count, format_problems(reasons))


def _infer_views(engine: Engine, views: Views, settings: InferSettings, summary: Summary, partial: Path | None) -> None:
    """Run every view through the engine, batch by batch, and write its scores."""
    suffix = f".{settings.outfmt.lower()}"
    with progress_bar(len(views.paths), noun="views") as progress:
        for start, paths in batched(views.paths, summary.batch_size):
            batch = pad_batch(views.read(paths, engine.view_shape, engine.input_dtype), summary.batch_size)
            scores = _measure(engine, batch, settings.loop, 0 if start else settings.warmup_count, summary)
            if partial and settings.folder:
                for number, path in enumerate(paths):
                    written, digest = write_result(partial, result_stem(path), scores[number : number + 1], suffix)
                    summary.add_file(start + number, path, str(settings.folder / written), digest)
            progress.update(len(paths))


def _measure(engine: Engine, batch: np.ndarray, loop: int, warmup_count: int, summary: Summary) -> np.ndarray:
    """Run a batch `loop` times, each timed, after untimed ones, and return its scores."""
    for _ in range(warmup_count):
        run_batch(engine, batch)
    for _ in range(loop):
        start = time.perf_counter()
        scores = run_batch(engine, batch)
        summary.compute_ms.append(1000 * (time.perf_counter() - start))
    return scores


def pure_batch(shape: tuple[int, ...], data_type: str) -> np.ndarray:
    """Make a batch for measuring: zeros, or seeded standard normal values, float32."""
    if data_type == "zero":
        return np.zeros(shape, dtype=np.float32)
    return np.random.RandomState(0).standard_normal(shape).astype(np.float32)
