"""Measure how preprocessing and evaluation scale with workers, Ray nodes and the number of videos, and their memory.

    python -m benchmarks.scaling [--quick] [--tmpfs /dev/shm] [VIDEO ...]

40 Kinetics-shaped clips of 340x256, on tmpfs. n workers run on n cores; n Ray nodes are n nodes of one core each. To
leave out start-up, a run on the first two clips is subtracted from one on all: what remains are 38 clips with every
worker busy. All runs of a round take turns. The start of a cluster is not measured at all.

The cost by number of videos is measured on a generated two-second video with a small network, start-up included, so
that it is the suite's own. Memory is the most that a process held, with one worker, in one run.
"""

import functools
import importlib.util
import shutil
import statistics
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.clips import LARGE_SIZE, SMALL_SIZE, kinetics_shaped_videos, long_raw_video
from benchmarks.commands import Cost, run_measured, script
from benchmarks.common import build_parser, make_model, make_video, rounds_of, write_list, write_results
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.cores import count_cores
from x3d.dataset.naming import views_per_video

NUM_CLIPS, NUM_FEW = 40, 2
NUMBERS = (1, 2)
NUM_VIDEOS = (20, 100, 500)
RAW_MEGABYTES = 600
NUM_MEMORY_CLIPS = 4
OUTPUTS = {"x3d_preprocess.py": "X3D_PREPROCESS__DATA_OUTPUT_PATH", "x3d_evaluate.py": "X3D_EVALUATE__OUTPUT_PATH"}


class Work:
    """Runs preprocessing or evaluation of one list, as commands."""

    def __init__(self, cfg_keys: Sequence[str], scratch: Path, videos: Sequence[str]) -> None:
        self.cfg_keys, self.scratch = cfg_keys, scratch
        scratch.mkdir()
        self.keys = write_list(scratch / "list", videos)
        cfg = load_cfg(str(DEFAULT_CFG), cfg_keys)
        self.num_views = len(videos) * views_per_video(cfg)
        self.keys["X3D_EVALUATE__MODEL_PATH"] = make_model(cfg, scratch)[1]

    def run(self, name: str, cores: int = 0, **keys: object) -> Cost:
        """Run a script and remove what it wrote."""
        output = self.scratch / "output"
        cost = run_measured(script(name, self.cfg_keys, **self.keys, **{OUTPUTS[name]: output}, **keys), cores)
        shutil.rmtree(output)
        return cost


@contextmanager
def ray_cluster(num_nodes: int) -> Iterator[str]:
    """Start a cluster of nodes of one core each on this machine; yield its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            for _ in range(num_nodes - 1):
                cluster.add_node(num_cpus=1)
            cluster.wait_for_nodes()
            yield cluster.address
        finally:
            cluster.shutdown()


def run_with_workers(all_clips: Work, few: Work, number: int) -> dict[str, tuple[float, float]]:
    """Run both scripts on both lists; return the seconds of all and of few clips, by script."""
    keys = {"X3D_WORKERS__NUM": number}
    return {name: _run_both(all_clips, few, name, number, keys) for name in OUTPUTS}


def run_with_nodes(all_clips: Work, few: Work, number: int) -> dict[str, tuple[float, float]]:
    """Run both scripts on both lists on a new cluster, as run_with_workers."""
    with ray_cluster(number) as address:
        keys = {"X3D_WORKERS__RAY_ADDRESS": address}
        few.run("x3d_preprocess.py", X3D_WORKERS__RAY_ADDRESS=address)  # the first job on a cluster also warms it up
        return {name: _run_both(all_clips, few, name, 0, keys) for name in OUTPUTS}


def _run_both(all_clips: Work, few: Work, name: str, cores: int, keys: Mapping[str, object]) -> tuple[float, float]:
    short = few.run(name, cores, **keys).seconds
    return all_clips.run(name, cores, **keys).seconds, short


def measure_scaling(
    all_clips: Work, few: Work, numbers: Mapping[str, Sequence[int]], rounds: int
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Measure by script, and by "workers" or "ray_nodes", every number of them.

    Returns:
        One row per number; the speed-up is the median of the rounds' ratios to the first number.
    """
    runs: dict[str, Callable[..., dict[str, tuple[float, float]]]]
    runs = {"workers": run_with_workers, "ray_nodes": run_with_nodes}
    seconds: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    for _ in tqdm(range(rounds), desc="scaling", disable=None):
        for kind, several in numbers.items():
            for number in several:
                for name, taken in runs[kind](all_clips, few, number).items():
                    seconds[name, kind, number].append(taken)
    num_views = all_clips.num_views - few.num_views
    return {
        Path(name).stem: {
            kind: [
                summarise(number, seconds[name, kind, number], seconds[name, kind, several[0]], num_views)
                for number in several
            ]
            for kind, several in numbers.items()
        }
        for name in OUTPUTS
    }


