"""Score a folder of results: top-1 and top-5 accuracy.

Results of `python -m ais_bench` or `x3d_infer.py`, one file per view, or a folder of `x3d_evaluate.py` -> the accuracy
as a JSON line on stdout, and counts, intervals and conditions in `<folder>_accuracy.json`.

    python x3d_postprocess.py --cfg configs/X3D_S.yaml X3D_POSTPROCESS.OM_OUTPUT_PATH result_bs8

The expected videos are those of the test.csv in DATA.PATH_TO_DATA_DIR if it is set; else those of the list that the
views were made from, as the summary beside the folder or the manifest of the views records it; else those that the
summary names; else videos 0 to the last one found. The shards of x3d_evaluate.py in one folder are merged.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import postprocess

    postprocess()

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, report_accuracy, script_main
from x3d.config.keys import SCORING_KEYS

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = (*SCORING_KEYS, "X3D_POSTPROCESS")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Score the folder and report the accuracy."""
    if not cfg.X3D_POSTPROCESS.ENABLE:
        logger.info("X3D_POSTPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE

    from x3d.pipeline.postprocess import ScoringSettings, score_folder
    from x3d.storage.accuracy_file import remove_accuracy

    folder = cfg.X3D_POSTPROCESS.OM_OUTPUT_PATH
    remove_accuracy(folder)
    return report_accuracy(score_folder(folder, ScoringSettings.from_cfg(cfg)), folder)


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS)
