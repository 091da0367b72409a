"""Check a conversion: run some views through an .om and through its ONNX model, and judge the outputs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from x3d.errors import InputError, RunError
from x3d.network.engine import Engine, infer_padded, open_engine
from x3d.network.model_file import read_model
from x3d.scoring.agreement import Agreement, Thresholds, find_outputs, judge_outputs
from x3d.scoring.outputs import are_alike
from x3d.storage.conversion_record import read_conversion
from x3d.storage.view_reader import Views, batched, open_views

logger = logging.getLogger(__name__)

MIN_VIEWS = 20


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
    """Run the views through both models, the .om with ais_bench's session, the ONNX model on this host in float32.

    Raises:
        InputError: views and models do not belong together, one cannot be read or run, or the ONNX model's outputs
            judge nothing. None of it is the verdict.
    """
    try:
        views = _choose_views(settings)
        om, reference = _open_both(settings)
        _check_views(views, om, settings.om)
        expected, found = _infer_both(views, reference, om)
    except RunError as error:  # its status, 1, would look like FAIL
        raise InputError(str(error)) from error
    outputs = find_outputs(expected)
    if outputs is None or are_alike(expected):
        what = "the same scores for every view" if outputs else "neither probabilities nor logits"
        raise InputError(f"{settings.model} returns {what}, with which nothing can be judged; check the model")
    logger.info("outputs: %s", outputs.value)
    agreement = judge_outputs(expected, found, outputs, settings.thresholds)
    worst = "" if agreement.worst_view is None else views.paths[agreement.worst_view]
    return Check(agreement, om.batch_size or 1, worst)


def _choose_views(settings: CheckSettings) -> Views:
    """Find the views and choose some.

    Raises:
        InputError: the folder holds too few, or it is none.
    """
    views = open_views(settings.input)
    if len(views.paths) < MIN_VIEWS:
        raise InputError(f"--input {settings.input} holds {len(views.paths)} views; {MIN_VIEWS} are needed")
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


def _open_both(settings: CheckSettings) -> tuple[Engine, Engine]:
    """Open the .om and the ONNX model.

    Raises:
        InputError: one cannot be opened, or they are not of one network.
    """
    model, converted = read_model(settings.model), read_model(settings.om)
    record = read_conversion(settings.om, converted.digest)
    if record and record.onnx_digest != model.digest:
        raise InputError(
            f"{settings.om} was converted from another model than {settings.model}, as the record beside it shows; "
            "give that one, or convert again"
        )
    reference, om = open_engine(model), open_engine(converted, device=str(settings.device))
    if (om.view_shape, om.num_classes) != (reference.view_shape, reference.num_classes):
        raise InputError(
            f"{settings.om} takes views of {om.view_shape} and returns {om.num_classes} classes, {settings.model} "
            f"{reference.view_shape} and {reference.num_classes}: it was converted from another model; convert it again"
        )
    logger.info("%s: batch size %d; reference: %s on %s", settings.om, om.batch_size, reference.name, reference.device)
    return om, reference


def _check_views(views: Views, om: Engine, path: str) -> None:
    """Check that ais_bench, which reads bytes as they are, can run the views.

    Raises:
        InputError: they have another shape, or another type than the .om takes.
    """
    views.check(om.view_shape, om.input_dtype)
    if views.dtype != om.input_dtype:
        what = "would cut each in two, in silence" if views.dtype == "float32" else "would not run them"
        raise InputError(
            f"{path} takes {om.input_dtype} and the views are {views.dtype}: ais_bench {what}; make views with "
            f"X3D_PREPROCESS.DTYPE {om.input_dtype}, or convert the model "
            f"{'without' if views.dtype == 'float32' else 'with'} --input_fp16_nodes"
        )


def _infer_both(views: Views, reference: Engine, om: Engine) -> tuple[np.ndarray, np.ndarray]:
    """Run every view through both engines.

    Returns:
        The outputs of the reference and of the .om, each (n, num_classes) float32.
    Raises:
        EngineError: an engine fails.
        RunError: a view is damaged.
    """
    expected, found = [], []
    with tqdm(total=len(views.paths), desc="views", unit="view") as progress:
        for _, paths in batched(views.paths, om.batch_size or 1):
            batch = views.read(paths, om.view_shape, om.input_dtype)
            found.append(infer_padded(om, batch))
            size = reference.batch_size or len(batch)
            expected += [infer_padded(reference, batch[at : at + size]) for at in range(0, len(batch), size)]
            progress.update(len(paths))
    return np.concatenate(expected), np.concatenate(found)
