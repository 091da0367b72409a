"""Check a conversion: run some views through an .om and through its ONNX model, and judge the outputs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from x3d.errors import EngineError, InputError, RunError, counted, describe_os_error
from x3d.execution.progress import progress_bar
from x3d.network.engine import Engine, infer_padded, open_engine
from x3d.network.model_file import ModelFile, read_model
from x3d.pipeline.ais_bench_command import infer_with_command
from x3d.pipeline.run_line import describe_model, log_run
from x3d.scoring.agreement import Agreement, Thresholds, find_outputs, judge_outputs
from x3d.scoring.outputs import are_alike
from x3d.storage.conversion_record import ConversionRecord, read_conversion
from x3d.storage.view_reader import Views, batched, open_views

logger = logging.getLogger(__name__)

MIN_VIEWS = 20
HOST_BATCH_SIZE = 8


@dataclass(frozen=True)
class CheckSettings:
    """Which conversion of which model to check, with which views.

    Attributes:
        input: folder of views.
        device: number of the NPU.
    """

    model: str
    om: str
    input: str
    num_views: int
    device: int
    thresholds: Thresholds


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        batch_size: of the .om.
        worst_path: of the view with the largest difference; empty: no output could be compared.
    """

    agreement: Agreement
    batch_size: int
    worst_path: str


def check(settings: CheckSettings) -> Check:
    """Run the views through both models: the .om with ais_bench, the ONNX model on this host in float32.

    ais_bench runs as a session of this process or, where it is in another environment, by its command line.

    Raises:
        InputError: views and models do not belong together, one cannot be read or run, or the ONNX model's outputs
            judge nothing. None of it is the verdict.
    """
    try:
        views = _choose_views(settings)
        model, om, record = _read_models(settings)
        reference = open_engine(model)
        session = _open_session(om, settings.device)
        _log_run(settings, len(views.paths), reference)
        if session:
            _check_models(settings, reference, session)
            _check_views(views, session.view_shape, session.input_dtype, settings.om)
            batch_size, found = session.batch_size or 1, _infer(views, session, settings.om)
        else:
            _check_views(views, reference.view_shape, record.input_dtype if record else "", settings.om)
            found, batch_size = infer_with_command(settings.om, views, reference.num_classes, settings.device)
        expected = _infer(views, reference, settings.model)
    except (RunError, OSError) as error:  # their status, 1, would look like FAIL
        raise InputError(describe_os_error(error) if isinstance(error, OSError) else str(error)) from error
    outputs = find_outputs(expected)
    if outputs is None or are_alike(expected):
        what = "the same scores for every view" if outputs else "neither probabilities nor logits"
        raise InputError(f"{settings.model} returns {what}, with which nothing can be judged; check the model")
    logger.info("batch size %d; outputs: %s", batch_size, outputs.value)
    agreement = judge_outputs(expected, found, outputs, settings.thresholds)
    worst = "" if agreement.worst_view is None else views.paths[agreement.worst_view]
    return Check(agreement, batch_size, worst)


def _log_run(settings: CheckSettings, num_views: int, reference: Engine) -> None:
    host = describe_model(settings.model, reference, reference.batch_size or HOST_BATCH_SIZE)
    npu = f"{settings.om} (ais_bench, NPU {settings.device})"
    log_run(f"{counted(num_views, 'view')} of {settings.input}", f"{host} and {npu}")


def _choose_views(settings: CheckSettings) -> Views:
    """Find the views and choose some.

    Raises:
        InputError: the folder holds too few, or it is none.
    """
    views = open_views(settings.input)
    if len(views.paths) < MIN_VIEWS:
        count = counted(len(views.paths), "view")
        raise InputError(f"--input {settings.input} holds {count}; {MIN_VIEWS} are needed")
    if views.provenance is None:
        logger.warning("--input %s: no manifest.json beside the views, so their values are not checked", settings.input)
    views.paths = spread(views.paths, settings.num_views)
    return views


def spread(paths: Sequence[str], num: int) -> list[str]:
    """Choose one of each `num` equal parts of a list, at a random place: a regular step could meet one crop only.

    The same list gives the same choice; of a shorter list all are chosen.
    """
    edges = np.linspace(0, len(paths), min(num, len(paths)) + 1).astype(int)
    return [paths[at] for at in np.random.default_rng(0).integers(edges[:-1], edges[1:])]


def _read_models(settings: CheckSettings) -> tuple[ModelFile, ModelFile, ConversionRecord | None]:
    """Read the ONNX model, the .om, and the record of its conversion.

    Raises:
        InputError: one cannot be read, or the record is that of another model.
    """
    model, om = read_model(settings.model), read_model(settings.om)
    record = read_conversion(settings.om, om.digest)
    if record and record.onnx_digest != model.digest:
        raise InputError(
            f"{settings.om} was converted from another model than {settings.model}, as the record beside it shows; "
            "give that one, or convert again"
        )
    return model, om, record


def _open_session(om: ModelFile, device: int) -> Engine | None:
    """Open the .om with ais_bench's session, None if this Python does not have it.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        return open_engine(om, device=str(device))
    except EngineError as error:
        if not isinstance(error.__cause__, ImportError):
            raise
        logger.warning("this Python cannot import ais_bench (%s); its command line is used", error.__cause__)
        return None


def _check_models(settings: CheckSettings, reference: Engine, om: Engine) -> None:
    """Check that both models are of one network."""
    if (om.view_shape, om.num_classes) != (reference.view_shape, reference.num_classes):
        raise InputError(
            f"{settings.om} takes views of {om.view_shape} and returns {om.num_classes} classes, {settings.model} "
            f"{reference.view_shape} and {reference.num_classes}: it was converted from another model; convert it again"
        )


def _check_views(views: Views, view_shape: tuple[int, ...], input_dtype: str, om: str) -> None:
    """Check that ais_bench, which reads bytes as they are, can run the views.

    Args:
        input_dtype: of the .om; empty if unknown.
    Raises:
        InputError: they have another shape, or another type than the .om takes.
    """
    views.check(view_shape, input_dtype or "float32")
    if input_dtype and views.dtype != input_dtype:
        what = "would cut each in two, in silence" if views.dtype == "float32" else "would not run them"
        raise InputError(
            f"{om} takes {input_dtype} and the views are {views.dtype}: ais_bench {what}; make views with "
            f"X3D_PREPROCESS.DTYPE {input_dtype}, or convert the model "
            f"{'without' if views.dtype == 'float32' else 'with'} --input_fp16_nodes"
        )


def _infer(views: Views, engine: Engine, model: str) -> np.ndarray:
    """Run every view through an engine.

    Args:
        model: its path, for the progress bar.
    Returns:
        (n, num_classes) float32.
    Raises:
        EngineError: the engine fails.
        RunError: a view is damaged.
    """
    rows = []
    with progress_bar(len(views.paths), noun="views", note=Path(model).name) as progress:
        for _, paths in batched(views.paths, engine.batch_size or HOST_BATCH_SIZE):
            rows.append(infer_padded(engine, views.read(paths, engine.view_shape, engine.input_dtype)))
            progress.update(len(paths))
    return np.concatenate(rows)
