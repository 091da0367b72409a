"""Decode videos into views, the network's inputs.

A list of videos -> <view>_<label>.npy or .bin, each one (1, 3, T, C, C) view, float32 or float16, and manifest.json.

    python x3d_preprocess.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR Kinetics-400/ \\
        DATA.PATH_PREFIX Kinetics-400/val/ X3D_PREPROCESS.DATA_OUTPUT_PATH prep_data/

A stopped run resumes where it was. A video that cannot be used is listed with its reason, and the exit status is 1.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import preprocess

    preprocess()

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, report_run, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = ("DATA", "TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_SPATIAL_CROPS", "X3D_PREPROCESS", "X3D_WORKERS")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Decode what is missing, and report what was done."""
    if not cfg.X3D_PREPROCESS.ENABLE:
        logger.info("X3D_PREPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE

    from x3d.dataset.naming import Shard
    from x3d.pipeline.preprocess import PreprocessSettings, preprocess

    return report_run(preprocess(PreprocessSettings.from_cfg(cfg), Shard(args.shard_id, args.num_shards)))


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, with_shards=True, reads=READS)
