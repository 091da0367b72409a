"""Compare preprocessing with the decoder's speed, and measure how it scales with workers.

    python -m benchmarks.preprocess [--quick] [VIDEO ...]

The floor of a video is PyAV decoding every frame of it once with one thread, and np.save of the same 30 arrays from
memory. If SLOWFAST_DIR is a clone with x3d.patch, PySlowFast's loader is timed too.
"""

import functools
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.common import (
    build_parser,
    has_reference,
    median_ratio,
    sample_videos,
    time_in_turn,
    write_results,
)
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.execution.process_pool import Workers
from x3d.pipeline.preprocess import write_views
from x3d.slowfast import write_reference_views
from x3d.storage.view_writer import ViewWriter
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views


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
    folder.mkdir(exist_ok=True)
    for number, view in enumerate(views):
        np.save(folder / f"{number}.npy", view)


def make_writer(path: Path) -> ViewWriter:
    """Make an empty folder and a writer of views into it."""
    shutil.rmtree(path, ignore_errors=True)
    scratch = path / "scratch"
    scratch.mkdir(parents=True)
    return ViewWriter(path, scratch, ".npy", 30)


def measure_video(
    path: str,
    work: Callable[..., Any],
    reference: Callable[..., Any] | None,
    scratch: Path,
    rounds: int,
) -> dict[str, Any]:
    """Time one video in this process, in turn: floor, this suite, and PySlowFast if given."""
    with VideoReader(path) as reader:
        made = video_views(reader, work.keywords["sampling"], work.keywords["transform"])  # type: ignore[attr-defined]
        views = [view.copy() for _, view in made]

    def floor() -> None:
        decode_all(path)
        save_all(views, scratch / "floor")

    def write(route: Callable[..., Any]) -> None:
        route(Video(0, path, path, 0), writer=make_writer(scratch / "written"))

    def clean() -> None:
        shutil.rmtree(scratch / "floor", ignore_errors=True)
        shutil.rmtree(scratch / "written", ignore_errors=True)

    actions = {"floor": floor, "clean_1": clean, "ours": lambda: write(work), "clean_2": clean}
    if reference:
        actions |= {"pyslowfast": lambda: write(reference), "clean_3": clean}
    seconds = time_in_turn(actions, rounds)
    figures = {
        "video": os.path.basename(path),
        "floor_seconds": statistics.median(seconds["floor"]),
        "ours_seconds": statistics.median(seconds["ours"]),
        "ours_over_floor": median_ratio(seconds["ours"], seconds["floor"]),
        "ours_views_a_second": len(views) / statistics.median(seconds["ours"]),
    }
    if reference:
        figures["pyslowfast_seconds"] = statistics.median(seconds["pyslowfast"])
        figures["pyslowfast_over_ours"] = median_ratio(seconds["pyslowfast"], seconds["ours"])
    return figures


def measure_workers(
    paths: Sequence[str], work: Callable[..., Any], scratch: Path, rounds: int, copies: int
) -> dict[str, Any]:
    """Time the pool with one and two workers, including start-up, on several copies of each video."""
    videos = [Video(number, path, path, 0) for number, path in enumerate(list(paths) * copies)]

    def run(num_workers: int) -> None:
        writer = make_writer(scratch / "pool")
        with Workers(num_workers, 120) as workers:
            for outcome in workers.run(functools.partial(work, writer=writer), videos):
                if outcome.reason:
                    raise ValueError(outcome.text)
                for name in writer.names(outcome.video):
                    (writer.path / name).unlink()

    seconds = time_in_turn({"one": lambda: run(1), "two": lambda: run(2)}, rounds)
    return {
        "videos": len(videos),
        "one_worker_views_a_second": 30 * len(videos) / statistics.median(seconds["one"]),
        "two_workers_views_a_second": 30 * len(videos) / statistics.median(seconds["two"]),
        "two_over_one": median_ratio(seconds["one"], seconds["two"]),
    }


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser(__doc__, with_videos=True).parse_args(argv)
    paths = args.videos or sample_videos()
    cfg = load_cfg(str(DEFAULT_CFG), SMALL if args.quick else ())
    cv2.setNumThreads(1)
    work = functools.partial(write_views, sampling=Sampling.from_cfg(cfg), transform=Transform.from_cfg(cfg))
    reference = functools.partial(write_reference_views, cfg=cfg) if has_reference(cfg) else None
    rounds, copies = (1, 1) if args.quick else (7, 8)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        per_video = [measure_video(path, work, reference, scratch, rounds) for path in paths]
        workers = measure_workers(paths, work, scratch, rounds, copies)
    keys = [key for key in per_video[0] if key.endswith("_seconds")]
    totals = {key: sum(video[key] for video in per_video) for key in keys}
    total = {"ours_over_floor": totals["ours_seconds"] / totals["floor_seconds"], **totals}
    figures = {"rounds": rounds, "threads_a_worker": 1, "per_video": per_video, "total": total, "workers": workers}
    write_results("preprocess", args, figures)


if __name__ == "__main__":
    main()
