"""Measure the throughput of .om models on an idle NPU, with ais_bench.

Some .om -> in --output npu_bench.json, npu_bench.md (a table, beside the figures of the original recipe, which is
printed too), and the log of each run, ais_bench_1.log.

    python x3d_npu.py bench --om om/x3d_s_bs1.om,om/x3d_s_bs8.om --output bench/

`npu-smi info` must show the NPU healthy and idle. It is asked again after each run. The batch size is the model's own:
one that contradicts the name of the .om or the record of its conversion, or an NPU that another process used, makes a
row doubtful. The exit status is 1 then, and if an .om cannot be measured, which does not stop the others.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, folder_name
from x3d.console import print_result
from x3d.errors import counted, format_problems
from x3d.subcommands.npu_options import whole_number

logger = logging.getLogger(__name__)

LOOP = 100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--om", required=True, metavar="FILE,...", help="models that ATC wrote, with commas between them"
    )
    parser.add_argument(
        "--loop", type=whole_number(1), default=LOOP, metavar="N", help=f"batches per model (default: {LOOP})"
    )
    parser.add_argument(
        "--device", type=whole_number(0), default=0, metavar="N", help="as ais_bench numbers them (default: 0)"
    )
    parser.add_argument("--output", required=True, type=folder_name, metavar="DIR", help="folder for the results")


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, and report what is doubtful or missing."""
    from x3d.pipeline.npu_bench import bench
    from x3d.pipeline.npu_bench_files import NAMES, format_bench

    content = bench(args.om.split(","), args.loop, args.device, args.output)
    logger.info("measurements: %s", Path(args.output, NAMES[0]))
    print_result(format_bench(content).rstrip())
    return _report(content)


def _report(content: dict[str, Any]) -> int:
    doubtful = [f"{row['om']}: {text}" for row in content["rows"] for text in row["warnings"]]
    failed = [f"{one['om']}: {one['reason']}" for one in content["failed"]]
    if doubtful:
        remedy = "measure again on an idle NPU, with models that match their names and records"
        num_rows = sum(bool(row["warnings"]) for row in content["rows"])
        count = counted(num_rows, "measurement")
        logger.error("%s doubtful; %s\n%s", count, remedy, format_problems(doubtful))
    if failed:
        logger.error("%s not measured\n%s", counted(len(failed), "model"), format_problems(failed))
    return EXIT_INCOMPLETE if doubtful or failed else EXIT_DONE
