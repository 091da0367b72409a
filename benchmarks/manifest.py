"""Measure what the records of a run cost: manifest and journal, syncs of views, and finding recorded views.

    python -m benchmarks.manifest [--quick] [--videos 60000] [VIDEO ...]

Times recording, saving, resuming and merging of a list as long as Kinetics-700's; x3d_preprocess.py with and without
waiting for the disk, in turn; and the check of 592,830 stand-ins of views, sparse files with the header of one.
"""

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.common import (
    ROOT,
    build_parser,
    make_video,
    median_ratio,
    parse_args,
    run_measured,
    script,
    write_list,
    write_results,
)
from benchmarks.tables import update
from x3d.dataset.annotations import Video
from x3d.dataset.naming import Shard, view_stem
from x3d.storage import journal
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.shards import manifest_name, merge_shards
from x3d.storage.view_reader import open_views
from x3d.storage.view_writer import view_file_bytes
from x3d.video.source import Source

VIDEOS_PER_SECOND = 20
NUM_SHARDS = 8
VIEWS, VIEW_SHAPE = 30, (3, 13, 182, 182)
NO_SYNC = "from x3d.storage import atomic\natomic.sync_file_system = atomic.sync_folder = lambda path: None\n"


def seconds_of(action: Callable[[], object]) -> float:
    """Time an action, once."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def make_videos(num_videos: int) -> list[Video]:
    return [Video(index, f"class {index % 400}/{index:011d}_000010_000020.mp4", "", 0) for index in range(num_videos)]


def views_of(video: Video) -> WrittenViews:
    """Make up what is recorded of a video."""
    hashes = [f"{VIEWS * video.index + view:016x}" for view in range(VIEWS)]
    return WrittenViews(hashes, Source(1_000_000, 1_700_000_000_000_000_000, video.index))


def measure_manifest(folder: Path, num_videos: int) -> dict[str, float]:
    """Time the driver's work on a manifest.

    The share of a run is that of recording at 20 videos per second, with a sync every two seconds.
    """
    videos = make_videos(num_videos)
    records = [views_of(video) for video in videos]
    manifest = Manifest(folder / "manifest.json", {"num_videos": num_videos, "views_per_video": VIEWS})
    manifest.save()

    def record() -> None:
        for video, views in zip(videos, records, strict=True):
            manifest.record_done(video, views)

    figures = {
        "record_seconds": seconds_of(record),
        "sync_seconds": measure_journal_sync(manifest, records[0], videos[0]),
        "resume_after_kill_seconds": seconds_of(lambda: Manifest.load(manifest.path).save()),
        "load_seconds": seconds_of(lambda: Manifest.load(manifest.path)),
        "save_seconds": seconds_of(manifest.save),
        "merge_seconds": measure_merge(folder / "shards", manifest),
        "megabytes": manifest.path.stat().st_size / 1e6,
    }
    record_share = figures["record_seconds"] * VIDEOS_PER_SECOND / num_videos
    figures["driver_share"] = record_share + figures["sync_seconds"] / journal.SYNC_INTERVAL_SECONDS
    return figures


def measure_journal_sync(manifest: Manifest, views: WrittenViews, video: Video) -> float:
    """Time a record that waits for the disk, the median of 50."""
    interval, journal.SYNC_INTERVAL_SECONDS = journal.SYNC_INTERVAL_SECONDS, 0
    seconds = [seconds_of(lambda: manifest.record_done(video, views)) for _ in range(50)]
    journal.SYNC_INTERVAL_SECONDS = interval
    return statistics.median(seconds)


def measure_merge(folder: Path, whole: Manifest) -> float:
    """Time the merge of eight shards' manifests."""
    folder.mkdir()
    paths = []
    for shard_id in range(NUM_SHARDS):
        shard = Shard(shard_id, NUM_SHARDS)
        entries = {index: entry for index, entry in whole.entries().items() if shard.owns(index)}
        paths.append(folder / manifest_name(shard))
        Manifest(paths[-1], whole.provenance, entries).save()
    return seconds_of(lambda: merge_shards(folder / "manifest.json", paths))


def measure_listing(folder: Path, num_videos: int) -> dict[str, float]:
    """Time finding and checking views as x3d_infer.py does."""
    folder.mkdir()
    header = io.BytesIO()
    view = np.empty((1, *VIEW_SHAPE), dtype=np.float32)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(view))
    manifest = Manifest(folder / "manifest.json", {"num_videos": num_videos, "views_per_video": VIEWS})
    for video in tqdm(make_videos(num_videos), desc="files of videos", disable=None):
        for number in range(VIEWS):
            with open(folder / f"{view_stem(VIEWS * video.index + number, 0)}.npy", "wb", buffering=0) as file:
                file.write(header.getvalue())
                file.truncate(view_file_bytes(VIEW_SHAPE, ".npy"))
        manifest.record_done(video, views_of(video))
    manifest.save()
    cpu, start = time.process_time(), time.perf_counter()
    open_views(str(folder)).check(VIEW_SHAPE)
    return {
        "views": VIEWS * num_videos,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
    }


def measure_sync(folder: Path, videos: Sequence[str], rounds: int) -> dict[str, Any]:
    """Time x3d_preprocess.py with and without waiting for the disk, in turn."""
    (folder / "patch").mkdir()
    (folder / "patch" / "sitecustomize.py").write_text(NO_SYNC)
    without = os.pathsep.join([str(folder / "patch"), str(ROOT)])
    listed = write_list(folder / "list", videos)
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(1 + rounds):
        for name, taken in seconds.items():
            output = folder / f"{name}{number}"
            command = script("x3d_preprocess.py", [], **listed, X3D_PREPROCESS__DATA_OUTPUT_PATH=output)
            prefix = ["env", f"PYTHONPATH={without}"] if name == "without" else []
            taken.append(run_measured([*prefix, *command]).seconds)
            for path in output.iterdir():
                path.unlink()
    return {
        "rounds": rounds,
        "videos": len(videos),
        **{f"{name}_seconds": statistics.median(taken[1:]) for name, taken in seconds.items()},
        "ratio": median_ratio(seconds["with"][1:], seconds["without"][1:]),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__, with_videos=True)
    parser.add_argument("--videos", type=int, dest="num_videos", help="default: 60000, with --quick 200")
    args = parse_args(parser, argv)
    num_videos = args.num_videos or (200 if args.quick else 60_000)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        videos = args.videos or [make_video(scratch / f"{number}.mp4", 300) for number in range(1 if args.quick else 8)]
        figures = {
            "rounds": 1 if args.quick else 3,
            "videos": num_videos,
            "views_per_video": VIEWS,
            "manifest": measure_manifest(scratch, num_videos),
            "sync": measure_sync(scratch, videos, 1 if args.quick else 3),
            "listing": measure_listing(scratch / "views", 2 if args.quick else 19761),
        }
    write_results("manifest", args, figures)
    if not args.quick and not args.output:
        update("benchmarks/reliability.md")


if __name__ == "__main__":
    main()
