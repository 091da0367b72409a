"""Command line, logging, reports and exit status of the scripts."""

import argparse
import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from x3d import __version__
from x3d.config.loading import CONFIGS
from x3d.config.options import check_options
from x3d.config.tables import keys_help
from x3d.console import print_result, setup_logging, write_log
from x3d.dataset.naming import MAX_SHARDS
from x3d.errors import InputError, RunError, counted, describe_os_error, is_out_of_memory
from x3d.files import short_path
from x3d.signals import end_on_stop_signals, restore_handlers

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.dataset.class_names import ClassNames
    from x3d.pipeline.summary import RunSummary
    from x3d.scoring import Accuracy

logger = logging.getLogger(__name__)

_NO_MEMORY = "not enough memory for what is configured; fewer workers, a smaller batch or a smaller network need less"

EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE, EXIT_UNDECIDED = 0, 1, 2, 3

DEFAULT_CFG = CONFIGS / "X3D_S.yaml"


def build_parser(description: str | None, with_shards: bool, reads: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser of a script that reads a configuration: `--cfg FILE KEY VALUE ...`.

    Args:
        reads: the configuration's sections and keys that the script reads; `--help` lists them.
    """
    parser = argparse.ArgumentParser(
        description=description, epilog=keys_help(reads), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cfg",
        metavar="FILE",
        default=str(DEFAULT_CFG),
        help="yaml file, or the name of one in configs/ (default: X3D_S)",
    )
    if with_shards:
        parser.add_argument("--shard_id", type=int, default=0, help="this shard's number, from 0 (default: 0)")
        parser.add_argument("--num_shards", type=int, default=1, help="number of shards (default: 1)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="configuration keys and values, over the file's")
    return parser


def folder_name(text: str) -> str:
    """Parse an option that names a folder: an empty one, as of an unset variable, is a mistake.

    Raises:
        ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a folder, or leave the option out")
    return text


def add_comparison_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a comparison of two runs."""
    parser.add_argument(
        "--margin", type=float, default=0.735, metavar="POINTS", help="accepted loss of top-1 (default: 0.735 points)"
    )
    parser.add_argument(
        "--common",
        action="store_true",
        help="leave out what only one run lists or scored, and videos whose files differ, instead of rejecting it",
    )


def script_main(
    description: str | None,
    run: Callable[["CfgNode", argparse.Namespace], int],
    argv: Sequence[str] | None,
    with_shards: bool = False,
    reads: Sequence[str] = (),
    add_options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Parse the command line, load the configuration and run a script.

    Args:
        run: takes the frozen configuration and the parsed arguments, returns the exit status.
        reads: the configuration's sections and keys that the script reads.
        add_options: adds the script's own options to the parser.
    Returns:
        The exit status: 0 done, 1 something failed or is missing, 2 nothing started, 130 or 143 stopped by a signal.
    """
    parser = build_parser(description, with_shards, reads)
    if add_options:
        add_options(parser)
    check_options(parser, argv, reads)
    args = parser.parse_intermixed_args(argv)
    if with_shards and not 0 <= args.shard_id < args.num_shards <= MAX_SHARDS:
        return fail(
            f"--shard_id {args.shard_id} --num_shards {args.num_shards}: shards are numbered from 0 to one less than "
            f"their number, which is at most {MAX_SHARDS}; give both"
        )

    def configured() -> int:
        from x3d.config.loading import describe_cfg, load_cfg

        cfg = load_cfg(args.cfg, args.opts)
        logger.info("configuration: %s", describe_cfg(cfg, args.cfg, reads))
        logger.debug("whole configuration\n%s", cfg.dump())
        return run(cfg, args)

    return guarded(configured)


def guarded(action: Callable[[], int]) -> int:
    """Run an action with streams, logging and signals set up; turn errors into one log line and an exit status."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    handlers = end_on_stop_signals() if on_main_thread else {}
    try:
        setup_logging()
        return action()
    except ImportError as error:
        if is_out_of_memory(error):
            return fail(_NO_MEMORY, EXIT_INCOMPLETE)
        return fail(_describe_import_error(error))
    except InputError as error:
        return fail(str(error))
    except OSError as error:
        return fail(describe_os_error(error), EXIT_INCOMPLETE)
    except RunError as error:
        return fail(str(error), EXIT_INCOMPLETE)
    except RecursionError as error:
        return fail(f"a file is nested too deeply to be read; the log {write_log(error)} shows which", EXIT_INCOMPLETE)
    except Exception as error:  # noqa: BLE001 (what no one expected)
        if is_out_of_memory(error):
            return fail(_NO_MEMORY, EXIT_INCOMPLETE)
        summary = " ".join(traceback.format_exception_only(error)[-1].split())
        return fail(f"this is a bug of x3d-eval {__version__}: {summary}; log: {write_log(error)}", EXIT_INCOMPLETE)
    finally:
        restore_handlers(handlers)


def _describe_import_error(error: ImportError) -> str:
    found = f"{error.name} is missing" if isinstance(error, ModuleNotFoundError) and error.name else f"{error}"
    return (
        f"{found} in {sys.executable}; activate the environment (. .venv/bin/activate), or install the packages "
        "(pip install -r requirements.txt)"
    )


def fail(text: str, status: int = EXIT_USAGE) -> int:
    """Log an error and return an exit status."""
    setup_logging()
    logger.error(text)
    return status


def report_run(summary: "RunSummary") -> int:
    """Log a run's counts and failures.

    Returns:
        The exit status.
    """
    from x3d.execution.progress import log_failures

    logger.info("%d of %s done; manifest: %s", summary.num_done, counted(summary.num_videos, "video"), summary.manifest)
    if summary.num_rotated:
        rotated = counted(summary.num_rotated, "video")
        logger.info("%s with rotation metadata, which is not applied, as in PySlowFast", rotated)
    if summary.num_corrupt:
        corrupt = counted(summary.num_corrupt, "video")
        logger.warning("%s with frames that the decoder marked as damaged; they are used, as in PySlowFast", corrupt)
    if summary.num_not_reached:
        logger.error("%s not reached", counted(summary.num_not_reached, "video"))
    log_failures(summary.failed)
    return EXIT_DONE if summary.complete else EXIT_INCOMPLETE


def report_names(names: "ClassNames") -> None:
    """Log what to set if the classes have no names."""
    if names.names is None:
        logger.info("classes are named by their numbers; set DATA.CLASS_NAMES to a file with a name per line")


def report_accuracy(accuracy: "Accuracy", folder: str) -> int:
    """Print the accuracy as a JSON line; log counts and intervals, and write them beside the folder.

    Returns:
        The exit status.
    """
    from x3d.storage.accuracy_file import write_accuracy

    log_accuracy(accuracy)
    status = EXIT_DONE if accuracy.complete else EXIT_INCOMPLETE
    try:
        path = write_accuracy(folder, accuracy.to_dict())
        logger.info("counts, intervals and conditions: %s", short_path(path))
    except OSError as error:
        status = fail(f"{error.filename} cannot be written: {error.strerror}", EXIT_INCOMPLETE)
    print_result(json.dumps(dict(accuracy.line)))
    return status


def log_accuracy(accuracy: "Accuracy") -> None:
    """Log top-1 and top-5 with both denominators, and what is to be known of them."""
    for k in accuracy.num_correct:
        logger.info("top-%d of the videos scored: %s", k, accuracy.of_scored(k))
        if not accuracy.complete:
            logger.warning("top-%d of the videos listed: %s", k, accuracy.of_listed(k))
    for warning in accuracy.warnings:
        logger.warning(warning)
    if accuracy.num_unlabelled:
        logger.warning("%s unlabelled (-1), left out of the accuracy", counted(accuracy.num_unlabelled, "video"))
