"""Compare two runs on the same videos: is the candidate's top-1 lower by less than a margin?

Two folders of `x3d_evaluate.py`, of ais_bench or of `x3d_infer.py`, such as of a model and of its conversion -> PASS,
FAIL or UNDECIDED, as the last line on stdout, and with --output comparison.json, flips.csv, summary.md and junit.xml.

    python x3d_compare.py --cfg configs/X3D_S.yaml --reference eval_f32 --candidate eval_f16 --output compared

PASS: the upper one-sided 95 % limit of the drop is below the margin. FAIL: the lower one is above it. Else UNDECIDED,
with the number of videos that would decide. Videos are paired by path, or by position where no list is known. Without
labels the agreement is reported, and nothing is decided. In junit.xml both are failures, as FAIL is, and runs that
cannot be compared are an error.

The exit status is 0 for PASS, 1 for FAIL, 3 for UNDECIDED or without labels, and 2 for wrong input.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import compare

    compare()

import argparse
import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from x3d.cli import (
    EXIT_DONE,
    EXIT_INCOMPLETE,
    EXIT_UNDECIDED,
    add_comparison_options,
    fail,
    folder_name,
    report_names,
    script_main,
)
from x3d.config.keys import SCORING_KEYS
from x3d.console import print_result
from x3d.errors import InputError, ScoringError, counted, format_problems

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = SCORING_KEYS
STATUS = {"PASS": EXIT_DONE, "FAIL": EXIT_INCOMPLETE, "UNDECIDED": EXIT_UNDECIDED}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the runs and say how to compare them."""
    parser.add_argument("--reference", required=True, type=folder_name, metavar="DIR", help="the run to compare with")
    parser.add_argument("--candidate", required=True, type=folder_name, metavar="DIR", help="the run to judge")
    parser.add_argument("--output", type=folder_name, metavar="DIR", help="folder to write the comparison to")
    add_comparison_options(parser)


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Compare the folders and report the verdict."""
    from x3d.dataset.class_names import ClassNames
    from x3d.pipeline.compare import compare, comparison_to_dict, list_flips
    from x3d.pipeline.comparison_files import open_comparison, write_comparison, write_error
    from x3d.pipeline.comparison_text import describe_comparison
    from x3d.pipeline.postprocess import ScoringSettings

    runs = args.reference, args.candidate
    with open_comparison(args.output, runs) if args.output else contextlib.nullcontext() as output:
        try:
            names, settings = ClassNames.from_cfg(cfg), ScoringSettings.from_cfg(cfg)
            comparison = compare(*runs, settings, args.margin, args.common)
        except (InputError, ScoringError) as error:
            if output:
                with contextlib.suppress(OSError):  # the error that is reported is why nothing is compared
                    write_error(output, runs, str(error))
            raise InputError(str(error)) from error  # the status of a ScoringError, 1, would look like FAIL
        content = comparison_to_dict(comparison, names)
        report_names(names)
        _log(content, describe_comparison(content))
        status = STATUS[content["decision"]["verdict"]] if content["decision"] else EXIT_UNDECIDED
        if output:
            try:
                write_comparison(output, content, list_flips(comparison, names))
                logger.info("comparison: %s", output)
            except OSError as error:
                status = fail(f"{error.filename} cannot be written: {error.strerror}", EXIT_INCOMPLETE)
    print_result(json.dumps(result_line(content)))
    return status


def _log(content: Mapping[str, Any], sentences: Sequence[str]) -> None:
    if content["num_left_out"]:
        count = counted(content["num_left_out"], "video")
        logger.warning("%s not compared\n%s", count, format_problems(content["left_out"]))
    for warning in content["warnings"]:
        logger.warning(warning)
    if content["differences"]:
        logger.info("the runs differ in\n%s", format_problems(content["differences"]))
    *agreement, verdict = sentences
    for sentence in agreement:
        logger.info(sentence)
    logger.log(logging.INFO if content["decision"] else logging.WARNING, verdict)


def result_line(content: Mapping[str, Any]) -> dict[str, Any]:
    """Choose what the last line on stdout holds."""
    decided = content["decision"] or {}
    keys = ("verdict", "drop_points", "low_points", "high_points", "margin_points", "num_videos_to_decide")
    counts = {key: content[key] for key in ("lost", "gained", "num_videos", "num_labelled", "num_left_out")}
    return {**{key: decided.get(key) for key in keys}, **counts, "agreement_percent": content["agreement"]["percent"]}


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS, add_options=add_options)
