"""Run a model over a folder of views and write the results in ais_bench's layout."""

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from x3d.dataset.naming import result_stem
from x3d.errors import EngineError, RunError
from x3d.network.engine import Engine, open_engine, pad_batch, run_batch
from x3d.network.model_file import read_model
from x3d.storage.ais_bench_summary import Summary
from x3d.storage.result_folder import write_result
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


def infer(settings: InferSettings) -> Summary:
    """Check everything, then run the views and write their results.

    Raises:
        ValueError: wrong input, model or batch size; nothing is written.
        RunError: the engine fails.
    """
    _check_folder(settings.folder)
    paths = list_inputs(settings.input) if settings.input else []
    engine = open_engine(read_model(settings.model), settings.engine, settings.device)
    batch_size = settings.batchsize or engine.batch_size or 1
    if engine.batch_size not in (None, batch_size):
        raise ValueError(f"--batchsize {batch_size}: {settings.model} has the fixed batch size {engine.batch_size}")
    check_inputs(paths, engine.view_shape)
    logger.info("%s: %s, batch size %d", engine.name, settings.model, batch_size)

    summary = Summary(batch_size)
    try:
        if paths:
            _infer_files(engine, paths, settings, summary)
        else:
            batch = pure_batch((batch_size, *engine.view_shape), settings.pure_data_type)
            _measure(engine, batch, settings.loop, settings.warmup_count, summary)
    except EngineError as error:
        raise RunError(str(error)) from error
    return summary


def _check_folder(folder: Path | None) -> None:
    """Create the parent of the result folder, which must not exist, or be empty."""
    if folder is None:
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} holds files of another run; remove it or give another --output_dirname")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--output {folder.parent}: {error.strerror}") from error


def _infer_files(engine: Engine, paths: Sequence[str], settings: InferSettings, summary: Summary) -> None:
    """Run every file through the engine, batch by batch, and write the scores of each view."""
    with _partial_folder(settings.folder) as partial, tqdm(total=len(paths), desc="views", unit="view") as progress:
        for start, names in batched(paths, summary.batch_size):
            batch = pad_batch(read_batch(names, engine.view_shape), summary.batch_size)
            scores = _measure(engine, batch, settings.loop, 0 if start else settings.warmup_count, summary)
            if partial and settings.folder:
                for number, name in enumerate(names):
                    rows = [scores[number : number + 1]]
                    written = write_result(str(partial), result_stem(name), rows, f".{settings.outfmt.lower()}")
                    summary.add_file(start + number, name, [str(settings.folder / Path(path).name) for path in written])
            progress.update(len(names))


@contextmanager
def _partial_folder(folder: Path | None) -> Iterator[Path | None]:
    """Yield a folder named `.partial` and rename it when it is complete, so that a stopped run is recognised."""
    if folder is None:
        yield None
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    yield partial
    partial.replace(folder)


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
