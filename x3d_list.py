"""Make test.csv from a folder of videos, in any copy's layout, or choose a part of it.

Videos, with annotations of any tool -> a row `path label` per video, sorted by path, and `<stem>.ledger.csv` beside it,
with what happened to every video and file. Labels are positions in the fixed order of the class names. No video is
opened. With --from and --subset, as many videos of each class as of the others are chosen from a list, and sorted by
path too.

    python x3d_list.py --videos Kinetics-400/val --annotations validate.csv --output Kinetics-400/test.csv
    python x3d_list.py --from Kinetics-400/test.csv --subset 400 --output smoke/test.csv

Annotations are the official csv or json, or a list of mmaction2, PaddleVideo, GluonCV, PySlowFast or TimeSformer,
recognised by content. Videos are matched with them by id, the first 11 characters of the file name; names that begin
with no id are matched whole, with their folder if several folders have the same. Several files may be given. Without
any, the folder of a video names its class, with spaces or underscores. A number that contradicts the name of the folder
or of another file is an error that names the order of the classes it follows.

Paths are relative to --videos: set DATA.PATH_PREFIX to that folder, for replacements too, whose paths begin with `../`
if they lie beside it. Keep the two folders where they are, relative to each other.

States in the ledger; those with * are left out of the list, and make the exit status 1:
  found       listed, and the file exists
  replaced    the same, with the file of --replacements
  missing   * listed, without a file
  empty     * a file without bytes
  unreadable* a broken link, a file without permission, or no regular file
  twice     * a further file, or line of an annotation file, of a video
  conflict  * sources differ about the class
  no class  * without --annotations: a file in a folder that is no class
  unlisted    a file that no annotation lists
  ignored     other files, counted by suffix
The exit status is 2 if no list was written, such as over a list of another origin or one that was edited.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import list

    list()

import argparse
import itertools
import logging
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, script_main
from x3d.errors import InputError, counted, format_problems, one_line, shorten_list

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.dataset.class_names import ClassNames
    from x3d.pipeline.list_videos import VideoList

logger = logging.getLogger(__name__)

READS = (
    *("DATA.PATH_TO_DATA_DIR", "DATA.PATH_PREFIX", "DATA.PATH_LABEL_SEPARATOR", "DATA.CLASS_NAMES"),
    "MODEL.NUM_CLASSES",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name sources and output."""
    sources = parser.add_mutually_exclusive_group()
    sources.add_argument(
        "--videos",
        metavar="DIR",
        help="folder of the videos, in which the paths of the list start (default: DATA.PATH_PREFIX)",
    )
    sources.add_argument("--from", dest="source", metavar="FILE", help="list to choose a part of")
    parser.add_argument(
        "--annotations", action="append", default=[], metavar="FILE", help="csv, json or list of the videos; repeatable"
    )
    parser.add_argument("--replacements", default="", metavar="DIR", help="folder of videos for damaged ones")
    parser.add_argument("--subset", type=int, metavar="N", help="number of videos to choose")
    parser.add_argument("--seed", type=int, default=0, help="which videos are chosen (default: 0)")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the list to write, such as Kinetics-400/test.csv (default: test.csv in DATA.PATH_TO_DATA_DIR)",
    )


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Make the list or the subset."""
    if (args.source is None) != (args.subset is None):
        raise InputError("--subset chooses from the list of --from; give both, or --videos")
    if args.source and (args.annotations or args.replacements):
        raise InputError("--annotations and --replacements go with --videos; make the list first, then its subset")
    if args.source is None:
        args.videos, args.output = _choose_paths(cfg, args)
    if args.output is None:
        raise InputError("--from takes --output too, the list to write, such as smoke/test.csv")
    if not Path(args.output).name:
        raise InputError(
            f"--output {args.output!r} names no file; give the list to write, such as {args.output}test.csv"
        )
    return _make_list(cfg, args) if args.source is None else _make_subset(cfg, args)


def _choose_paths(cfg: "CfgNode", args: argparse.Namespace) -> tuple[str, str]:
    """Return the folder of the videos and the list to write, by default those where the other scripts find them.

    Raises:
        InputError: one is not given, and its key is empty.
    """
    videos, output = args.videos, args.output
    if videos is None:
        if not cfg.DATA.PATH_PREFIX:
            raise InputError("--videos, or --from, is missing; give one, or set DATA.PATH_PREFIX")
        videos = cfg.DATA.PATH_PREFIX
    if output is None:
        if not cfg.DATA.PATH_TO_DATA_DIR:
            raise InputError("--output is missing; give the list to write, or set DATA.PATH_TO_DATA_DIR to its folder")
        output = os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "test.csv")
    return videos, output


def _make_list(cfg: "CfgNode", args: argparse.Namespace) -> int:
    from x3d.dataset.class_names import ClassNames
    from x3d.dataset.list_writer import format_list
    from x3d.pipeline.list_videos import ListSources, list_videos
    from x3d.storage.list_file import ledger_path, write_list

    names, output = ClassNames.from_cfg(cfg), Path(args.output)
    made = list_videos(ListSources(args.videos, args.annotations, args.replacements), names)
    data = format_list(made.rows, cfg.DATA.PATH_LABEL_SEPARATOR, output)
    origin = f"{counted(len(made.rows), 'video')} of {', '.join([args.videos, *args.annotations])}"
    write_list(output, data, made.ledger, origin)
    _log_list(made, names)
    keys = f"DATA.PATH_TO_DATA_DIR {shlex.quote(str(output.parent))} DATA.PATH_PREFIX {shlex.quote(args.videos)}"
    renamed = "" if output.name == "test.csv" else "the scripts read a list named test.csv: rename it, and "
    logger.info("list: %s, sorted by path; ledger: %s; %sset %s", output, ledger_path(output), renamed, keys)
    num_left_out = sum(row.state.is_problem for row in made.ledger)
    if num_left_out:
        advice = "" if args.replacements else "; --replacements takes other files for those that are empty"
        rows = counted(num_left_out, "row")
        logger.warning("%s of the ledger left out; the list of the others can be used%s", rows, advice)
    return EXIT_INCOMPLETE if num_left_out else EXIT_DONE


def _log_list(made: "VideoList", names: "ClassNames") -> None:
    """Log the counts of the ledger, with the first rows of what is wrong."""
    from x3d.dataset.annotations import UNLABELLED
    from x3d.dataset.class_names import KINETICS
    from x3d.dataset.known_sets import describe_count

    for file in made.files:
        logger.info("%s: %s, %s", file.path, file.form, counted(len(file.rows), "row"))
    for path in made.unconfirmed:
        logger.warning("no name confirms most numbers of %s; give the official csv too, to check their order", path)
    for state, rows in itertools.groupby(made.ledger, key=lambda row: row.state):
        texts = [f"{row.path} ({row.detail})" if row.detail else row.path for row in rows]
        if state.is_problem:
            logger.error("%s: %d\n%s", state, len(texts), format_problems(texts))
        else:
            examples = "" if state == "found" else f", such as {texts[0]}"
            logger.info("%s: %d%s", state, len(texts), one_line(examples))
    labels = [label for _, label in made.rows]
    used = set(labels)
    if UNLABELLED in used:
        total = counted(len(labels), "video")
        logger.warning("%d of %s unlabelled (-1), left out of the accuracy", labels.count(UNLABELLED), total)
    empty = [name for label, name in enumerate(names.names or ()) if label not in used]
    if empty:
        count = counted(len(names.names or ()), "class", "classes")
        logger.warning("%d of %s without a video: %s", len(empty), count, shorten_list(empty))
    source = "named by the annotations" if made.files else "in folders of classes"
    for text, number in ((source, made.num_listed), ("listed", len(made.rows))):
        copy = f": {describe_count(number)}" if names.source == KINETICS else ""
        logger.info("%s %s%s", counted(number, "video"), text, copy)


def _make_subset(cfg: "CfgNode", args: argparse.Namespace) -> int:
    from x3d.dataset.annotations import ListFormat, read_list_file
    from x3d.dataset.list_writer import format_list
    from x3d.pipeline.list_subset import choose_subset, describe_power
    from x3d.storage.list_file import write_list

    output, separator = Path(args.output), cfg.DATA.PATH_LABEL_SEPARATOR
    if os.path.realpath(args.source) == os.path.realpath(output):
        raise InputError(f"{output} is the list to choose from; give another --output")
    videos = read_list_file(Path(args.source), ListFormat.from_cfg(cfg), "give the list to choose from as --from")
    chosen = choose_subset(videos, args.subset, args.seed)
    data = format_list([(video.listed, video.label) for video in chosen], separator, output)
    write_list(output, data, [], f"{counted(len(chosen), 'video')} of {args.source}, seed {args.seed}")
    num_classes = len({video.label for video in chosen})
    classes = counted(num_classes, "class", "classes")
    logger.info("%d of %s listed, of %s", len(chosen), counted(len(videos), "video"), classes)
    logger.info(describe_power(len(chosen)))
    logger.info("list: %s, sorted by path", output)
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS, add_options=add_options)
