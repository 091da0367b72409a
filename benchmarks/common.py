"""Helpers of the benchmarks: timing, models and lists to run on, description of the machine, result files."""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.commands import Cost as Cost
from benchmarks.commands import run_measured as run_measured
from benchmarks.commands import script as script
from benchmarks.commit import ROOT as ROOT
from benchmarks.commit import read_commit
from benchmarks.machine import describe_machine as describe_machine
from x3d.storage.atomic import write_json

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode
    from torch import nn

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
"""Measurements of each action, in turn with the others; figures are their medians."""
OTHER_ROUNDS = {"inference": 21, "manifest": 3, "parity_M": 3, "parity_S": 3, "scaling": 2}
EACH_ONCE = ("evidence", "mutation", "precision", "reliability", "signals")
"""Benchmarks without rounds."""
SPEED = ("preprocess", "end_to_end", "inference", "precision", "float16", "scaling")
"""Benchmarks that python -m benchmarks.all runs, on one commit."""


def rounds_of(name: str) -> int:
    """Return the number of rounds of a benchmark; 0 if it has none."""
    return 0 if name in EACH_ONCE else OTHER_ROUNDS.get(name, ROUNDS)


def build_parser(description: str | None, with_videos: bool = False) -> argparse.ArgumentParser:
    """Build a benchmark's command line: `--quick` for a smoke run, `--output` for its JSON."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run on as little as possible; its figures mean nothing"
    )
    parser.add_argument(
        "--output", type=Path, help="JSON file to write (default: benchmarks/results/<name>.json; none with --quick)"
    )
    if with_videos:
        parser.add_argument("videos", nargs="*", metavar="VIDEO", help="videos (default: clips of benchmarks/clips.py)")
    return parser


def parse_args(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, free: Sequence[str] = ()
) -> argparse.Namespace:
    """Parse a benchmark's command line, and read the commit before anything is measured.

    Exits with 2 if results/ would get figures of other arguments than the tables describe.

    Args:
        free: arguments that the tables show, or that do not change what is measured.
    Returns:
        The arguments, with `commit`: of what results/ gets, else "".
    Raises:
        ValueError: results/ gets the figures, and files differ from the commit.
    """
    args, default = parser.parse_args(argv), vars(parser.parse_args([]))
    is_published = not args.quick and args.output is None
    other = [name for name, value in vars(args).items() if value != default[name] and name not in free]
    if is_published and other:
        parser.error(f"{', '.join(other)}: give --output too; benchmarks/results is for the default")
    args.commit = read_commit() if is_published else ""
    return args


def time_in_turn(
    actions: Mapping[str, Callable[[], Any]],
    rounds: int,
    warm_ups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time several actions one after the other, round by round, so that other load affects all alike.

    Args:
        warm_ups: untimed rounds before the others.
        clock: returns seconds.
    Returns:
        Seconds of each round, by action, without warm-ups.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(warm_ups + rounds):
        for name, action in actions.items():
            start = clock()
            action()
            if number >= warm_ups:
                seconds[name].append(clock() - start)
    return seconds


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Take the median of the ratios of two actions, round by round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def make_model(cfg: "CfgNode", folder: Path) -> "tuple[nn.Module, str]":
    """Build the configured network with synthetic weights, as a torch module and as ONNX with a dynamic batch.

    Returns:
        The module in eval mode, with BatchNorm folded as in the ONNX file, and the path of that file.
    """
    from demo.synthetic import synthetic_state
    from x3d.network.export import export_onnx, fold_batch_norm
    from x3d.network.model import X3D, Architecture
    from x3d.video.transform import view_shape

    model = X3D(Architecture.from_cfg(cfg)).eval()
    model.load_state_dict(synthetic_state(model, seed=0))
    fold_batch_norm(model)
    path = str(folder / "x3d.onnx")
    Path(path).write_bytes(export_onnx(model, view_shape(cfg), cfg.X3D_PTH2ONNX.OPSET, 0))
    return model, path


def write_list(folder: Path, videos: Sequence[str], copies: int = 1) -> dict[str, object]:
    """Write a list that repeats videos `copies` times, all of class 0.

    Returns:
        The keys that select the list, for `script`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.csv").write_text("".join(f"{os.path.abspath(path)} 0\n" for path in videos) * copies)
    return {"DATA__PATH_TO_DATA_DIR": folder, "DATA__PATH_PREFIX": ""}


def make_video(path: Path, num_frames: int) -> str:
    """Write a video of 160 x 120 pixels at 30 frames per second, each frame brighter than the last; return its path."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160), number % 256, np.uint8), format="gray")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return str(path)


def find_reference() -> None:
    """Put the clone of PySlowFast in SLOWFAST_DIR on the import path of this process and of its commands."""
    folder = os.environ.get("SLOWFAST_DIR")
    if folder and os.path.abspath(folder) not in sys.path:
        sys.path.insert(0, os.path.abspath(folder))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [sys.path[0], os.environ.get("PYTHONPATH")]))


def load_results(folder: Path) -> dict[str, Any]:
    """Read every result of a folder, keyed by file name without suffix."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def write_results(name: str, args: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Print a benchmark's figures, and write them with the commit and the machine's description.

    Args:
        args: of parse_args.
    Raises:
        ValueError: the files are not those of the commit that the run started with.
    """
    json.dump(figures, sys.stdout, indent=1)
    print()
    path = args.output or (None if args.quick else RESULTS / f"{name}.json")
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if args.commit and args.commit != read_commit():
        raise ValueError(f"{name}: another commit was checked out during the run; measure again")
    about = {"benchmark": name, "quick": args.quick, "commit": args.commit, "machine": describe_machine()}
    write_json(path, {**about, **figures})
    print(path)
