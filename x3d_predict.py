"""Predict what videos show: the names of the best classes, with probabilities.

Videos and a model -> a table per video on stdout, and --output as csv or json. A video is scored as x3d_evaluate.py
scores it, with the same views: NUM_ENSEMBLE_VIEWS clips over its whole length, NUM_SPATIAL_CROPS crops of each. The
table has the mean probability of each class over these views, and how many of the views have it as their best class.

    python x3d_predict.py --cfg configs/X3D_S.yaml --model x3d_s.onnx --input clip.mp4

--input takes a file, a folder with all its subfolders, or several with commas between them. Names are Kinetics-400's
if the model has 400 classes; --names gives those of another data set, a name per line in the order of the labels.

--every SECONDS is for long videos. It names the class at every step of this length, and merges neighbouring steps of
the same class into a segment. A step is decided by a window of 10 s around it, with NUM_ENSEMBLE_VIEWS clips per 10 s
and all crops, as in an evaluation of a video of Kinetics: what lasts less than about 5 s is not found. Probability
and views in the table are those of the segment alone. The video is decoded once.

    python x3d_predict.py --cfg configs/X3D_S.yaml --model x3d_s.onnx --input long.mp4 --every 2 --output long.csv

Warnings name videos shorter than a clip, under 10 frames per second, with rotation metadata or damaged frames. The time
limit of a video, X3D_WORKERS.TIMEOUT, is multiplied by the MB of the largest file. The exit status is 1 if a video
failed.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import predict

    predict()

import argparse
import logging
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, script_main
from x3d.errors import InputError, RunError, counted

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.pipeline.video_predictor import Prediction

logger = logging.getLogger(__name__)

READS = (
    "DATA.CLASS_NAMES",
    "DATA.ENSEMBLE_METHOD",
    "DATA.NUM_FRAMES",
    "DATA.SAMPLING_RATE",
    "DATA.TARGET_FPS",
    "DATA.USE_OFFSET_SAMPLING",
    "DATA.MEAN",
    "DATA.STD",
    "DATA.TRAIN_JITTER_SCALES",
    "DATA.TEST_CROP_SIZE",
    "DATA.REVERSE_INPUT_CHANNEL",
    "TEST.BATCH_SIZE",
    "TEST.NUM_ENSEMBLE_VIEWS",
    "TEST.NUM_SPATIAL_CROPS",
    "MODEL.NUM_CLASSES",
    "MODEL.HEAD_ACT",
    "X3D_POSTPROCESS.SOFTMAX",
    "X3D_EVALUATE.ENGINE",
    "X3D_EVALUATE.DEVICE",
    "X3D_EVALUATE.PRECISION",
    "X3D_WORKERS",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name model, videos and output."""
    parser.add_argument("--model", required=True, metavar="FILE", help="the .onnx, .xml or .om to run")
    parser.add_argument("--input", required=True, metavar="PATHS", help="videos: file, folder, or file,folder,...")
    parser.add_argument("--names", default="", metavar="FILE", help="class names, instead of DATA.CLASS_NAMES")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="name the class every SECONDS, such as 2")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="classes of a whole video (default: 5)")
    parser.add_argument("--output", default="", metavar="FILE", help="write a .csv or .json too")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Predict every video and print its table, then write the output."""
    from x3d.dataset.input_videos import find_input_videos
    from x3d.pipeline.predict import PredictSettings, describe_alike, predict_each
    from x3d.pipeline.prediction_files import check_output, write_predictions

    if args.every is not None and not 0 < args.every < math.inf:
        raise InputError(f"--every {args.every:g} is no length of time; give a number of seconds above 0")
    if args.top < 1:
        raise InputError(f"--top {args.top} leaves no class; give a number of at least 1")
    output = Path(args.output) if args.output else None
    if output:
        check_output(output)
    settings = PredictSettings.from_cfg(
        cfg, find_input_videos(args.input), args.model, args.names, args.top, args.every or 0.0
    )
    if settings.names.names is None:
        logger.warning("the names of the %d classes are not known; give them with --names", cfg.MODEL.NUM_CLASSES)
    predictions, unprinted = _print_each(predict_each(settings), bool(args.every), output)
    if output:
        write_predictions(output, predictions)
    if unprinted is not None:
        raise unprinted
    if alike := describe_alike(predictions):
        logger.warning(alike)
    return _report(predictions, len(settings.evaluation.videos), output)


def _print_each(
    predictions: "Iterable[Prediction]", in_steps: bool, output: Path | None
) -> "tuple[list[Prediction], RunError | None]":
    """Print each prediction as soon as it is known.

    Returns:
        The predictions; why not all are printed, if they will be written to `output`.
    Raises:
        RunError: one cannot be printed, and will not be written.
    """
    known: list[Prediction] = []
    unprinted: RunError | None = None
    for prediction in predictions:
        try:
            if unprinted is None:
                _show(prediction, in_steps, is_first=not known)
        except RunError as error:
            if output is None:
                raise
            logger.warning("%s; %s is written nevertheless", error, output)
            unprinted = error
        known.append(prediction)
    return known, unprinted


def _show(prediction: "Prediction", in_steps: bool, is_first: bool) -> None:
    """Log the warnings of a video and print its table, after a blank line; a failure has been logged."""
    from x3d.console import print_result
    from x3d.execution.progress import above_bar
    from x3d.pipeline.prediction_text import format_prediction

    for warning in prediction.warnings:
        logger.warning("%s: %s", prediction.path, warning)
    if prediction.segments:
        table = format_prediction(prediction, in_steps, getattr(sys.stdout, "encoding", None) or "ascii")
        with above_bar():
            print_result(table if is_first else f"\n{table}")


def _report(predictions: "Sequence[Prediction]", num_videos: int, output: Path | None) -> int:
    from x3d.execution.progress import log_failures

    failed = [{"reason": found.reason, "text": found.text} for found in predictions if found.reason]
    num_done = len(predictions) - len(failed)
    where = f"; predictions: {output}" if output else ""
    logger.info("%d of %s done%s", num_done, counted(num_videos, "video"), where)
    log_failures(failed)
    return EXIT_DONE if num_done == num_videos else EXIT_INCOMPLETE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS, add_options=add_options)
