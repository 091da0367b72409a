"""Score a folder of results: top-1 and top-5 accuracy.

Results of `python -m ais_bench` or `x3d_infer.py`, one file a view, or a folder of `x3d_evaluate.py` -> the accuracy as
a JSON line on stdout, and counts and conditions in `<folder>_accuracy.json`.

    python x3d_postprocess.py --cfg configs/X3D_S.yaml X3D_POSTPROCESS.OM_OUTPUT_PATH result_bs8

The videos of DATA.PATH_TO_DATA_DIR's test.csv are expected when it is given; else what the summary beside the folder
names; else videos 0 to the last one found. The shards of x3d_evaluate.py in one folder are merged.
"""

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger("x3d_postprocess")

READS = (
    "DATA.PATH_TO_DATA_DIR",
    "DATA.PATH_LABEL_SEPARATOR",
    "DATA.ENSEMBLE_METHOD",
    "TEST.NUM_ENSEMBLE_VIEWS",
    "TEST.NUM_SPATIAL_CROPS",
    "MODEL.NUM_CLASSES",
    "X3D_POSTPROCESS",
)


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Read the folder, whatever wrote it, and score it."""
    if not cfg.X3D_POSTPROCESS.ENABLE:
        logger.info("X3D_POSTPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE
    from x3d.pipeline.scoring_run import read_results, score_table
    from x3d.storage.evaluation_folder import is_eval_folder, read_rows

    folder = cfg.X3D_POSTPROCESS.OM_OUTPUT_PATH
    read = read_rows if is_eval_folder(folder) else read_results
    return score_table(cfg, folder, read(cfg, folder))


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv, reads=READS)


if __name__ == "__main__":
    raise SystemExit(main())
