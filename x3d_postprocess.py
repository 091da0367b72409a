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

from x3d.cli import EXIT_DONE, fail, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger("x3d_postprocess")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Read the folder, whatever wrote it, and score it."""
    if not cfg.X3D_POSTPROCESS.ENABLE:
        logger.info("X3D_POSTPROCESS.ENABLE is False: nothing to do")
        return EXIT_DONE
    from x3d.dataset.annotations import list_path, read_list
    from x3d.pipeline.scoring_run import read_results, score_table
    from x3d.storage.evaluation_folder import is_eval_folder, read_rows

    folder = cfg.X3D_POSTPROCESS.OM_OUTPUT_PATH
    if not is_eval_folder(folder):
        return score_table(cfg, folder, read_results(cfg, folder))
    if cfg.X3D_POSTPROCESS.BACKEND != "native":
        return fail(f"{folder} holds aggregated scores; set X3D_POSTPROCESS.BACKEND native")
    labels = [video.label for video in read_list(cfg)] if cfg.DATA.PATH_TO_DATA_DIR else None
    table = read_rows(folder, cfg.MODEL.NUM_CLASSES, cfg.DATA.ENSEMBLE_METHOD, labels, str(list_path(cfg)))
    return score_table(cfg, folder, table)


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
