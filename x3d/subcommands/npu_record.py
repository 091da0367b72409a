"""Collect what the tools of the NPU print, and all versions, into one file to attach to an issue.

The developers have no NPU: what parses the tools' output was written from public texts, and is tested with files such
as this one. It contains versions of Python, CANN, driver and firmware, the output of npu-smi, atc --help and
ais_bench --help, and with --om a short measurement of a model, with ATC's log if convert left one beside it. Names of
host and users, paths in home folders and serial numbers are masked; read it before you attach it.

    python x3d_npu.py record --output npu_record.json [--om x3d_s_bs8.om]

A tool that is missing, fails or hangs is recorded as such; the exit status is 1 then.
"""

import argparse
import logging
from pathlib import Path

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE
from x3d.console import print_result
from x3d.errors import InputError, counted, format_problems

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--output", required=True, metavar="FILE", help="the JSON to write, such as npu_record.json")
    parser.add_argument("--om", default="", metavar="FILE", help="a model to measure for 20 batches")


def run(args: argparse.Namespace) -> int:
    """Write the record, and report what it contains."""
    from x3d.pipeline.npu_record import ABOUT, record
    from x3d.storage.atomic import check_writable

    path = Path(args.output)
    if not path.name or path.is_dir():
        raise InputError(f"--output {args.output!r} names no file; give one, such as npu_record.json")
    check_writable(path, "give another --output")
    if args.om and not Path(args.om).is_file():
        raise InputError(f"--om {args.om} does not exist; convert one with ATC, or leave it out")
    content = record(path, args.om)
    logger.info(ABOUT)
    ran = content["commands"]
    failed = [f"{one['command']}: {(one['output'] or [''])[-1]}" for one in ran if one["exit_status"] != 0]
    if failed:
        logger.warning("%d of %s failed\n%s", len(failed), counted(len(ran), "command"), format_problems(failed))
    logger.info("record: %s; read it, then attach it to an issue", path)
    print_result(str(path))
    return EXIT_INCOMPLETE if failed else EXIT_DONE
