"""Check a data set before a long run: which videos and which rows of the list are bad, and why.

A list and its videos -> counts by reason on stderr and one row per video in verify.csv. Every video is decoded whole,
by the same workers as in x3d_preprocess.py.

    python x3d_verify.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR Kinetics-400/ DATA.PATH_PREFIX Kinetics-400/val/

The exit status is 1 if a row or a video is bad. Files that are not listed are reported, and are no problem.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import verify

    verify()

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, script_main
from x3d.errors import REASONS, counted, format_problems

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = (
    "DATA",
    "MODEL.NUM_CLASSES",
    "TEST.NUM_ENSEMBLE_VIEWS",
    "TEST.NUM_SPATIAL_CROPS",
    "X3D_WORKERS.NUM",
    "X3D_WORKERS.RAY_ADDRESS",
    "X3D_WORKERS.TIMEOUT",
)

REPORT = Path("verify.csv")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Check the list and its videos, and report what is wrong."""
    from x3d.dataset.bad_rows import format_bad_rows
    from x3d.pipeline.verify import VerifySettings, verify

    settings = VerifySettings.from_cfg(cfg)
    if settings.bad_rows:
        logger.error("%s has bad lines:\n%s", settings.annotations, format_bad_rows(settings.bad_rows))
    found = verify(settings, REPORT)
    if found.unlisted:
        count = counted(len(found.unlisted), "file")
        logger.warning("%s not listed\n%s", count, format_problems(found.unlisted))
    total, bad_rows = found.num_good + found.num_bad, counted(len(found.bad_rows), "bad row")
    logger.info("%d of %s good; %s in the list; table: %s", found.num_good, counted(total, "video"), bad_rows, REPORT)
    for reason in sorted(set(found.num_videos) - {""}):
        count = counted(found.num_videos[reason], "video")
        logger.error("%s failed, %s: %s", count, reason, REASONS[reason])
    return EXIT_DONE if found.passed else EXIT_INCOMPLETE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS)
