"""Compare preprocessing with the decoder's speed.

    python -m benchmarks.preprocess [--quick] [--tmpfs /dev/shm] [--disk .] [VIDEO ...]

Ten Kinetics-shaped clips of each size. The floor of a video is PyAV decoding every frame of it once with one thread,
and np.save of the same 30 arrays from memory to new files. Both run in this process, in turn, first in a folder on
tmpfs, where the disk does not hide the program, then in one on the disk.
"""

import functools
import itertools
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.clips import SIZES, kinetics_shaped_videos
from benchmarks.common import build_parser, rounds_of, time_in_turn, write_results
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.pipeline.preprocess import write_views
from x3d.storage.view_writer import ViewWriter
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views

NUM_CLIPS = 10


def decode_all(path: str) -> None:
    """Decode every frame once with one thread."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        for _ in container.decode(stream):
            pass


def save_all(views: Sequence[np.ndarray], folder: Path) -> None:
    """Write arrays from memory with np.save."""
    folder.mkdir()
    for number, view in enumerate(views):
        np.save(folder / f"{number}.npy", view)


def make_writer(path: Path) -> ViewWriter:
    """Make an empty folder and a writer of views into it."""
    scratch = path / "scratch"
    scratch.mkdir(parents=True)
    return ViewWriter(path, scratch, ".npy", 30)


def measure_video(path: str, work: Callable[..., Any], scratch: Path, rounds: int) -> dict[str, list[float]]:
    """Time the floor and this suite on one video, in turn.

    Returns:
        Seconds of each round, by "floor" and "ours".
    """
    with VideoReader(path) as reader:
        made = video_views(reader, work.keywords["sampling"], work.keywords["transform"])  # type: ignore[attr-defined]
        views = [view.copy() for _, view in made]

    def floor() -> None:
        decode_all(path)
        save_all(views, scratch / "floor")

    def ours() -> None:
        work(Video(0, path, path, 0), writer=make_writer(scratch / "ours"))

    def clean(name: str) -> None:
        shutil.rmtree(scratch / name)

    actions: dict[str, Callable[[], None]] = {
        "floor": floor,
        "clean_floor": functools.partial(clean, "floor"),
        "ours": ours,
        "clean_ours": functools.partial(clean, "ours"),
    }
    seconds = time_in_turn(actions, rounds)
    return {name: seconds[name] for name in ("floor", "ours")}


def summarise(per_video: Sequence[Mapping[str, list[float]]], num_views: int) -> dict[str, float]:
    """Take the median over videos of the medians over rounds; the ratio is of the same round, with its quartiles."""
    medians = {
        f"{name}_seconds": statistics.median(statistics.median(video[name]) for video in per_video)
        for name in ("floor", "ours")
    }
    ratios = list(
        itertools.chain.from_iterable(map(lambda ours, floor: ours / floor, v["ours"], v["floor"]) for v in per_video)
    )
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        **medians,
        "ours_over_floor": statistics.median(ratios),
        "lower_quartile": low,
        "upper_quartile": high,
        "views_a_second": num_views / medians["ours_seconds"],
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__, with_videos=True)
    parser.add_argument("--tmpfs", default="/dev/shm", metavar="DIR", help="folder in memory (default: /dev/shm)")
    parser.add_argument("--disk", default=".", metavar="DIR", help="folder on a disk (default: the current one)")
    args = parser.parse_args(argv)
    cfg = load_cfg(str(DEFAULT_CFG), SMALL if args.quick else ())
    cv2.setNumThreads(1)
    sampling, transform = Sampling.from_cfg(cfg), Transform.from_cfg(cfg)
    work = functools.partial(write_views, sampling=sampling, transform=transform)
    rounds = 1 if args.quick else rounds_of("preprocess")
    figures: dict[str, Any] = {"rounds": rounds, "threads": 1}
    with tempfile.TemporaryDirectory(dir=args.tmpfs) as clips:
        kinds = {"given": args.videos} if args.videos else {}
        for size in () if kinds else SIZES:
            kinds[size.name] = kinetics_shaped_videos(Path(clips), size, NUM_CLIPS)
        figures["clips"] = {kind: len(paths) for kind, paths in kinds.items()}
        for place, folder in {"tmpfs": args.tmpfs, "disk": args.disk}.items():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                run = functools.partial(measure_video, work=work, scratch=Path(scratch), rounds=rounds)
                figures[place] = {
                    kind: summarise([run(path) for path in tqdm(paths, desc=f"{place}, {kind}", disable=None)], 30)
                    for kind, paths in kinds.items()
                }
    write_results("preprocess", args, figures)


if __name__ == "__main__":
    main()
