"""Check a conversion: are the outputs of an .om those of its ONNX model?

Some views of a folder, spread over it -> each through the .om on the NPU, with ais_bench, and through the ONNX model on
this host, in float32 -> PASS, FAIL or UNDECIDED, as a line of JSON on stdout. ais_bench runs in this process, or by the
`python` on PATH where this Python does not have it.

    python x3d_npu.py check --model x3d_s.onnx --om x3d_s_bs8.om --input prep_data/

It judges outputs, not accuracy, for which these views are too few. PASS: the best class agrees in at least
--min_agreement percent of the views, and no probability differs by more than --max_difference. FAIL: the upper 95 %
Wilson limit of the agreement is below --min_agreement, or outputs are not finite or no scores. Else UNDECIDED. The
commands for the verdict on all views are logged.

The exit status is 0 for PASS, 1 for FAIL, 3 for UNDECIDED and 2 for what cannot be compared.
"""

import argparse
import json
import logging
import math
import shlex
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, EXIT_UNDECIDED
from x3d.console import print_result
from x3d.errors import InputError, counted
from x3d.subcommands.npu_options import suite_python, whole_number

if TYPE_CHECKING:
    from x3d.pipeline.npu_check import Check

logger = logging.getLogger(__name__)

STATUS = {"PASS": EXIT_DONE, "FAIL": EXIT_INCOMPLETE, "UNDECIDED": EXIT_UNDECIDED}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--model", required=True, metavar="FILE", help="the .onnx of x3d_pth2onnx.py")
    parser.add_argument("--om", required=True, metavar="FILE", help="what ATC made of it")
    parser.add_argument("--input", required=True, metavar="DIR", help="folder of views")
    parser.add_argument(
        "--num_views", type=whole_number(20), default=200, metavar="N", help="at least 20 (default: 200)"
    )
    parser.add_argument(
        "--device", type=whole_number(0), default=0, metavar="N", help="as ais_bench numbers them (default: 0)"
    )
    parser.add_argument(
        "--min_agreement", type=float, default=99.0, metavar="PERCENT", help="views with one best class (default: 99)"
    )
    parser.add_argument(
        "--max_difference", type=float, default=0.02, metavar="P", help="of a probability (default: 0.02)"
    )


def run(args: argparse.Namespace) -> int:
    """Check the conversion and print the verdict."""
    _check_options(args)
    from x3d.pipeline.npu_check import CheckSettings, check
    from x3d.scoring.agreement import Thresholds

    thresholds = Thresholds(args.min_agreement, args.max_difference)
    found = check(CheckSettings(args.model, args.om, args.input, args.num_views, args.device, thresholds))
    _log(found, args)
    print_result(json.dumps(_result_line(found)))
    return STATUS[found.agreement.verdict]


def _check_options(args: argparse.Namespace) -> None:
    if not args.om.lower().endswith(".om") or args.model.lower().endswith(".om"):
        raise InputError(f"--model {args.model} --om {args.om}: give the .onnx and the .om that ATC made of it")
    if not 0 < args.min_agreement <= 100 or not 0 <= args.max_difference < math.inf:
        raise InputError("--min_agreement is a share in percent, such as 99, and --max_difference at least 0")


def _log(found: "Check", args: argparse.Namespace) -> None:
    agreement, (low, high) = found.agreement, found.agreement.interval
    logger.info(
        "best class: the same in %d of %d views, %.2f %% (95 %% interval %.2f to %.2f); at least %g %% are needed",
        *(agreement.num_agreeing, agreement.num_views, agreement.agreement_percent, low, high, args.min_agreement),
    )
    if agreement.num_unusable:
        count = counted(agreement.num_unusable, "view")
        logger.error("%s: the output of %s %s", args.om, count, agreement.defect)
    if agreement.max_difference is not None:
        logger.info(
            "largest difference of a probability: %.3g (%s); at most %g is allowed",
            *(agreement.max_difference, found.worst_path, args.max_difference),
        )
    if agreement.verdict == "PASS":
        logger.info("PASS: the outputs are those of the ONNX model within these limits")
    elif agreement.verdict == "FAIL":
        logger.error(
            "FAIL: the conversion changes the scores; see whether --precision_mode must_keep_origin_dtype, or "
            "cube_fp16in_fp32out where the chip multiplies in float16 only, keeps them"
        )
    else:
        logger.warning("UNDECIDED: %s", _why_undecided(found, args))
    results, reference = f"result_bs{found.batch_size}", "result_onnx"
    infer = ["--model", args.model, "--input", args.input, "--output", "./", "--output_dirname", reference]
    compare = ["--cfg", "CFG", "--reference", reference, "--candidate", results]
    logger.info(
        "verdict on all views, with the results of ais_bench in %s\n%s\n%s",
        results,
        shlex.join([suite_python(), "x3d_infer.py", *infer]),
        shlex.join([suite_python(), "x3d_compare.py", *compare]),
    )


def _why_undecided(found: "Check", args: argparse.Namespace) -> str:
    if found.agreement.agreement_percent < args.min_agreement:
        num_views = found.agreement.num_views
        return f"{num_views} views are too few for PASS or FAIL; raise --num_views, or give --input more views"
    return (
        f"the best classes agree, and a probability differs by more than {args.max_difference:g}, which more views do "
        "not change; the comparison of all views decides whether accuracy was lost"
    )


def _result_line(found: "Check") -> dict[str, object]:
    agreement = found.agreement
    return {
        "verdict": agreement.verdict.value,
        "num_views": agreement.num_views,
        "num_agreeing": agreement.num_agreeing,
        "agreement_percent": agreement.agreement_percent,
        "low_percent": agreement.interval[0],
        "high_percent": agreement.interval[1],
        "max_difference": agreement.max_difference,
        "num_unusable": agreement.num_unusable,
        "min_agreement_percent": agreement.thresholds.min_agreement_percent,
        "max_allowed_difference": agreement.thresholds.max_difference,
    }
