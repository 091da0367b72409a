"""Report a run: its score, classes, confusions, calibration, failed videos and errors, as a page and as tables.

A folder of x3d_evaluate.py, or results of `python -m ais_bench` or `x3d_infer.py` -> a folder with index.html, which
needs no network, report.json with every number of the page, predictions.csv, classes.csv, confusions.csv,
calibration.csv and scores.npy. The page's path is the last line of stdout.

    python x3d_report.py --cfg configs/X3D_S.yaml --results result_bs8 --output report/

The expected videos are those that x3d_postprocess.py expects. Videos without results are reported as failed; the exit
status is 1 then. --compare adds the comparison with another run, as x3d_compare.py makes it, and its flips.csv.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import report

    report()

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import (
    EXIT_DONE,
    EXIT_INCOMPLETE,
    add_comparison_options,
    folder_name,
    log_accuracy,
    report_names,
    script_main,
)
from x3d.config.keys import SCORING_KEYS
from x3d.errors import InputError

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = SCORING_KEYS

FAULTS = ("failures", "folders", "labels")
"""Kinds of findings that are logged as warnings, beside those that are warnings of the comparison."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the folders."""
    parser.add_argument("--results", required=True, type=folder_name, metavar="DIR", help="folder of the run")
    parser.add_argument("--output", required=True, type=folder_name, metavar="DIR", help="folder of the report")
    parser.add_argument("--compare", type=folder_name, metavar="DIR", help="folder of another run to compare with")
    add_comparison_options(parser)


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Write the report, log what stands out, and print where the page is."""
    from x3d.console import print_result
    from x3d.dataset.class_names import ClassNames
    from x3d.pipeline.postprocess import ScoringSettings
    from x3d.pipeline.report import open_report, write_report

    if args.common and not args.compare:
        raise InputError("--common is about a comparison; give the folder of another run with --compare too")
    compare_with = args.compare or ""
    with open_report(args.output, (args.results, compare_with)) as target:
        names, settings = ClassNames.from_cfg(cfg), ScoringSettings.from_cfg(cfg)
        report = write_report(args.results, target, settings, names, compare_with, args.margin, args.common)
    report_names(names)
    if report.accuracy:
        log_accuracy(report.accuracy)
    warnings = (report.content["comparison"] or {}).get("warnings", ())
    for warning in warnings:
        logger.warning(warning)
    for finding in report.content["findings"]:
        text = finding["text"].removesuffix(".")
        if text not in (*report.content["warnings"], *warnings):
            logger.log(logging.WARNING if finding["kind"] in FAULTS else logging.INFO, "%s", text)
    logger.info("report: %s; open it in a browser", report.page)
    print_result(str(report.page))
    return EXIT_DONE if report.complete else EXIT_INCOMPLETE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS, add_options=add_options)
