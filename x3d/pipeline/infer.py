"""Run a model over a folder of views and write the results in ais_bench's layout."""

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from x3d.dataset.naming import result_stem
from x3d.errors import EngineError, RunError
from x3d.network.engine import Engine, open_engine, pad_batch, run_batch
from x3d.network.model_file import read_model
from x3d.storage.ais_bench_summary import Summary, summary_path
from x3d.storage.result_folder import new_result_folder, write_result
from x3d.storage.view_reader import batched, check_inputs, list_inputs, read_batch

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
    args: Sequence[str] = ()


def infer(settings: InferSettings) -> Summary:
    """Check everything, then run the views and write their results and the summary beside them.

    Raises:
        ValueError: wrong input, model or batch size, or a folder in use; nothing is written.
        RunError: the engine fails, or the results cannot be written.
    """
    with contextlib.ExitStack() as stack:
        partial = stack.enter_context(new_result_folder(settings.folder)) if settings.folder else None
        paths = list_inputs(settings.input) if settings.input else []
        model = read_model(settings.model)
        engine = open_engine(model, settings.engine, settings.device)
        summary = Summary(_choose_batch_size(settings, engine))
        check_inputs(paths, engine.view_shape)
        logger.info("%s: %s, batch size %d", engine.name, settings.model, summary.batch_size)
        try:
            if paths:
                _infer_files(engine, paths, settings, summary, partial)
            else:
                batch = pure_batch((summary.batch_size, *engine.view_shape), settings.pure_data_type)
                _measure(engine, batch, settings.loop, settings.warmup_count, summary)
        except EngineError as error:
            raise RunError(str(error)) from error
        if settings.folder:
            summary.save(summary_path(settings.folder), settings.args)
    return summary


def _choose_batch_size(settings: InferSettings, engine: Engine) -> int:
    batch_size = settings.batchsize or engine.batch_size or 1
    if engine.batch_size not in (None, batch_size):
        raise ValueError(f"--batchsize {batch_size}: {settings.model} has the fixed batch size {engine.batch_size}")
    return batch_size


def _infer_files(
    engine: Engine, paths: Sequence[str], settings: InferSettings, summary: Summary, partial: Path | None
) -> None:
    """Run every file through the engine, batch by batch, and write the scores of each view."""
    suffix = f".{settings.outfmt.lower()}"
    with tqdm(total=len(paths), desc="views", unit="view") as progress:
        for start, names in batched(paths, summary.batch_size):
            batch = pad_batch(read_batch(names, engine.view_shape), summary.batch_size)
            scores = _measure(engine, batch, settings.loop, 0 if start else settings.warmup_count, summary)
            if partial and settings.folder:
                for number, name in enumerate(names):
                    written, digest = write_result(partial, result_stem(name), scores[number : number + 1], suffix)
                    summary.add_file(start + number, name, str(settings.folder / written), digest)
            progress.update(len(names))


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
