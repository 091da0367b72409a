"""Score videos with a model, with no file per view in between.

A list of videos and a model -> one row of aggregated scores per video in X3D_EVALUATE.OUTPUT_PATH, and the accuracy as
a JSON line on stdout.

    python x3d_evaluate.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR Kinetics-400/ \\
        DATA.PATH_PREFIX Kinetics-400/val/ X3D_EVALUATE.MODEL_PATH x3d_s.onnx X3D_EVALUATE.OUTPUT_PATH eval/

A stopped run resumes where it was. A shard (--shard_id, --num_shards) writes its rows and prints no line:
x3d_postprocess.py scores the folder when all shards are in it.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import evaluate

    evaluate()

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import report_accuracy, report_run, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = (
    "DATA",
    "TEST.BATCH_SIZE",
    "TEST.NUM_ENSEMBLE_VIEWS",
    "TEST.NUM_SPATIAL_CROPS",
    "MODEL.NUM_CLASSES",
    "MODEL.HEAD_ACT",
    "X3D_POSTPROCESS.ALLOW_MISSING",
    "X3D_POSTPROCESS.SOFTMAX",
    "X3D_EVALUATE",
    "X3D_WORKERS",
)


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Score the videos that have no row yet, then the whole folder if it has one shard."""
    from x3d.dataset.naming import Shard
    from x3d.pipeline.evaluate import evaluate
    from x3d.pipeline.evaluate_settings import EvaluateSettings
    from x3d.pipeline.postprocess import ScoringSettings, score_folder

    settings = EvaluateSettings.from_cfg(cfg)
    scoring = ScoringSettings.from_cfg(cfg, settings.videos)
    status = report_run(evaluate(settings, Shard(args.shard_id, args.num_shards)))
    if args.num_shards > 1:
        logger.info("x3d_postprocess.py scores the folder of all %d shards", args.num_shards)
        return status
    accuracy = score_folder(settings.output_path, scoring)
    return max(status, report_accuracy(accuracy, settings.output_path))


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, with_shards=True, reads=READS)