def summarise(
    number: int, taken: Sequence[tuple[float, float]], first: Sequence[tuple[float, float]], num_views: int
) -> dict[str, float]:
    net = [long - short for long, short in taken]
    net_of_first = [long - short for long, short in first]
    speed_ups = [before / now for before, now in zip(net_of_first, net, strict=True)]
    return {
        "number": number,
        "seconds": statistics.median(long for long, _ in taken),
        "few_seconds": statistics.median(short for _, short in taken),
        "views_a_second": num_views / statistics.median(net),
        "speed_up": statistics.median(speed_ups),
        "lowest_speed_up": min(speed_ups),
        "highest_speed_up": max(speed_ups),
    }


def measure_lengths(lists: Mapping[int, Work], name: str, rounds: int) -> list[dict[str, float]]:
    """Measure a script on lists of several lengths, in turn; return seconds and the driver's memory."""
    costs: dict[int, list[Cost]] = {number: [] for number in lists}
    for _ in range(rounds):
        for number, work in lists.items():
            costs[number].append(work.run(name))
    return [
        {
            "number": number,
            "seconds": statistics.median(cost.seconds for cost in taken),
            "driver_peak_megabytes": max(cost.peak_megabytes for cost in taken),
        }
        for number, taken in costs.items()
    ]


def measure_memory(kinds: Mapping[str, Work]) -> list[dict[str, Any]]:
    """Measure the memory of the driver and of its one worker, on one core, by script and kind of videos."""
    rows = []
    for name in OUTPUTS:
        for kind, work in kinds.items():
            cost = work.run(name, 1, X3D_WORKERS__NUM=1)
            megabytes = {"driver": cost.peak_megabytes, "worker": cost.worker_peak_megabytes}
            rows.append({"script": name, "videos": kind, "peak_megabytes": megabytes})
    return rows


def make_works(scratch: Path, args: Any) -> tuple[Work, Work, dict[str, Work], dict[int, Work]]:
    """Make the lists: of all and of few clips, by kind for memory, and by number of two-second videos."""
    keys = SMALL if args.quick else []
    make = functools.partial(Work, keys)
    clips = args.videos or kinetics_shaped_videos(scratch / "clips", SMALL_SIZE, NUM_CLIPS)
    large = args.videos or kinetics_shaped_videos(scratch / "large", LARGE_SIZE, NUM_MEMORY_CLIPS)
    raw = long_raw_video(scratch / "raw.avi", 5 if args.quick else RAW_MEGABYTES)
    kinds = {
        f"{len(clips[:NUM_MEMORY_CLIPS])} clips of {SMALL_SIZE.name}": make(scratch / "m", clips[:NUM_MEMORY_CLIPS]),
        f"{len(large)} clips of {LARGE_SIZE.name}": make(scratch / "l", large),
        f"raw AVI, {5 if args.quick else RAW_MEGABYTES} MB": make(scratch / "r", [raw]),
    }
    short = make_video(scratch / "short.mp4", 60)
    lengths = {n: Work(SMALL, scratch / str(n), [short] * n) for n in ((2,) if args.quick else NUM_VIDEOS)}
    few = clips[: 1 if args.quick else NUM_FEW]
    return make(scratch / "all", clips), make(scratch / "few", few), kinds, lengths


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__, with_videos=True)
    parser.add_argument("--tmpfs", default="/dev/shm", metavar="DIR", help="folder in memory (default: /dev/shm)")
    args = parser.parse_args(argv)
    rounds = 1 if args.quick else rounds_of("scaling")
    numbers = {"workers": [number for number in NUMBERS if number <= count_cores()], "ray_nodes": list(NUMBERS)}
    if args.quick or not importlib.util.find_spec("ray"):
        numbers["ray_nodes"] = []
    figures: dict[str, Any] = {"rounds": rounds, "threads_a_worker": 1}
    with tempfile.TemporaryDirectory(dir=args.tmpfs) as scratch:
        all_clips, few, kinds, lists = make_works(Path(scratch), args)
        figures |= {"views": all_clips.num_views, "few_views": few.num_views, "memory": measure_memory(kinds)}
        for name, taken in measure_scaling(all_clips, few, numbers, rounds).items():
            figures[name] = {**taken, "videos": measure_lengths(lists, f"{name}.py", rounds)}
    write_results("scaling", args, figures)


if __name__ == "__main__":
    main()
